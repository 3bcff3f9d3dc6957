"""What every outbox has to do: an event is taken in once."""

from __future__ import annotations

import pytest

from tests.core.paper import NOW, Clock, delivery
from tests.outbox.conforming import HOURS, ids, put, take


def test_an_event_is_taken_in_once_for_each_destination_name_and_id(outbox):
    put(outbox, "1")
    put(outbox, "2")
    put(outbox, "1", name="Lead")
    put(outbox, "1", destination="other")
    stored = outbox.put([delivery("1"), delivery("3"), delivery("3")])
    assert ids(stored.duplicates) == ["1", "3"]
    assert outbox.stats().waiting == 5


@pytest.mark.parametrize("settle", ["nothing", "delivered", "dead", "retry"])
def test_a_duplicate_is_known_for_48_hours_whatever_became_of_the_event(new, settle):
    clock = Clock()
    outbox = new(clock=clock)
    put(outbox, "1")
    batch = take(outbox)
    if settle == "delivered":
        outbox.delivered(batch)
    elif settle == "dead":
        outbox.dead(batch, reason="refused")
    elif settle == "retry":
        outbox.retry(batch, at=NOW, attempt=True)
    clock.advance(47.9 * HOURS)
    assert ids(outbox.put([delivery("1")]).duplicates) == ["1"]
    clock.advance(0.2 * HOURS)
    assert not outbox.put([delivery("1")]).duplicates


def test_a_duplicate_does_not_prolong_the_memory(new):
    clock = Clock()
    outbox = new(clock=clock)
    put(outbox, "1")
    clock.advance(40 * HOURS)
    assert outbox.put([delivery("1")]).duplicates
    clock.advance(9 * HOURS)
    assert not outbox.put([delivery("1")]).duplicates
