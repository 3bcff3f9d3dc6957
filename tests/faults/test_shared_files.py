"""Several versions of the package, and several apps, at one file."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from pathlib import Path

import pytest

from capi_plugins import configure
from tests.faults.shop_process import event
from tests.faults.shop_settings import settings

VERSION_1 = (Path(__file__).parents[1] / "data" / "outbox_version_1.sql").read_text()
PUT = """
INSERT INTO delivery
    (destination, event_name, event_id, payload, expires_at, attempts, put_at)
VALUES ('meta', 'Purchase', ?, ?, NULL, 0, ?)
"""
LOOK = "SELECT event_id, payload FROM delivery WHERE destination = 'meta' AND reason IS NULL"


def put(path, event_id):
    """Store an event as version 1 does."""
    payload = {
        "event_name": "Purchase",
        "event_time": int(time.time()),
        "event_id": event_id,
        "action_source": "website",
        "event_source_url": "https://shop.example/",
        "user_data": {"em": ["0" * 64], "client_user_agent": "curl"},
        "custom_data": {"value": 5, "currency": "EUR"},
    }
    with contextlib.closing(sqlite3.connect(path, timeout=20)) as connection:
        connection.execute(PUT, (event_id, json.dumps(payload).encode(), time.time()))
        connection.commit()


def look(path):
    """Look for what waits as version 1 does."""
    with contextlib.closing(sqlite3.connect(path, timeout=20)) as connection:
        return {event_id: json.loads(payload) for event_id, payload in connection.execute(LOOK)}


def arrived(sandbox):
    return {found.payload["event_id"] for found in sandbox.accepted()}


@pytest.mark.fault("D9", "B11")
def test_a_version_before_and_this_one_use_one_file_at_once(sandbox, box):
    """During a rolling deployment a process with the first version of the file format and one with
    this version use one file; the second is played by the format as it was, kept word for word.

    What the first stored this version sends, also while it runs; what this version stores the first
    can read. Nothing is moved aside or refused.
    """
    box.parent.mkdir(mode=0o700)
    box.touch(mode=0o600)
    with contextlib.closing(sqlite3.connect(box)) as connection:
        connection.executescript(VERSION_1)
    put(box, "before")
    client = configure(settings(sandbox.url, box, WORKER="external"))
    client.capture(event("stored-by-this"))
    assert set(look(box)) == {"before", "stored-by-this"}
    assert look(box)["stored-by-this"]["custom_data"] == {"value": 10, "currency": "EUR"}
    client.close()
    client = configure(settings(sandbox.url, box))
    client.capture(event("sent"))
    sandbox.wait_for(3)
    put(box, "meanwhile")
    # A process looks for what others have stored once a minute, and with each event of its own.
    client.capture(event("next"))
    sandbox.wait_for(5, timeout=30)
    assert client.flush(30)
    assert client.stats().problem is None
    client.close()
    assert arrived(sandbox) == {"before", "stored-by-this", "sent", "meanwhile", "next"}
    assert len(sandbox.events) == 5
    assert list(box.parent.glob("*corrupt*")) == []


@pytest.mark.fault("D10")
def test_two_apps_at_one_file_keep_to_their_own_destinations(sandbox, box):
    """Two apps are given the same file by mistake, with destinations of different names.

    Neither sends what is the other's, though it sees it wait; each sends its own.
    """
    one = settings(sandbox.url, box)
    two = settings(sandbox.url, box)
    two["DESTINATIONS"] = {"other": {**one["DESTINATIONS"]["meta"], "KIND": "meta"}}
    two["DESTINATIONS"]["other"]["DATASET_ID"] = "9876543210"
    first = configure({**one, "DELIVERY": {**one["DELIVERY"], "WORKER": "external"}})
    first.capture(event("of-the-first"))
    first.close()
    second = configure(two)
    second.capture(event("of-the-second"))
    sandbox.wait_for(1)
    second.flush(2)
    assert second.stats().waiting == 1
    second.close()
    assert arrived(sandbox) == {"of-the-second"}
    first = configure(one)
    assert first.flush(20)
    first.close()
    assert {(found.dataset, found.payload["event_id"]) for found in sandbox.events} == {
        ("9876543210", "of-the-second"),
        ("1234567890", "of-the-first"),
    }
    assert len(sandbox.events) == 2


@pytest.mark.fault("D10")
def test_the_database_of_another_program_is_left_alone(sandbox, box, caplog):
    """The settings name a SQLite file that another program keeps its data in.

    Not one byte of it changes. The host notices nothing; events are kept in memory and sent, and
    the log says what to do.
    """
    box.parent.mkdir(mode=0o700)
    box.touch(mode=0o600)
    with contextlib.closing(sqlite3.connect(box)) as connection:
        connection.execute("CREATE TABLE precious (thing TEXT)")
        connection.execute("INSERT INTO precious VALUES ('mine')")
        connection.commit()
    before = box.read_bytes()
    client = configure(settings(sandbox.url, box))
    client.capture(event("1"))
    sandbox.wait_for(1)
    assert "it belongs to another program" in client.stats().problem + caplog.text
    client.close()
    assert box.read_bytes() == before
