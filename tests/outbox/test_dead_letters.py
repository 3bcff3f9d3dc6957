"""What every outbox has to do with what is not tried again by itself."""

from __future__ import annotations

import pytest

from tests.core.paper import NOW, Clock, delivery
from tests.outbox.conforming import HOURS, ids, put, take


def kill(outbox, *event_ids, reason="refused"):
    put(outbox, *event_ids)
    outbox.dead(take(outbox), reason=reason)


def test_dead_letters_are_listed_the_newest_first(new):
    clock = Clock()
    outbox = new(clock=clock)
    kill(outbox, "1", reason="expired")
    clock.advance(5)
    kill(outbox, "2", reason="refused")
    letters = outbox.dead_letters(10)
    assert [letter.reason for letter in letters] == ["refused", "expired"]
    assert [letter.died_at for letter in letters] == [NOW + 5, NOW]
    assert ids(letter.delivery for letter in letters) == ["2", "1"]
    assert letters[0].delivery.payload == delivery("2").payload
    assert ids(letter.delivery for letter in outbox.dead_letters(1)) == ["2"]


def test_a_replayed_letter_is_due_at_once_with_no_attempt_counted(outbox):
    put(outbox, "1")
    outbox.retry(take(outbox), at=NOW, attempt=True)
    outbox.dead(take(outbox), reason="refused")
    (letter,) = outbox.dead_letters(10)
    assert outbox.replay([letter.delivery.key, 99]) == 1
    assert (outbox.stats().waiting, outbox.stats().dead) == (1, 0)
    (again,) = take(outbox)
    assert (again.event_id, again.attempts) == ("1", 0)
    outbox.delivered([again])
    assert outbox.stats().waiting == 0
    assert outbox.replay([letter.delivery.key]) == 0


def test_a_dropped_letter_is_gone_and_its_event_still_a_duplicate(outbox):
    kill(outbox, "1", "2")
    key = outbox.dead_letters(1)[0].delivery.key
    assert outbox.drop([key]) == 1
    assert outbox.drop([key]) == 0
    assert outbox.stats().dead == 1
    assert outbox.put([delivery("2")]).duplicates


def test_what_waits_is_neither_replayed_nor_dropped(outbox):
    put(outbox, "1")
    (item,) = take(outbox)
    outbox.retry([item], at=NOW, attempt=True)
    assert outbox.replay([item.key]) == outbox.drop([item.key]) == 0
    assert take(outbox)[0].attempts == 1


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
    for who, name in ((outbox, "_pruned"), (getattr(outbox, "_tidying", None), "_tidied")):
        if hasattr(who, name):
            setattr(who, name, getattr(who, name) - 4000)
    outbox.next_due("paper")
