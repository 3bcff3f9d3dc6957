"""What every store of held events does, wherever it keeps them."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections import Counter

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capi_plugins.held_store import MOST_EACH, HeldEvent, MemoryHeldStore, room_for
from capi_plugins.outbox.sqlite import SqliteOutbox

HASH = "b4c9a289323b21a01c3e940f150eb9b8c542587f1abfd8f0e1cc1ffc5e475514"
ONE = HeldEvent(
    visitor="ada",
    user="u",
    destination="meta",
    event_name="Purchase",
    event_id="Purchase.1",
    at=1000.0,
    until=2000.0,
    granted='{"em":"☃"}'.encode() + b"\xff" + HASH.encode(),
    limited=b'{"data_processing_options":["LDU"]}',
    expires_at=9000.0,
)


def numbered(number, **changes):
    return attrs.evolve(ONE, event_id=f"Purchase.{number}", **changes)


@pytest.fixture(params=["memory", "sqlite"])
def held_store(request, tmp_path):
    if request.param == "memory":
        yield MemoryHeldStore()
        return
    outbox = SqliteOutbox(tmp_path / "outbox.sqlite3")
    yield outbox.held
    outbox.close()


def test_what_is_held_is_found_whole_and_by_its_visitor_only(held_store):
    assert held_store.find(["ada"]) in ([], ())
    other = attrs.evolve(ONE, visitor="grace", user=None, expires_at=None)
    assert list(held_store.hold([ONE, other])) == []
    assert list(held_store.find(["ada", "nobody"])) == [ONE]
    assert list(held_store.find(["grace"])) == [other]


def test_the_same_event_of_a_visitor_is_held_once(held_store):
    held_store.hold([ONE, ONE])
    assert list(held_store.hold([attrs.evolve(ONE, granted=b"{}")])) == []
    assert list(held_store.find(["ada"])) == [ONE]


def test_of_one_visitor_no_more_are_held_than_may_be(held_store):
    events = [numbered(number) for number in range(MOST_EACH + 2)]
    refused = [*held_store.hold(events[:30]), *held_store.hold(events[30:])]
    assert refused == events[MOST_EACH:]
    assert len(held_store.find(["ada"])) == MOST_EACH
    assert list(held_store.hold([attrs.evolve(ONE, visitor="grace")])) == []


def test_what_is_removed_is_gone(held_store):
    held_store.hold([ONE, numbered(2)])
    held_store.remove([ONE.key, "nothing"])
    assert list(held_store.find(["ada"])) == [numbered(2)]


def test_what_is_over_is_removed_and_returned(held_store):
    held_store.hold([ONE, numbered(2, until=3000.0)])
    assert list(held_store.prune(2500.0)) == [ONE]
    assert list(held_store.prune(2500.0)) == []
    assert list(held_store.find(["ada"])) == [numbered(2, until=3000.0)]


def test_the_oldest_go_when_there_are_too_many(held_store):
    getattr(held_store, "_store", held_store)._most = 3
    for number in range(6):
        held_store.hold([numbered(number, visitor=str(number), until=2000.0 + number)])
    gone = held_store.prune(0.0)
    assert {event.visitor for event in gone} == {"0", "1", "2"}
    left = held_store.find([str(number) for number in range(6)])
    assert {event.visitor for event in left} == {"3", "4", "5"}


def test_a_person_is_erased_and_nobody_else(held_store):
    held_store.hold([ONE, numbered(2, granted=b"{}")])
    assert held_store.forget([HASH, ""]) == 1
    assert held_store.forget([HASH]) == 0
    assert list(held_store.find(["ada"])) == [numbered(2, granted=b"{}")]


events = st.lists(
    st.builds(
        numbered,
        st.integers(0, MOST_EACH + 20),
        visitor=st.sampled_from(["ada", "grace"]),
        until=st.floats(1, 100),
    ),
    max_size=150,
)


@given(batches=st.lists(events, max_size=4))
@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_bounds_hold_whatever_comes(batches):
    store = MemoryHeldStore(most=80)
    for batch in batches:
        refused = store.hold(batch)
        found = store.find(["ada", "grace"])
        counted = Counter(event.visitor for event in found)
        assert all(count <= MOST_EACH for count in counted.values())
        assert len(found) <= 80
        assert {event.key for event in refused}.isdisjoint(event.key for event in found)


@given(batch=events)
def test_an_event_is_new_refused_or_there_already(batch):
    new, refused = room_for(batch, {"ada": {ONE.key}})
    assert len({event.key for event in new}) == len(new)
    known = {ONE.key, *(event.key for event in new), *(event.key for event in refused)}
    assert {event.key for event in batch} <= known


@given(payload=st.binary(max_size=200))
def test_payloads_survive_being_written_down(payload):
    event = attrs.evolve(ONE, granted=payload)
    assert HeldEvent.from_json(event.to_json()) == event


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"granted": 1}', '{"a": "b"}', "null"])
def test_what_is_no_held_event_is_said_to_be_none(text):
    with pytest.raises(ValueError):
        HeldEvent.from_json(text)


def test_processes_share_what_is_held(tmp_path):
    path = tmp_path / "outbox.sqlite3"
    outbox = SqliteOutbox(path)
    outbox.held.hold([ONE])
    code = (
        "import sys; from capi_plugins.outbox.sqlite import SqliteOutbox; "
        "print(SqliteOutbox(sys.argv[1]).held.find(['ada'])[0].to_json())"
    )
    command = [sys.executable, "-c", code, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert HeldEvent.from_json(done.stdout) == ONE
    outbox.close()


def test_a_file_from_before_there_were_held_events_takes_them(tmp_path):
    path = tmp_path / "outbox.sqlite3"
    outbox = SqliteOutbox(path)
    outbox.contexts.find(["a"])
    outbox.close()
    with sqlite3.connect(path) as file:
        file.execute("DROP TABLE IF EXISTS held")
    file.close()
    outbox = SqliteOutbox(path)
    assert list(outbox.held.find(["ada"])) == []
    outbox.held.hold([ONE])
    assert list(outbox.held.find(["ada"])) == [ONE]
    outbox.close()


def test_no_sender_sees_what_is_held(tmp_path):
    outbox = SqliteOutbox(tmp_path / "outbox.sqlite3")
    outbox.held.hold([ONE])
    assert outbox.take("meta", limit=10, max_bytes=10**6, now=5000.0) in ([], ())
    assert outbox.stats().waiting == 0
    outbox.close()
