"""What every outbox has to do: deliveries are put, taken and settled."""

from __future__ import annotations

import pytest

from capi_plugins.outbox.immediate import ImmediateOutbox
from capi_plugins.outbox.memory import MemoryOutbox
from capi_plugins.outbox.sqlite import SqliteOutbox
from tests.core.paper import NOW, Clock, delivery
from tests.outbox.conforming import HOURS, ids, put, take


def test_what_is_put_is_taken_oldest_first(outbox):
    put(outbox, "1", "2")
    put(outbox, "3", expires_at=NOW + 60)
    batch = take(outbox)
    assert ids(batch) == ["1", "2", "3"]
    assert [item.attempts for item in batch] == [0, 0, 0]
    assert batch[2].expires_at == NOW + 60
    assert batch[0].payload == b'{"id": "1"}'
    assert (batch[0].destination, batch[0].event_name) == ("paper", "Purchase")
    assert len({item.key for item in batch}) == 3
    assert None not in {item.key for item in batch}


def test_payloads_may_be_any_bytes(outbox):
    payload = bytes(range(256))
    put(outbox, "1", payload=payload)
    assert take(outbox)[0].payload == payload


def test_an_empty_outbox_gives_nothing(outbox):
    assert take(outbox) == []
    assert outbox.next_due("paper") is None
    assert list(outbox.waiting_for()) == []
    assert (outbox.stats().waiting, outbox.stats().dead, outbox.stats().oldest) == (0, 0, None)
    assert outbox.put([]).refused == ()


def test_destinations_do_not_see_each_other(outbox):
    put(outbox, "1")
    put(outbox, "2", destination="other")
    assert ids(take(outbox)) == ["1"]
    assert ids(take(outbox, "other")) == ["2"]
    assert take(outbox, "nobody") == []


def test_a_batch_has_a_limit_in_count(outbox):
    put(outbox, *"12345")
    assert ids(take(outbox, limit=2)) == ["1", "2"]
    assert ids(take(outbox, limit=2)) == ["3", "4"]
    assert ids(take(outbox, limit=2)) == ["5"]


def test_a_batch_has_a_limit_in_bytes(outbox):
    for event_id, size in zip("1234", (40, 60, 1, 500), strict=True):
        put(outbox, event_id, payload=b"x" * size)
    assert ids(take(outbox, max_bytes=100)) == ["1", "2"]
    assert ids(take(outbox, max_bytes=100)) == ["3"]


def test_a_delivery_larger_than_a_batch_is_taken_alone(outbox):
    put(outbox, "1", payload=b"x" * 500)
    put(outbox, "2")
    assert ids(take(outbox, max_bytes=100)) == ["1"]
    assert ids(take(outbox, max_bytes=100)) == ["2"]


def test_what_is_taken_is_leased_until_it_is_settled(outbox):
    put(outbox, "1", "2")
    batch = take(outbox)
    assert take(outbox) == []
    assert outbox.stats().waiting == 2
    assert outbox.next_due("paper") is None
    outbox.delivered(batch[:1])
    assert outbox.stats().waiting == 1
    outbox.delivered(batch[1:])
    assert outbox.stats().waiting == 0


def test_a_retry_comes_back_when_it_is_due(outbox):
    put(outbox, "1")
    outbox.retry(take(outbox), at=NOW + 30, attempt=True)
    assert outbox.next_due("paper") == NOW + 30
    assert list(outbox.waiting_for()) == ["paper"]
    assert take(outbox, now=NOW + 29.9) == []
    (again,) = take(outbox, now=NOW + 30)
    assert again.attempts == 1
    assert outbox.stats().waiting == 1


def test_only_some_retries_count_as_an_attempt(outbox):
    put(outbox, "1")
    for attempt, total in ((True, 1), (False, 1), (True, 2), (False, 2)):
        outbox.retry(take(outbox), at=NOW, attempt=attempt)
        (again,) = take(outbox)
        assert again.attempts == total
        outbox.retry([again], at=NOW, attempt=False)


def test_the_next_due_is_the_earliest(outbox):
    put(outbox, "1", "2", "3")
    one, two, three = take(outbox)
    outbox.retry([one], at=NOW + 50, attempt=True)
    outbox.retry([two], at=NOW + 10, attempt=True)
    outbox.retry([three], at=NOW + 30, attempt=True)
    assert outbox.next_due("paper") == NOW + 10
    assert ids(take(outbox, now=NOW + 40)) == ["2", "3"]
    assert outbox.next_due("paper") == NOW + 50


def test_fresh_deliveries_are_due_at_once(outbox):
    put(outbox, "1")
    outbox.retry(take(outbox), at=NOW + 50, attempt=True)
    put(outbox, "2")
    assert outbox.next_due("paper") <= NOW
    assert ids(take(outbox)) == ["2"]


def test_a_dead_letter_is_counted_and_never_taken(outbox):
    put(outbox, "1", "2")
    outbox.dead(take(outbox, limit=1), reason="refused")
    assert (outbox.stats().waiting, outbox.stats().dead) == (1, 1)
    assert ids(take(outbox, now=NOW + 365 * 24 * HOURS)) == ["2"]


@pytest.mark.parametrize("first", ["delivered", "retry", "dead"])
@pytest.mark.parametrize("second", ["delivered", "retry", "dead"])
def test_a_delivery_is_settled_once(outbox, first, second):
    more = {
        "delivered": {},
        "retry": {"at": NOW + 60, "attempt": True},
        "dead": {"reason": "refused"},
    }
    put(outbox, "1")
    batch = take(outbox)
    getattr(outbox, first)(batch, **more[first])
    before = outbox.stats()
    getattr(outbox, second)(batch, **more[second])
    assert outbox.stats() == before
    again = take(outbox, now=NOW + 60)
    assert ids(again) == (["1"] if first == "retry" else [])


def test_settling_what_was_never_put_does_nothing(outbox):
    put(outbox, "1")
    outbox.delivered([delivery("9")])
    outbox.dead([delivery("9")], reason="x")
    outbox.retry([delivery("9")], at=NOW, attempt=True)
    assert ids(take(outbox)) == ["1"]


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


def test_the_oldest_is_told(new):
    clock = Clock()
    outbox = new(clock=clock)
    put(outbox, "1")
    clock.advance(10)
    put(outbox, "2")
    assert outbox.stats().oldest == NOW
    outbox.delivered(take(outbox, limit=1))
    assert outbox.stats().oldest == NOW + 10


def test_only_the_immediate_outbox_is_sent_by_who_fills_it():
    assert MemoryOutbox.inline is SqliteOutbox.inline is False
    assert ImmediateOutbox.inline is True


def test_only_the_sqlite_outbox_outlives_its_process():
    assert MemoryOutbox.durable is ImmediateOutbox.durable is False
    assert SqliteOutbox.durable is True


def test_what_ends_with_the_process_is_told(outbox):
    put(outbox, "1")
    assert outbox.stats().in_memory == (0 if outbox.durable else 1)
    assert outbox.stats().problem is None


def test_memory_keeps_the_newest_thousand_dead_letters():
    outbox = MemoryOutbox(clock=Clock())
    put(outbox, *map(str, range(1100)))
    outbox.dead(take(outbox, limit=2000), reason="refused")
    assert outbox.stats().dead == 1000


def test_a_repr_of_a_delivery_holds_no_payload():
    assert "jane" not in repr(delivery("1", payload=b"jane@example.com"))
