"""What every outbox has to do: deliveries are put, taken and settled."""

from __future__ import annotations

import pytest

from capi_plugins.outbox.immediate import ImmediateOutbox
from capi_plugins.outbox.memory import MemoryOutbox
from capi_plugins.outbox.sqlite import SqliteOutbox
from capi_plugins.testing.contracts import OutboxContract
from capi_plugins.testing.outbox_trial import delivery
from tests.core.paper import NOW, Clock
from tests.outbox.conforming import HOURS, ids, put, take


class TestContract(OutboxContract):
    @pytest.fixture(autouse=True)
    def maker(self, new):
        self.new = new

    def make(self, clock):
        return self.new(clock=clock)


def test_a_full_outbox_refuses_and_takes_again_when_there_is_room(bounded):
    outbox = bounded(max_deliveries=2)
    stored = outbox.put([delivery(event_id) for event_id in "1234"])
    assert ids(stored.refused) == ["3", "4"]
    batch = take(outbox)
    assert ids(outbox.put([delivery("5")]).refused) == ["5"]
    outbox.delivered(batch)
    put(outbox, "3", "4")


def test_a_retry_always_finds_its_room(bounded):
    outbox = bounded(max_deliveries=1)
    put(outbox, "1")
    batch = take(outbox)
    assert outbox.put([delivery("2")]).refused
    outbox.retry(batch, at=NOW, attempt=True)
    assert ids(take(outbox)) == ["1"]


def test_the_limit_in_bytes_counts_payloads(bounded):
    outbox = bounded(max_bytes=100)
    put(outbox, "1", payload=b"x" * 60)
    assert outbox.put([delivery("2", payload=b"x" * 41)]).refused
    put(outbox, "3", payload=b"x" * 40)
    outbox.dead(take(outbox, limit=1), reason="refused")
    put(outbox, "4", payload=b"x" * 60)


def test_a_refused_event_may_come_again(bounded):
    outbox = bounded(max_deliveries=1)
    put(outbox, "1")
    assert outbox.put([delivery("2")]).refused
    outbox.delivered(take(outbox))
    put(outbox, "2")


def test_only_the_immediate_outbox_is_sent_by_who_fills_it():
    assert MemoryOutbox.inline is SqliteOutbox.inline is False
    assert ImmediateOutbox.inline is True


def test_only_the_sqlite_outbox_outlives_its_process():
    assert MemoryOutbox.durable is ImmediateOutbox.durable is False
    assert SqliteOutbox.durable is True


def test_memory_keeps_the_newest_thousand_dead_letters():
    outbox = MemoryOutbox(clock=Clock())
    put(outbox, *map(str, range(1100)))
    outbox.dead(take(outbox, limit=2000), reason="refused")
    assert outbox.stats().dead == 1000


def test_a_repr_of_a_delivery_holds_no_payload():
    assert "jane" not in repr(delivery("1", payload=b"jane@example.com"))


def kill(outbox, *event_ids, reason="refused"):
    put(outbox, *event_ids)
    outbox.dead(take(outbox), reason=reason)


@pytest.mark.parametrize("days", [7, 0.5])
def test_dead_letters_go_after_their_retention_though_nothing_is_sent(new, days):
    clock = Clock()
    outbox = new(clock=clock, **({} if days == 7 else {"retention": days * 24 * HOURS}))
    kill(outbox, "1")
    clock.advance(days * 24 * HOURS - 10)
    kill(outbox, "2")
    look(outbox)
    assert outbox.stats().dead == 2
    clock.advance(20)
    look(outbox)
    assert ids(letter.delivery for letter in outbox.dead_letters(10)) == ["2"]
    assert outbox.stats().dead == 1


def look(outbox):
    """Look into it as a sender does that has had nothing to do for hours."""
    relay, tidying = (getattr(outbox, part, None) for part in ("_relay", "_tidying"))
    for who, name in ((outbox, "_pruned"), (relay, "_pruned"), (tidying, "_tidied")):
        if hasattr(who, name):
            setattr(who, name, getattr(who, name) - 4000)
    outbox.next_due("paper")
