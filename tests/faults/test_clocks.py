"""The wall clock stands still, or is set a day ahead or back, while events wait."""

from __future__ import annotations

import time

import pytest
from capi_django.outbox import DatabaseOutbox

from capi_plugins import configure
from capi_plugins.sandbox import Fault, Sandbox
from tests.faults.clocks import WallClock
from tests.faults.shop_settings import settings
from tests.faults.small_shop import SmallShop, accepted, arrived, until
from tests.outbox.other_process import delivery

DAY = 86_400.0


class Wall:
    """A wall clock that can be set and stopped."""

    def __init__(self):
        self.offset = 0.0
        self.stopped_at = None

    def __call__(self):
        now = time.time() if self.stopped_at is None else self.stopped_at
        return now + self.offset

    def stop(self):
        self.stopped_at = time.time()


@pytest.fixture
def wall():
    return Wall()


@pytest.fixture
def meanwhile():
    """What happens while the sandbox looks at a request, once."""
    return []


@pytest.fixture
def sandbox(meanwhile):
    def clock():
        if meanwhile:
            meanwhile.pop()()
        # So late that nothing the shop says is in the future.
        return time.time() + 2 * DAY

    with Sandbox(clock=clock) as running:
        yield running


@pytest.fixture(params=["memory", "sqlite"])
def client(request, sandbox, box, wall):
    meta = {"DATASET_ID": "1234567890", "ACCESS_TOKEN": "t", "API_URL": sandbox.url}
    client = configure(
        {
            "DESTINATIONS": {"meta": meta},
            "CONSENT": {"DEFAULT": "granted"},
            "DELIVERY": {"OUTBOX": "memory" if request.param == "memory" else f"sqlite:///{box}"},
        },
        clock=wall,
    )
    yield client
    client.close(0)


def lead(client, number):
    client.track(
        "Lead",
        event_id=str(number),
        user_data={"email": "ada@example.com"},
        action_source="system_generated",
    )


@pytest.mark.fault("D1")
@pytest.mark.parametrize(("when", "jump"), [("waiting", -DAY), ("waiting", DAY), ("sending", -DAY)])
def test_a_clock_that_is_set_delays_nothing(client, sandbox, wall, meanwhile, when, jump):
    """The wall clock is set a day ahead or back while an event waits, and while one is sent.

    Nothing is delayed by it, nothing dies, and later events follow as usual.
    """

    def leap():
        wall.offset += jump

    if when == "waiting":
        sandbox.inject(Fault.throttle(retry_after=1))
        lead(client, 1)
        sandbox.wait_for_requests(1)
        leap()
    else:
        meanwhile.append(leap)
        sandbox.inject(Fault.server_error())
        lead(client, 1)
    sandbox.wait_for(1, timeout=40)
    lead(client, 2)
    sandbox.wait_for(2, timeout=40)
    wall.offset = 0.0
    lead(client, 3)
    sandbox.wait_for(3, timeout=40)
    assert client.flush(60)
    assert client.stats().dead == 0
    assert len(sandbox.requests) <= 5


@pytest.mark.fault("D1")
def test_a_clock_that_stands_still_stops_nothing(client, sandbox, wall):
    """The wall clock stands still while an event has to be tried again.

    It is tried again and arrives, and so does the next.
    """
    wall.stop()
    sandbox.inject(Fault.server_error())
    lead(client, 1)
    sandbox.wait_for(1, timeout=40)
    lead(client, 2)
    sandbox.wait_for(2, timeout=40)
    assert client.stats().dead == 0
    assert len(sandbox.requests) == 3


@pytest.mark.fault("D1")
def test_a_clock_that_stands_still_keeps_no_processor_busy(client, sandbox, wall):
    """The wall clock stands still and is set back while the other side says: come back in an
    hour.

    The process waits without using the processor, and without asking again and again.
    """
    wall.stop()
    sandbox.inject(Fault.throttle(retry_after=3600, times=None))
    lead(client, 1)
    sandbox.wait_for_requests(1)
    began, used = time.monotonic(), time.process_time()
    wall.offset = -DAY
    lead(client, 2)
    client.flush(1)
    while time.monotonic() - began < 1.5:
        time.sleep(0.1)
    assert time.process_time() - used < 0.7
    assert len(sandbox.requests) <= 6


@pytest.mark.fault("D1")
def test_what_happened_on_a_clock_that_was_ahead_costs_nobody_else_anything(box, wall):
    """The wall clock is a day ahead while an event is captured that cannot be sent, and is then set
    right.

    The event has a time of the future, which Meta refuses: it is a dead letter that says so. What a
    page says of the future is now, and what comes later arrives, once.
    """
    with Sandbox() as strict:
        strict.stop()
        shop = SmallShop(settings(strict.url, box, WORKER="external"), wall)
        wall.offset = DAY
        shop.lead("ahead")
        shop.drain()
        wall.offset = 0.0
        strict.start()
        shop.lead("now")
        shop.client.track(
            "Lead", event_id="of-tomorrow", event_time=time.time() + DAY,
            action_source="system_generated", user_data={"email": "ada@example.com"},
        )  # fmt: skip
        until(lambda: shop.drain() or shop.stats.waiting == 0)
        assert accepted(strict) == ["now", "of-tomorrow"]
        assert set(arrived(strict).values()) <= {1, 2}
        times = [event.payload["event_time"] for event in strict.accepted()]
        assert all(abs(each - time.time()) < 60 for each in times)
        (letter,) = shop.client.delivering.outbox.dead_letters(10)
        assert letter.delivery.event_id == "ahead"
        assert "future" in letter.reason
        shop.close()


@pytest.mark.fault("D1")
def test_nothing_expires_before_its_time(client, sandbox, wall):
    """The wall clock is set two days to and fro while the other side never answers.

    No event is taken for too old; it arrives when answers come again.
    """
    sandbox.inject(Fault.hang(times=None))
    lead(client, 1)
    for jump in (DAY, -2 * DAY, 2 * DAY, -DAY):
        wall.offset += jump
        client.flush(0.1)
    sandbox.clear_faults()
    sandbox.wait_for(1, timeout=40)
    assert client.stats().dead == 0


@pytest.mark.fault("D1")
def test_a_lease_in_the_database_is_of_the_databases_clock(tables):
    """The clocks of two processes at one database are a day apart, either way, and jump while one
    of them has a batch in hand; in three databases.

    The other does not take it, and what its owner knows of it counts. What is given back is taken
    by whoever comes, whatever its clock says.
    """
    wall, other_wall = Wall(), Wall()
    one = DatabaseOutbox(tables.alias, clock=wall)
    other = DatabaseOutbox(tables.alias, clock=other_wall)

    def take(outbox, clock):
        found = outbox.take("paper", limit=10, max_bytes=10**6, now=clock())
        return [item.event_id for item in found], found

    try:
        for number, jump in enumerate((DAY, -DAY, 0.0)):
            wall.offset, other_wall.offset = 0.0, 0.0
            one.put([delivery(f"{number}"), delivery(f"{number}, too")])
            names, batch = take(one, wall)
            assert names == [f"{number}", f"{number}, too"]
            wall.offset, other_wall.offset = -jump, jump
            assert take(other, other_wall)[0] == []
            one.delivered(batch[:1])
            one.retry(batch[1:], at=0.0, attempt=True)
            names, batch = take(other, other_wall)
            assert names == [f"{number}, too"]
            other.delivered(batch)
            assert one.stats().waiting == 0
    finally:
        one.close()
        other.close()


@pytest.mark.fault("D1", "A6")
def test_processes_whose_clock_jumps_go_on_where_they_were(run_shop, sandbox, tmp_path, until):
    """The wall clock of two real processes jumps a day ahead and two days back, each time while a
    batch of one of them is with the other side.

    Nobody takes over what is on its way, nothing expires and nothing gets stuck: everything arrives
    once.
    """
    clock = WallClock(tmp_path)
    shops = [run_shop(environ=clock.environ.items(), TIMEOUT=60) for _ in range(2)]
    for offset in (86_400, -86_400, 0):
        seen = len(sandbox.requests)
        sandbox.inject(Fault.late_answer(0.5))
        until(lambda seen=seen: len(sandbox.requests) > seen)
        clock.set(offset)
        promised = len(shops[0].promised())
        until(lambda promised=promised: len(shops[0].promised()) > promised + 5)
    assert [shop.end() for shop in shops] == [0, 0]
    rest = run_shop(per_second=1, TIMEOUT=60)
    promised = {event_id for shop in shops for event_id in shop.promised()}
    until(lambda: promised <= {found.payload["event_id"] for found in sandbox.accepted()})
    assert rest.end() == 0
    assert [found.payload["event_id"] for found in sandbox.events if found.duplicate] == []
    assert sandbox.refused == []


@pytest.mark.fault("D1")
def test_a_clock_that_begins_in_1970_and_jumps_to_today_stops_nothing(
    run_shop, sandbox, tmp_path, until
):
    """The clock of a machine stands in 1970 when a process starts, captures events and cannot send
    them, and jumps to today.

    What happens from then on arrives within seconds, once each. What was captured before has a time
    that nobody can know, and becomes a dead letter.
    """
    sandbox.inject(Fault.server_error(times=3))
    clock = WallClock(tmp_path)
    clock.set(int(-time.time()) + 600)
    shop = run_shop(environ=clock.environ.items())
    until(lambda: len(shop.promised()) > 5)
    until(lambda: len(sandbox.requests) >= 1)
    clock.set(0)
    jumped = time.monotonic()
    early = len(shop.promised())
    until(lambda: len(shop.promised()) > early + 20)
    until(lambda: shop.promised()[early + 20] in sent(sandbox))
    assert time.monotonic() - jumped < 30
    assert shop.end() == 0
    late = shop.promised()[early + 5 :]
    rest = run_shop(per_second=1)
    until(lambda: set(late) <= set(sent(sandbox)))
    assert rest.end() == 0
    assert not any(found.duplicate for found in sandbox.events)


def sent(sandbox):
    return [found.payload["event_id"] for found in sandbox.accepted()]
