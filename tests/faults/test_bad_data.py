"""Data that is huge, deep, circular or broken, and events that come twice."""

from __future__ import annotations

import datetime
import decimal
import json
import os
import subprocess
import sys
import threading
import time

import pytest

from capi_plugins import configure, signals
from capi_plugins.sandbox import Sandbox
from tests.faults.orders import Customers, Orders, copies
from tests.faults.shop_settings import settings
from tests.outbox.other_process import ROOT

MEGABYTE = 1024 * 1024


class Unspeakable:
    def __str__(self):
        raise ValueError("secret@example.com")

    __repr__ = __str__


def deep(levels):
    found = {}
    for _ in range(levels):
        found = {"a": found}
    return found


def circular():
    found = {}
    found["itself"] = found
    return found


def circular_list():
    found = []
    found.append(found)
    return found


BAD = {
    "50 MB of text": lambda: {"description": "x" * (50 * MEGABYTE)},
    "50 MB of a property": lambda: {"properties": {"blob": "x" * (50 * MEGABYTE)}},
    "10,000 levels": lambda: {"properties": {"a": deep(10_000)}},
    "a million keys": lambda: {"properties": {str(number): number for number in range(10**6)}},
    "a million contents": lambda: {"contents": [{"id": "a"}] * 10**6},
    "not a number": lambda: {"value": float("nan"), "predicted_ltv": float("inf")},
    "lone surrogates": lambda: {"content_name": "a\ud800b", "properties": {"\udfff": "\ud800"}},
    "bytes": lambda: {"content_name": b"\xff", "properties": {"raw": b"\x00\xff"}},
    "decimals": lambda: {"value": decimal.Decimal("NaN"), "properties": {"d": decimal.Decimal(2)}},
    "a huge number": lambda: {"value": 10**5000, "num_items": -(10**5000)},
    "itself": lambda: {"properties": circular(), "store_data": circular()},
    "a list of itself": lambda: {"content_ids": circular_list(), "contents": circular_list()},
    "objects that cannot be shown": lambda: {
        "content_name": Unspeakable(),
        "properties": {"a": Unspeakable(), Unspeakable: 1},
        "content_ids": [Unspeakable()],
    },
}


@pytest.mark.fault("D4", "S18")
@pytest.mark.parametrize("bad", BAD)
def test_whatever_is_handed_in_what_leaves_is_sound_and_the_rest_goes_on(bad, sandbox, box, caplog):
    """An event is captured with 50 MB of text, 10,000 levels, a million keys, numbers that are
    none, halves of characters, bytes, circles, or objects that raise when they are looked at.

    Capturing it raises nothing and takes some milliseconds of the processor, however large it is.
    Either the event arrives without what is wrong, or it is dropped
    with a reason. The event after it arrives, and no log shows what was in it.
    """
    dropped = []

    def receiver(sender, *, reason, **_):
        dropped.append(reason)

    data = BAD[bad]()
    client = configure(settings(sandbox.url, box))
    lead = {"user_data": {"email": "ada@example.com"}, "action_source": "system_generated"}
    client.track("Lead", event_id="warm", **lead)
    with signals.event_dropped.connected_to(receiver):
        began = time.thread_time()  # others use the machine too
        client.track("Lead", event_id="bad", custom_data=data, **lead)
        took = time.thread_time() - began
    client.track("Lead", event_id="good", **lead)
    assert took < 0.02, took
    assert client.flush(20), client.stats()
    arrived = {event.payload["event_id"] for event in sandbox.accepted()}
    assert {"warm", "good"} <= arrived
    # Conservation: what does not arrive is told.
    assert len(dropped) == ("bad" not in arrived)
    assert client.stats().waiting == client.stats().dead == 0
    assert sandbox.refused == []
    assert all(event.payload == json.loads(json.dumps(event.payload)) for event in sandbox.events)
    assert "secret@example.com" not in caplog.text + str(dropped)
    client.close()


@pytest.mark.fault("D5")
def test_an_order_that_is_sent_in_twice_is_one_event(sandbox, tmp_path, box):
    """Sixteen customers send in the same order at the same moment, to two workers.

    Every one of them is answered, one event is stored and sent, and another one later is none.
    """
    orders = Orders(tmp_path, sandbox.url, box)
    try:
        server = orders.serve("gunicorn -w 2 --threads 4")
        ready = threading.Barrier(16)
        answers = []

        def order():
            ready.wait(20)
            answers.append(server.get("/order/same/"))

        threads = [threading.Thread(target=order) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert len(answers) == 16 and set(answers) <= {200, 202}
        sandbox.wait_for(1)
        assert server.get("/order/same/") in (200, 202)
        customers = Customers(server)
        customers.come(1)
        sandbox.wait_for(2)
        assert set(copies(sandbox)) == {"same", *customers.acknowledged}
        assert len(sandbox.events) == 2
    finally:
        orders.close()


@pytest.mark.fault("D5")
def test_the_copy_of_the_browser_counts_once_with_that_of_the_server(sandbox, box):
    """The browser has sent an event under the id that the server uses as well.

    Both are let in, and one counts.
    """
    purchase = {
        "event_name": "Purchase",
        "event_id": "order-1",
        "custom_data": {"value": 5, "currency": "EUR"},
        "user_data": {"email": "ada@example.com"},
        "action_source": "website",
        "event_source_url": "https://shop.example/",
    }
    for where in ("memory", box):
        client = configure(settings(sandbox.url, str(where) if where == "memory" else where))
        name, *_ = [purchase["event_name"]]
        fields = {key: value for key, value in purchase.items() if key != "event_name"}
        fields["user_data"] = {"email": "ada@example.com", "client_user_agent": "Firefox"}
        client.track(name, **fields)
        assert client.flush(20)
        client.close()
    assert [event.status for event in sandbox.events] == ["accepted", "duplicate"]


ZONES = ["UTC", "America/New_York", "Pacific/Kiritimati", "Asia/Kathmandu"]
CODE = """
import datetime, json, sys
from capi_plugins import configure

client = configure(json.loads(sys.argv[1]))
moments = {
    # The hour that New York has twice, and the one it has not.
    "twice": datetime.datetime(2025, 11, 2, 1, 30, tzinfo=datetime.timezone.utc),
    "aware": datetime.datetime(2025, 11, 3, 12, tzinfo=datetime.timezone(
        datetime.timedelta(hours=5, minutes=45))),
    "iso": "2025-11-03T12:00:00+14:00",
    "zulu": "2025-11-03T12:00:00.250Z",
    "seconds": 1762171200,
    "milliseconds": 1762171200123,
    "naive": datetime.datetime(2025, 11, 3, 12),
}
for name, moment in moments.items():
    client.track("Lead", event_id=name, event_time=moment, action_source="system_generated",
                 user_data={"email": "ada@example.com"})
assert client.flush(30), client.stats()
"""
EXPECTED = {
    "twice": 1762047000,
    "aware": 1762150500,
    "iso": 1762120800,
    "zulu": 1762171200,
    "seconds": 1762171200,
    "milliseconds": 1762171200,
    # What says nothing of a zone is taken for UTC, wherever the process runs.
    "naive": 1762171200,
}


@pytest.mark.fault("D2")
@pytest.mark.parametrize("zone", ZONES)
def test_the_time_of_an_event_is_the_same_in_every_zone(zone, box, tmp_path):
    """Processes in four time zones capture events with times of all kinds: with and without a zone,
    in the hour that comes twice in autumn, in seconds and in milliseconds.

    What arrives is the same moment, in seconds since the epoch, whatever the zone of the process.
    """
    now = datetime.datetime(2025, 11, 4, tzinfo=datetime.UTC).timestamp()
    with Sandbox(clock=lambda: now) as sandbox:
        clock = _clock_at(tmp_path, now)
        done = subprocess.run(
            [sys.executable, "-c", CODE, json.dumps(settings(sandbox.url, box))],
            env={**os.environ, "PYTHONPATH": str(ROOT), "TZ": zone, **clock.environ},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        assert {
            event.payload["event_id"]: event.payload["event_time"] for event in sandbox.accepted()
        } == EXPECTED


def _clock_at(folder, now):
    from tests.faults.clocks import WallClock

    clock = WallClock(folder)
    clock.set(int(now - time.time()))
    return clock


@pytest.mark.fault("D2")
def test_the_year_2038_is_a_year_like_others(box, tmp_path):
    """A process captures, fails to send and tries again when the seconds since the epoch have
    outgrown 31 bits.

    The event arrives with its own time.
    """
    from capi_plugins.sandbox import Fault

    now = 2**31 + 1000
    with Sandbox(clock=lambda: now) as sandbox:
        clock = _clock_at(tmp_path, now)
        sandbox.inject(Fault.server_error())
        code = """
import json, sys
from capi_plugins import configure
client = configure(json.loads(sys.argv[1]))
client.track("Lead", event_id="late", action_source="system_generated",
             user_data={"email": "ada@example.com"})
assert client.flush(30), client.stats()
"""
        subprocess.run(
            [sys.executable, "-c", code, json.dumps(settings(sandbox.url, box))],
            env={**os.environ, "PYTHONPATH": str(ROOT), **clock.environ},
            check=True, timeout=60,
        )  # fmt: skip
        [event] = sandbox.accepted()
        assert abs(event.payload["event_time"] - now) < 60
