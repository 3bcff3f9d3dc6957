"""A destination whose configuration is wrong: its events are kept, and go on by themselves.

A suite for every outbox that has a noticeboard; another one has a ``delivery`` and an
``open_outbox`` of its own.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import attrs
import pytest

from capi_plugins import Event, UserData, configure, hookimpl, signals
from capi_plugins.outbox.base import Noticeboard, Standing
from capi_plugins.outbox.memory import MemoryOutbox
from capi_plugins.sandbox import Fault, Sandbox
from tests.core.paper import Clock

DAY = 86_400


@pytest.fixture
def sandbox():
    with Sandbox(datasets={"1234567890": "right-token"}) as running:
        yield running


@pytest.fixture
def clock():
    return Clock(time.time())


@pytest.fixture
def delivery(path):
    """The outbox, as settings and as what an adapter offers."""
    return {"OUTBOX": f"sqlite:///{path}"}, {}


@pytest.fixture
def process(sandbox, delivery, clock):
    """Makes clients that stand for processes: each has an outbox and a worker of its own."""
    made = []

    def process(
        token="right-token", *, name="meta", batch_size=200, clock=clock, plugins=(), **more
    ):
        client = configure(
            {
                "DESTINATIONS": {
                    name: {
                        "KIND": "meta",
                        "DATASET_ID": "1234567890",
                        "ACCESS_TOKEN": token,
                        "API_URL": sandbox.url,
                    }
                },
                "CONSENT": {"DEFAULT": "granted"},
                "DELIVERY": {
                    **delivery[0],
                    "WORKER": "external",
                    "BATCH_SIZE": batch_size,
                    **more,
                },
                "PAGE_VIEW": False,
                "AUTOLOAD": False,
                "PLUGINS": list(plugins),
            },
            environ={},
            outboxes=delivery[1],
            clock=clock or time.time,
        )
        made.append(client)
        return client

    yield process
    for client in made:
        client.close(0)


class Gate:
    """Stops requests on their way out."""

    def __init__(self):
        self.reached, self.open = threading.Event(), threading.Event()
        self.open.set()

    @hookimpl(tryfirst=True)
    def capi_send(self):
        self.reached.set()
        assert self.open.wait(60)


def lead(client, event_id):
    client.capture(
        Event(
            event_name="Lead",
            event_id=event_id,
            event_time=int(time.time()),
            action_source="email",
            user_data=UserData(email="ada@example.com"),
        )
    )


def drain(client):
    """Send in this thread: no thread that stays behind takes the turn of another process."""
    client.delivering.drain(None, 60)


def ids(sandbox):
    return sorted(event.payload["event_id"] for event in sandbox.accepted())


def test_all_processes_together_try_it_once_in_a_quarter_of_an_hour(process, sandbox, clock):
    processes = [process("wrong-token") for _ in range(3)]
    for number in range(5):
        lead(processes[0], str(number))
    for _ in range(3):
        for client in processes:
            drain(client)
    assert len(sandbox.requests) == 1
    assert all(client.stopped() == ["meta"] for client in processes)
    clock.advance(901)
    for client in [*processes, process("wrong-token")]:
        drain(client)
    assert len(sandbox.requests) == 2
    assert processes[0].stats().waiting == 5


def test_one_of_several_processes_tries_it_while_each_has_something_for_it(process, sandbox, clock):
    gate = Gate()
    first = process("wrong-token", batch_size=1, plugins=[gate])
    second = process("wrong-token", batch_size=1)
    for number in range(4):
        lead(first, str(number))
    drain(first)
    clock.advance(901)
    gate.open.clear()
    gate.reached.clear()
    with ThreadPoolExecutor(1) as pool:
        trying = pool.submit(drain, first)
        try:
            assert gate.reached.wait(60)
            drain(second)
        finally:
            gate.open.set()
        trying.result(60)
    drain(second)
    assert len(sandbox.requests) == 2
    assert first.stats().waiting == 4
    clock.advance(901)
    drain(second)
    assert len(sandbox.requests) == 3


def test_who_dies_while_trying_holds_up_the_others_for_a_minute_only(open_outbox):
    boards = [open_outbox() for _ in range(2)]
    known = Standing(destination="a", configuration="1", tried_at=1.0, stopped_until=900.0)
    boards[0].post(known)
    assert [board.probe(known, until=960.0) for board in boards] == [True, False]
    (later,) = boards[1].standings()
    assert later.stopped_until == 960.0
    assert boards[1].probe(later, until=1020.0)
    assert not boards[1].probe(attrs.evolve(later, configuration="2"), until=1080.0)


def test_a_process_with_another_token_starts_at_once(process, sandbox):
    wrong = process("wrong-token")
    lead(wrong, "1")
    drain(wrong)
    right = process()
    drain(right)
    assert ids(sandbox) == ["1"]
    assert right.stats().waiting == 0


def test_what_was_mended_elsewhere_goes_on_by_itself_in_every_process(
    process, sandbox, clock, until
):
    sandbox.inject(Fault.error(200, status=403, times=1))
    first, second = process(), process()
    lead(first, "1")
    drain(first)
    drain(second)
    assert len(sandbox.requests) == 1
    clock.advance(901)
    drain(second)
    until(lambda: ids(sandbox) == ["1"])
    lead(first, "2")
    drain(first)
    until(lambda: ids(sandbox) == ["1", "2"])
    until(lambda: (first.stopped(), second.stopped()) == ([], []))


def test_a_process_knows_that_another_one_got_through(process, sandbox, clock, until):
    sandbox.inject(Fault.error(200, status=403, times=1))
    first, second = process(), process()
    lead(first, "1")
    drain(first)
    drain(second)
    assert (first.stopped(), second.stopped()) == (["meta"], ["meta"])
    clock.advance(901)
    drain(process())
    # Any of the three may have been the one that got through.
    until(lambda: (first.stopped(), second.stopped()) == ([], []))
    assert ids(sandbox) == ["1"]


def test_events_that_grow_too_old_meanwhile_are_told_one_by_one(process, sandbox, clock, caplog):
    client = process("wrong-token", batch_size=2)
    told = []

    def hear(sender, *, deliveries, reason):
        told.extend((item.event_id, reason) for item in deliveries)

    for number in range(5):
        lead(client, str(number))
    drain(client)
    clock.advance(8 * DAY)
    with signals.delivery_dead.connected_to(hear, sender=client):
        drain(client)
    reason = "expired: too old for the destination"
    assert sorted(told) == [(str(number), reason) for number in range(5)]
    assert len(sandbox.requests) == 1
    letters = client.delivering.outbox.dead_letters(10)
    assert {letter.reason for letter in letters} == {reason}
    assert caplog.text.count(reason) == 5


def test_a_clock_that_was_set_back_holds_nothing_for_longer(process, sandbox, clock):
    client = process("wrong-token")
    lead(client, "1")
    clock.advance(3 * DAY)
    drain(client)
    # Else it might be the one to try again.
    client.close(0)
    clock.advance(-3 * DAY)
    drain(process("wrong-token"))
    assert len(sandbox.requests) == 2


def test_a_destination_that_is_configured_later_starts_at_once(process, sandbox):
    before = process()
    lead(before, "1")
    drain(process(name="other"))
    assert not sandbox.requests
    drain(before)
    assert ids(sandbox) == ["1"]


def test_the_noticeboard_is_shared_and_holds_no_secret(process, open_outbox):
    client = process("wrong-token")
    lead(client, "1")
    drain(client)
    outbox = open_outbox()
    assert isinstance(outbox, Noticeboard)
    (standing,) = outbox.standings()
    assert (standing.destination, standing.reason.split(",")[0]) == (
        "meta",
        "the access token is not valid",
    )
    assert standing.stopped_until - standing.failed_at == 900
    assert "wrong-token" not in repr(standing)


def test_no_file_holds_a_secret(process, path):
    client = process("wrong-token")
    lead(client, "1")
    drain(client)
    client.close(0)
    files = [file for file in path.parent.rglob("*") if file.is_file()]
    assert len(files) >= 3
    for file in files:
        assert b"wrong-token" not in file.read_bytes()


def test_what_is_known_of_a_destination_is_replaced(open_outbox):
    first, second = open_outbox(), open_outbox()
    assert list(first.standings()) == []
    first.post(Standing(destination="b", configuration="1", tried_at=1.0))
    first.post(
        Standing(
            destination="a",
            configuration="1",
            tried_at=1.0,
            failed_at=2.5,
            reason="\u20ac",
            stopped_until=1_800_000_900.25,
        )
    )
    known = list(second.standings())
    assert [each.destination for each in known] == ["a", "b"]
    assert (known[0].reason, known[0].stopped_until) == ("\u20ac", 1_800_000_900.25)
    second.post(Standing(destination="a", configuration="2", tried_at=2.0, reason="x"))
    assert first.standings()[0] == Standing(
        destination="a", configuration="2", tried_at=2.0, reason="x"
    )


def test_many_may_post_at_once(open_outbox):
    boards = [open_outbox() for _ in range(4)]

    def post(number):
        for moment in range(10):
            boards[number].post(
                Standing(destination="a", configuration=str(number), tried_at=float(moment))
            )

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(post, range(4)))
    (standing,) = boards[0].standings()
    assert standing.tried_at == 9.0


def test_an_outbox_without_a_noticeboard_will_do():
    assert not isinstance(MemoryOutbox(), Noticeboard)
