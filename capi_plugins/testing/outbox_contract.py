"""What every outbox has to do."""

from __future__ import annotations

import itertools
import threading
import time
import unittest
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import attrs

from capi_plugins.outbox.base import Outbox
from capi_plugins.testing.outbox_trial import SETTLED, Trial, delivery, ids, of

_HOUR = 3600.0
_JANE, _JOHN = "8c87b489", "96d9632f"


class OutboxContract:
    """Subclass it, say how an empty outbox is made, and pytest runs the tests.

    Attributes:
        MOVES_TIME: Whether ``make`` gives the outbox the clock. False: what takes hours is skipped.
        WRITES: How much each of four threads writes.
        PATIENCE: Seconds for all of that.
    """

    MOVES_TIME: ClassVar[bool] = True
    WRITES: ClassVar[int] = 200
    PATIENCE: ClassVar[float] = 60.0

    def make(self, clock: Callable[[], float]) -> Outbox:
        """Return a new, empty outbox.

        Args:
            clock: Seconds since the epoch; tests move it.
        """
        raise NotImplementedError

    # ------------------------------------------------------------------ taking

    def test_what_is_put_is_taken_oldest_first(self) -> None:
        """A batch has what was put, as it was put, each with a key."""
        box = Trial(self.make, moves_time=self.MOVES_TIME)
        box.put("1", "2")
        box.outbox.put([delivery("3", expires_at=box.now + 60)])
        batch = box.take()
        assert ids(batch) == ["1", "2", "3"]
        assert [item.attempts for item in batch] == [0, 0, 0]
        assert batch[2].expires_at == box.now + 60
        assert batch[0].payload == delivery("1").payload
        assert (batch[0].destination, batch[0].event_name) == ("paper", "Purchase")
        assert len({item.key for item in batch} - {None}) == 3, "each delivery has a key"

    def test_payloads_may_be_any_bytes(self) -> None:
        """A payload comes out as it went in."""
        box = Trial(self.make, moves_time=self.MOVES_TIME)
        payload = bytes(range(256))
        box.outbox.put([delivery("1", payload=payload)])
        assert box.take()[0].payload == payload

    def test_an_empty_outbox_gives_nothing(self) -> None:
        """Nothing waits, nothing is due, and that is no error."""
        box = Trial(self.make, moves_time=self.MOVES_TIME)
        assert box.take() == []
        assert box.outbox.next_due("paper") is None
        assert list(box.outbox.waiting_for()) == []
        stats = box.outbox.stats()
        assert (stats.waiting, stats.dead, stats.oldest) == (0, 0, None)
        assert not box.outbox.put([]).refused

    def test_destinations_do_not_see_each_other(self) -> None:
        """A batch is for one destination."""
        box = Trial(self.make, moves_time=self.MOVES_TIME)
        box.outbox.put([delivery("1"), delivery("2", destination="other")])
        assert ids(box.take()) == ["1"]
        assert ids(box.take("other")) == ["2"]
        assert box.take("nobody") == []

    def test_a_batch_has_a_limit_in_count(self) -> None:
        """No batch has more deliveries than were asked for."""
        box = Trial(self.make, moves_time=self.MOVES_TIME)
        box.put(*"12345")
        assert [ids(box.take(limit=2)) for _ in range(3)] == [["1", "2"], ["3", "4"], ["5"]]

    def test_a_batch_has_a_limit_in_bytes(self) -> None:
        """No batch has more bytes than fit, unless its first delivery is larger by itself."""
        box = Trial(self.make, moves_time=self.MOVES_TIME)
        sizes = zip("1234", (40, 60, 1, 500), strict=True)
        for event_id, size in sizes:
            box.outbox.put([delivery(event_id, payload=b"x" * size)])
        assert [ids(box.take(max_bytes=100)) for _ in range(3)] == [["1", "2"], ["3"], ["4"]]

    def test_what_is_taken_is_leased_until_it_is_settled(self) -> None:
        """Nobody is given twice what is in flight; it counts as waiting."""
        box = Trial(self.make, moves_time=self.MOVES_TIME)
        box.put("1", "2")
        batch = box.take()
        assert box.take() == []
        assert box.outbox.stats().waiting == 2
        assert box.outbox.next_due("paper") is None
        box.outbox.delivered(batch[:1])
        assert box.outbox.stats().waiting == 1
        box.outbox.delivered(batch[1:])
        assert box.outbox.stats().waiting == 0

    # ------------------------------------------------------------------ settling

    def test_a_retry_comes_back_when_it_is_due(self) -> None:
        """Not before, and with its attempt counted."""
        box = Trial(self.make, moves_time=self.MOVES_TIME)
        box.put("1")
        box.outbox.retry(box.take(), at=box.now + 30, attempt=True)
        assert box.outbox.next_due("paper") == box.now + 30
        assert list(box.outbox.waiting_for()) == ["paper"]
        assert box.take(later=20) == []
        (again,) = box.take(later=30)
        assert again.attempts == 1
        assert box.outbox.stats().waiting == 1

    def test_only_some_retries_count_as_an_attempt(self) -> None:
        """``attempt`` says which."""
        box = Trial(self.make, moves_time=self.MOVES_TIME)
        box.put("1")
        for attempt, total in ((True, 1), (False, 1), (True, 2), (False, 2)):
            box.outbox.retry(box.take(), at=box.now, attempt=attempt)
            (again,) = box.take()
            assert again.attempts == total
            box.outbox.retry([again], at=box.now, attempt=False)

    def test_the_next_due_is_the_earliest(self) -> None:
        """Of what waits for different times, and what is new is due at once."""
        box = Trial(self.make, moves_time=self.MOVES_TIME)
        box.put("1", "2", "3")
        one, two, three = box.take()
        box.outbox.retry([one], at=box.now + 50, attempt=True)
        box.outbox.retry([two], at=box.now + 10, attempt=True)
        box.outbox.retry([three], at=box.now + 30, attempt=True)
        assert box.outbox.next_due("paper") == box.now + 10
        assert ids(box.take(later=40)) == ["2", "3"]
        assert box.outbox.next_due("paper") == box.now + 50
        box.put("4")
        due = box.outbox.next_due("paper")
        assert due is not None and due <= box.clock()
        assert ids(box.take()) == ["4"]

    def test_a_delivery_is_settled_once(self) -> None:
        """Whatever is said of it afterwards changes nothing."""
        for first, second in itertools.product(SETTLED, repeat=2):
            box = Trial(self.make, moves_time=self.MOVES_TIME)
            box.put("1")
            batch = box.take()
            box.settle(first, batch)
            before = box.outbox.stats()
            box.settle(second, batch)
            assert box.outbox.stats() == before, (first, second)
            again = ids(box.take(later=60))
            assert again == (["1"] if first == "retry" else []), (first, second)

    def test_settling_what_was_never_put_does_nothing(self) -> None:
        """It is no error either."""
        box = Trial(self.make, moves_time=self.MOVES_TIME)
        box.put("1")
        for how in SETTLED:
            box.settle(how, [delivery("9")])
        assert ids(box.take()) == ["1"]

    # ------------------------------------------------------------------ duplicates

    def test_an_event_is_taken_in_once_for_each_destination_name_and_id(self) -> None:
        """What is there already is told, and not stored again."""
        box = Trial(self.make, moves_time=self.MOVES_TIME)
        box.put("1", "2")
        box.outbox.put([delivery("1", name="Lead"), delivery("1", destination="other")])
        stored = box.outbox.put([delivery("1"), delivery("3"), delivery("3")])
        assert ids(stored.duplicates) == ["1", "3"]
        assert box.outbox.stats().waiting == 5

    def test_a_duplicate_is_known_for_48_hours_whatever_became_of_the_event(self) -> None:
        """Delivered, dead or waiting; then the id may come again."""
        for how in (None, *SETTLED):
            box = self._in_time()
            box.put("1")
            if how is not None:
                box.settle(how, box.take())
            box.wait(47.9 * _HOUR)
            assert ids(box.outbox.put([delivery("1")]).duplicates) == ["1"], how
            # That it was asked for does not prolong the memory.
            box.wait(0.2 * _HOUR)
            assert not box.outbox.put([delivery("1")]).duplicates, how

    # ------------------------------------------------------------------ accounts

    def test_the_oldest_is_told(self) -> None:
        """When the oldest that waits was put."""
        box = self._in_time()
        box.put("1")
        box.wait(10)
        box.put("2")
        assert box.outbox.stats().oldest == box.now - 10
        box.outbox.delivered(box.take(limit=1))
        assert box.outbox.stats().oldest == box.now

    def test_what_ends_with_the_process_is_told(self) -> None:
        """``in_memory`` counts it, and it is none in a durable outbox that works."""
        box = Trial(self.make, moves_time=self.MOVES_TIME)
        box.put("1")
        stats = box.outbox.stats()
        assert stats.in_memory == (0 if box.outbox.durable else 1)
        assert stats.problem is None

    # ------------------------------------------------------------------ dead letters

    def test_a_dead_letter_is_counted_and_never_taken(self) -> None:
        """It does not come back by itself."""
        box = Trial(self.make, moves_time=self.MOVES_TIME)
        box.put("1", "2")
        box.outbox.dead(box.take(limit=1), reason="refused")
        stats = box.outbox.stats()
        assert (stats.waiting, stats.dead) == (1, 1)
        assert ids(box.take(later=30 * 24 * _HOUR)) == ["2"]

    def test_dead_letters_are_listed_the_newest_first(self) -> None:
        """Each with its reason, its time and its payload."""
        box = self._in_time()
        box.kill("1", reason="expired")
        box.wait(5)
        box.kill("2", reason="refused")
        letters = box.letters()
        told = [(each.delivery.event_id, each.reason, each.died_at) for each in letters]
        assert told == [("2", "refused", box.now), ("1", "expired", box.now - 5)]
        assert letters[0].delivery.payload == delivery("2").payload
        assert [each.delivery.event_id for each in box.outbox.dead_letters(1)] == ["2"]

    def test_a_replayed_letter_is_due_at_once_with_no_attempt_counted(self) -> None:
        """And a key that is not there is not counted."""
        box = Trial(self.make, moves_time=self.MOVES_TIME)
        box.put("1")
        box.outbox.retry(box.take(), at=box.now, attempt=True)
        box.outbox.dead(box.take(), reason="refused")
        key = box.keys()[0]
        assert box.outbox.replay([key, key + 99]) == 1
        stats = box.outbox.stats()
        assert (stats.waiting, stats.dead) == (1, 0)
        (again,) = box.take()
        assert (again.event_id, again.attempts) == ("1", 0)
        box.outbox.delivered([again])
        assert box.outbox.stats().waiting == 0
        assert box.outbox.replay([key]) == 0

    def test_a_dropped_letter_is_gone_and_its_event_still_a_duplicate(self) -> None:
        """Dropping is no way to have an event sent again."""
        box = Trial(self.make, moves_time=self.MOVES_TIME)
        box.kill("1", "2")
        key = box.keys()[0]
        gone = box.letters()[0].delivery.event_id
        assert (box.outbox.drop([key]), box.outbox.drop([key])) == (1, 0)
        assert box.outbox.stats().dead == 1
        assert box.outbox.put([delivery(gone)]).duplicates

    def test_what_waits_is_neither_replayed_nor_dropped(self) -> None:
        """Only dead letters are."""
        box = Trial(self.make, moves_time=self.MOVES_TIME)
        box.put("1")
        (item,) = box.take()
        box.outbox.retry([item], at=box.now, attempt=True)
        assert item.key is not None
        assert box.outbox.replay([item.key]) == box.outbox.drop([item.key]) == 0
        assert box.take()[0].attempts == 1

    # ------------------------------------------------------------------ erasure

    def test_a_person_is_forgotten_wherever_the_events_are(self) -> None:
        """Ready, waiting for later, and dead."""
        box = Trial(self.make, moves_time=self.MOVES_TIME)
        box.outbox.put([of("dead", _JANE), of("dead too", _JOHN)])
        box.outbox.dead(box.take(), reason="refused")
        box.outbox.put([of("later", _JANE)])
        box.outbox.retry(box.take(), at=box.now + 50, attempt=True)
        box.outbox.put([of("ready", _JANE), of("stays", _JOHN)])
        gone = box.outbox.forget([_JANE, "no such hash"])
        assert sorted(each.event_id for each in gone) == ["dead", "later", "ready"]
        assert [each.delivery.event_id for each in box.letters()] == ["dead too"]
        assert ids(box.take(later=100)) == ["stays"]
        stats = box.outbox.stats()
        assert (stats.waiting, stats.dead) == (1, 1)
        assert len(box.outbox.forget([_JANE])) == 0

    def test_what_is_forgotten_in_flight_does_not_come_back(self) -> None:
        """However its sender settles it."""
        for how in SETTLED:
            box = Trial(self.make, moves_time=self.MOVES_TIME)
            box.outbox.put([of("1", _JANE)])
            batch = box.take()
            assert ids(box.outbox.forget([_JANE])) == ["1"]
            box.settle(how, batch)
            assert box.take(later=100) == [], how
            stats = box.outbox.stats()
            assert (stats.waiting, stats.dead) == (0, 0), how

    def test_what_is_forgotten_or_settled_remains_no_longer(self) -> None:
        """``remaining`` says what of a batch in hand may still be sent."""
        box = Trial(self.make, moves_time=self.MOVES_TIME)
        box.outbox.put([of("1", _JANE), of("2", _JOHN), of("3", _JOHN)])
        batch = box.take()
        assert ids(box.outbox.remaining(batch)) == ["1", "2", "3"]
        box.outbox.forget([_JANE])
        assert ids(box.outbox.remaining(batch)) == ["2", "3"]
        box.outbox.delivered(batch[1:2])
        assert ids(box.outbox.remaining(batch)) == ["3"]

    def test_a_person_may_be_forgotten_for_one_destination_only(self) -> None:
        """Consent may be withdrawn from one of several."""
        box = Trial(self.make, moves_time=self.MOVES_TIME)
        box.outbox.put([of("1", _JANE), attrs.evolve(of("1", _JANE), destination="elsewhere")])
        (gone,) = box.outbox.forget([_JANE], destination="elsewhere")
        assert (gone.destination, gone.event_id) == ("elsewhere", "1")
        assert ids(box.take()) == ["1"]
        assert box.take("elsewhere") == []

    def test_an_empty_text_forgets_nobody(self) -> None:
        """Nor does no text at all."""
        box = Trial(self.make, moves_time=self.MOVES_TIME)
        box.put("1")
        assert len(box.outbox.forget([""])) == len(box.outbox.forget([])) == 0
        assert box.outbox.stats().waiting == 1

    # ------------------------------------------------------------------ threads

    def test_nothing_is_lost_or_given_twice_under_threads(self) -> None:
        """Four write the same and their own, four take, deliver and give back."""
        box = Trial(self.make, moves_time=self.MOVES_TIME)
        threads = 4
        delivered: list[str] = []
        written = threading.Barrier(threads + 1)
        over = threading.Event()
        deadline = time.monotonic() + self.PATIENCE

        def write(writer: int) -> None:
            for number in range(self.WRITES):
                both = [delivery(f"{writer}-{number}"), delivery(f"{number}")]
                assert not box.outbox.put(both).refused
            written.wait(self.PATIENCE)

        def read() -> None:
            for turn in itertools.count():
                assert time.monotonic() < deadline, "it gives and gives"
                last = over.is_set()
                batch = box.take(limit=7)
                if not batch and last:
                    return
                if batch and turn % 3 == 0:
                    box.outbox.retry(batch, at=box.now, attempt=True)
                elif batch:
                    delivered.extend(ids(batch))
                    box.outbox.delivered(batch)

        with ThreadPoolExecutor(2 * threads) as pool:
            running = [pool.submit(read) for _ in range(threads)]
            running += [pool.submit(write, writer) for writer in range(threads)]
            written.wait(self.PATIENCE)
            over.set()
            for future in running:
                future.result(self.PATIENCE)
        # A reader may have ended while another still held a batch that it gave back.
        while batch := box.take():
            assert time.monotonic() < deadline, "it gives and gives"
            delivered.extend(ids(batch))
            box.outbox.delivered(batch)
        expected = {f"{writer}-{n}" for writer in range(threads) for n in range(self.WRITES)}
        expected |= {str(number) for number in range(self.WRITES)}
        assert sorted(delivered) == sorted(expected)
        assert box.outbox.stats().waiting == 0

    def _in_time(self) -> Trial:
        if not self.MOVES_TIME:
            raise unittest.SkipTest("the outbox has a clock of its own")
        return Trial(self.make, moves_time=True)
