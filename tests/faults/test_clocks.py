"""The wall clock stands still, or is set a day ahead or back, while events wait."""

from __future__ import annotations

import time

import pytest

from capi_plugins import configure
from capi_plugins.sandbox import Fault, Sandbox

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
    sandbox.wait_for(1, timeout=15)
    lead(client, 2)
    sandbox.wait_for(2, timeout=15)
    wall.offset = 0.0
    lead(client, 3)
    sandbox.wait_for(3, timeout=15)
    assert client.flush(10)
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
    sandbox.wait_for(1, timeout=15)
    lead(client, 2)
    sandbox.wait_for(2, timeout=15)
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
    sandbox.wait_for(1, timeout=20)
    assert client.stats().dead == 0
