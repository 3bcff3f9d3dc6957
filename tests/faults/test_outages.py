"""The other side is out of reach, out of order or slow, for moments and for hours."""

from __future__ import annotations

import itertools
import json
import os
import socket
import threading
import time

import pytest

from capi_plugins import signals
from capi_plugins.outbox.base import Delivery
from capi_plugins.sandbox import Fault, Sandbox
from tests.core.paper import Clock
from tests.core.test_http import Server, answer
from tests.faults.shop_settings import settings
from tests.faults.small_shop import SmallShop, accepted, arrived, until

BACKLOG = 50_000 if "CAPI_STORM_ROUNDS" in os.environ else 2_000
"""Seconds: a commit of a busy machine, and no wait for a network."""
DAY = 86_400


@pytest.fixture
def clock():
    return Clock(time.time())


@pytest.fixture
def waits(clock):
    """How long each failed batch has to wait, seconds."""
    found = []

    def hear(sender, *, deliveries, outcome, at):
        found.append(at - clock())

    with signals.delivery_retried.connected_to(hear):
        yield found


def raw(event_id, **fields):
    """An event as it lies in the outbox."""
    payload = b'{"event_name":"Lead","event_time":%d,"event_id":"%s","action_source":"email",'
    payload += (
        b'"user_data":{"em":["973dfe463ec85785f5f95af5ba3906eedb2d931c24e69824a89ea65dba4e813b"]}}'
    )
    made = payload % (int(time.time()), event_id.encode())
    return Delivery(
        destination="meta", event_name="Lead", event_id=event_id, payload=made, **fields
    )


@pytest.mark.fault("C1")
def test_an_outage_of_hours_costs_no_event(box, clock, waits):
    """Nothing listens there for two hours, while events come in.

    It is asked again after waits that grow to five minutes at most, no event is given up, and all
    arrive once when it listens again.
    """
    with Sandbox(clock=clock) as sandbox:
        sandbox.stop()
        shop = SmallShop(settings(sandbox.url, box, WORKER="external"), clock)
        for number in range(720):
            if number % 72 == 0:
                shop.lead(f"lead-{number}")
            shop.drain()
            clock.advance(10)
        assert 20 < len(waits) < 200
        assert all(0 <= wait <= min(300, 2**number) for number, wait in enumerate(waits))
        assert shop.stats.waiting == 10
        sandbox.start()
        clock.advance(301)
        shop.drain()
        assert len(accepted(sandbox)) == 10
        assert (shop.stats.waiting, shop.stats.dead) == (0, 0)
        assert shop.unhindered, shop.took
        shop.close()


FAILURES = {
    "out of order": Fault.server_error(times=20),
    "an unknown error": Fault.error(1, status=500, times=20),
    "a proxy's page": Fault.server_error(html=True, times=20),
    "a network's page": Fault.html(200, "Please sign in", times=20),
    "a proxy's refusal": Fault.html(400, "Bad request", times=20),
}


@pytest.mark.fault("C10", "C11")
@pytest.mark.parametrize("failure", FAILURES)
def test_twenty_server_errors_cost_no_event(open_shop, sandbox, clock, waits, failure):
    """Twenty requests in a row are answered with HTTP 503 or 500, Meta's own and a proxy's page, or
    with HTTP 200 and 400 and the page of a proxy or of a network that wants somebody to sign in.

    The waits in between are random and grow, and the event arrives with the first request after.
    """
    sandbox.inject(FAILURES[failure])
    shop = open_shop(clock=clock, WORKER="external")
    shop.lead("1")
    for _ in range(21):
        shop.drain()
        clock.advance(301)
    assert accepted(sandbox) == ["1"]
    assert len(waits) == 20
    assert all(0 <= wait <= min(300, 2**number) for number, wait in enumerate(waits))
    assert sum(waits[:8]) < sum(waits[12:])
    assert len({round(wait, 3) for wait in waits[12:]}) > 6
    assert len(sandbox.requests) == 21


@pytest.mark.fault("C10", "C13")
def test_an_event_that_the_server_fails_at_holds_up_nobody(box, clock):
    """The server answers HTTP 500 to every request with a certain event in it, and says nothing of
    why, while others wait and come.

    Fewer are sent at once after a while, so that the others arrive, each of them once.
    """

    def handle(connection, server):
        events = json.loads(server.requests[-1].partition(b"\r\n\r\n")[2])["data"]
        ids = [event["event_id"] for event in events]
        if "bad" in ids:
            connection.sendall(answer(b'{"error":{"code":1,"message":"?"}}', "500 Error"))
            return True
        passed.extend(ids)
        connection.sendall(answer(json.dumps({"events_received": len(ids)}).encode()))
        return True

    passed = []
    server = Server(handle)
    url = server.url.removesuffix("/events")
    shop = SmallShop(settings(url, box, WORKER="external"), clock)
    try:
        shop.lead(*map(str, range(50)), "bad", *map(str, range(50, 100)))
        for number in range(100, 120):
            shop.drain()
            clock.advance(301)
            shop.lead(str(number))
        assert len(passed) > 90
        for _ in range(20):
            shop.drain()
            clock.advance(301)
        assert sorted(passed, key=int) == [str(number) for number in range(120)]
        assert (shop.stats.waiting, shop.stats.dead) == (1, 0)
    finally:
        shop.close()
        server.close()


@pytest.mark.fault("C15")
def test_an_event_that_grew_too_old_stays_behind_alone(box, clock):
    """An event waits through an outage until Meta would not take it any more, another comes later.

    The old one is a dead letter that says so, and was in no request; the other arrives.
    """
    with Sandbox(clock=clock) as sandbox:
        sandbox.stop()
        shop = SmallShop(settings(sandbox.url, box, WORKER="external"), clock)
        shop.lead("old")
        shop.drain()
        clock.advance(7 * DAY - 30)
        shop.lead("new")
        sandbox.start()
        shop.drain()
        assert arrived(sandbox) == {"new": 1}
        assert not sandbox.refused
        (letter,) = shop.client.delivering.outbox.dead_letters(10)
        assert (letter.delivery.event_id, letter.reason.split(":")[0]) == ("old", "expired")
        shop.close()


@pytest.mark.fault("C6")
def test_a_name_that_is_looked_up_for_ever_holds_up_nobody(open_shop, sandbox, monkeypatch):
    """The look-up of the host's name does not return while events come and the process ends.

    Capturing is as quick as ever, the end comes in time, nothing is lost, and all arrive once the
    name is found.
    """
    found = threading.Event()
    real = socket.getaddrinfo

    def getaddrinfo(host, *arguments, **more):
        if host in ("localhost", b"localhost"):
            found.wait(60)
        return real(host, *arguments, **more)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    url = sandbox.url.replace("127.0.0.1", "localhost")
    try:
        shop = open_shop(url=url, EXIT_TIMEOUT=0.2)
        shop.lead(*map(str, range(10)))
        assert shop.unhindered, shop.took
        began = time.monotonic()
        assert shop.client.flush(0.2).waiting == 10
        shop.client.close()
        assert time.monotonic() - began < 2
    finally:
        found.set()
    again = open_shop(url=url)
    again.lead("last")
    until(lambda: len(accepted(sandbox)) == 11)


@pytest.mark.fault("C19")
def test_a_destination_that_is_down_does_not_delay_another(box, sandbox):
    """Two destinations; one takes requests and never answers.

    What goes to the other arrives within a second of being captured, and what goes to the first
    waits.
    """
    with Sandbox() as deaf:
        deaf.inject(Fault.hang(times=None))
        wanted = settings(sandbox.url, box, TIMEOUT=20, EXIT_TIMEOUT=0)
        wanted["DESTINATIONS"]["deaf"] = {
            **wanted["DESTINATIONS"]["meta"], "KIND": "meta", "API_URL": deaf.url
        }  # fmt: skip
        shop = SmallShop(wanted)
        delays = []
        for number in range(20):
            began = time.time()
            shop.lead(str(number))
            event = sandbox.wait_for(number + 1, 20)[-1]
            delays.append(event.received_at - began)
        assert sorted(delays)[18] < 1
        assert shop.unhindered, shop.took
        until(lambda: shop.stats.waiting == 20)
        assert not deaf.events
        deaf.clear_faults()
        until(lambda: len(accepted(deaf)) == 20)
        until(lambda: shop.stats.waiting == 0)
        shop.close()


@pytest.mark.fault("C20")
@pytest.mark.parametrize("outbox", ["sqlite", "memory"])
def test_a_backlog_leaves_at_a_measured_pace_and_holds_up_nothing_new(open_shop, sandbox, outbox):
    """Two thousand events wait when the other side comes back, or 50,000 in `make storm`, and new
    ones come then.

    No second has more requests than ten and a few, the new events are in the first of them, and
    everything arrives once.
    """
    sandbox.stop()
    shop = open_shop(
        outbox="memory" if outbox == "memory" else None,
        BATCH_SIZE=min(BACKLOG // 40, 1000),
        QUEUE_SIZE=100_000,
    )
    shop.client.delivering.put([raw(f"old-{number}") for number in range(BACKLOG)])
    until(lambda: shop.client.delivering._process().worker._lane("meta").failures)
    new = [f"new-{number}" for number in range(5)]
    shop.lead(*new)
    sandbox.start()
    until(lambda: len(accepted(sandbox)) == BACKLOG + 5, 60)
    times = [request.received_at for request in sandbox.requests]
    busiest = max(sum(0 <= at - start < 1 for at in times) for start in times)
    assert busiest <= 13
    first = itertools.chain.from_iterable(request.events for request in sandbox.requests[:4])
    assert set(new) <= {event.payload["event_id"] for event in first}
    assert shop.stats.dead == 0


@pytest.mark.fault("C21")
def test_slow_answers_cost_time_and_nothing_else(open_shop, sandbox):
    """Every answer takes half a second while a hundred events come in.

    A full batch leaves with each answer, and capturing waits for none of them.
    """
    sandbox.inject(Fault.late_answer(0.5, times=None))
    shop = open_shop(BATCH_SIZE=20)
    began = time.monotonic()
    shop.lead(*map(str, range(100)))
    assert shop.unhindered, shop.took
    until(lambda: shop.stats.waiting == 0)
    took = time.monotonic() - began
    assert len(accepted(sandbox)) == sum(arrived(sandbox).values()) == 100
    assert len(sandbox.requests) <= 8
    assert took < len(sandbox.requests) * 0.5 + 3
