"""What every outbox has to do. Another one joins with a line in ``OUTBOXES``."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capi_plugins.outbox.immediate import ImmediateOutbox
from capi_plugins.outbox.memory import MemoryOutbox
from capi_plugins.outbox.sqlite import SqliteOutbox
from tests.core.paper import NOW, Clock, delivery

OUTBOXES = {
    # Name: makes an empty outbox in a folder. Arguments: clock.
    "memory": lambda folder, **options: MemoryOutbox(**options),
    "immediate": lambda folder, **options: ImmediateOutbox(**options),
    "sqlite": lambda folder, **options: SqliteOutbox(
        folder / f"{len(list(folder.iterdir()))}.sqlite3", **options
    ),
}
BOUNDED = ("memory", "immediate")
"""Those with a limit in count and bytes: max_deliveries, max_bytes."""
HOURS = 3600


def maker(name, folder):
    folder.chmod(0o700)
    made = []

    def new(**options):
        outbox = OUTBOXES[name](folder, **{"clock": Clock(), **options})
        made.append(outbox)
        return outbox

    yield new
    for outbox in made:
        outbox.close()


@pytest.fixture(params=OUTBOXES)
def new(request, tmp_path):
    yield from maker(request.param, tmp_path)


@pytest.fixture(params=BOUNDED)
def bounded(request, tmp_path):
    yield from maker(request.param, tmp_path)


@pytest.fixture
def outbox(new):
    return new()


def take(outbox, destination="paper", *, limit=100, max_bytes=1_000_000, now=NOW):
    return list(outbox.take(destination, limit=limit, max_bytes=max_bytes, now=now))


def ids(deliveries):
    return [item.event_id for item in deliveries]


def put(outbox, *event_ids, **fields):
    stored = outbox.put([delivery(event_id, **fields) for event_id in event_ids])
    assert not stored.refused
    assert not stored.duplicates


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


# ------------------------------------------------------------------ duplicates


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


# ------------------------------------------------------------------ limits


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


# ------------------------------------------------------------------ threads


@pytest.fixture
def each():
    """How much every writer below writes."""
    return 200


def test_nothing_is_lost_or_given_twice_under_threads(outbox, each):
    writers, readers = 4, 4
    delivered, lock = [], threading.Lock()
    written = threading.Barrier(writers + 1)
    over = threading.Event()

    def write(writer):
        for number in range(each):
            stored = outbox.put([delivery(f"{writer}-{number}"), delivery(f"{number}")])
            assert not stored.refused
        written.wait(60)

    def read(reader):
        attempts = itertools.count()
        while True:
            last = over.is_set()
            batch = take(outbox, limit=7)
            if not batch and last:
                return
            if batch and next(attempts) % 3 == 0:
                outbox.retry(batch, at=NOW, attempt=True)
            elif batch:
                with lock:
                    delivered.extend(ids(batch))
                outbox.delivered(batch)

    with ThreadPoolExecutor(writers + readers) as pool:
        reading = [pool.submit(read, reader) for reader in range(readers)]
        writing = [pool.submit(write, writer) for writer in range(writers)]
        written.wait(60)
        over.set()
        for future in writing + reading:
            future.result(60)
    # A reader may have ended while another still held a batch that it gave back.
    while batch := take(outbox):
        delivered.extend(ids(batch))
        outbox.delivered(batch)
    expected = {f"{w}-{n}" for w in range(writers) for n in range(each)}
    expected |= {str(n) for n in range(each)}
    assert sorted(delivered) == sorted(expected)
    assert outbox.stats().waiting == 0


# ------------------------------------------------------------------ against a model

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 12)),
        st.tuples(st.just("take"), st.integers(1, 4)),
        st.tuples(st.sampled_from(["delivered", "dead"]), st.integers(1, 3)),
        st.tuples(st.just("retry"), st.integers(0, 5)),
        st.tuples(st.just("wait"), st.integers(0, 3)),
    ),
    max_size=40,
)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(STEPS)
def test_captured_is_delivered_plus_dead_plus_waiting_plus_refused(new, steps):
    clock = Clock()
    outbox = new(clock=clock)
    conserves(outbox, clock, steps)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(STEPS)
def test_a_bounded_outbox_keeps_its_bound_and_its_accounts(bounded, steps):
    clock = Clock()
    outbox = bounded(max_deliveries=6, clock=clock)
    conserves(outbox, clock, steps, most=6)


def conserves(outbox, clock, steps, most=100):
    leased, told = [], {"put": 0, "delivered": 0, "dead": 0}
    for step, number in steps:
        if step == "put":
            stored = outbox.put([delivery(str(number))])
            told["put"] += not (stored.refused or stored.duplicates)
        elif step == "take":
            leased += take(outbox, limit=number, now=clock())
        elif step == "wait":
            clock.advance(number)
        elif step == "retry":
            outbox.retry(leased, at=clock() + number, attempt=True)
            leased = []
        else:
            part, leased = leased[:number], leased[number:]
            more = {"reason": "x"} if step == "dead" else {}
            getattr(outbox, step)(part, **more)
            told[step] += len(part)
        stats = outbox.stats()
        assert stats.waiting == told["put"] - told["delivered"] - told["dead"] <= most
        assert stats.dead == told["dead"]
        due = outbox.next_due("paper")
        assert (due is not None) == bool(outbox.waiting_for())
        assert len({item.event_id for item in leased}) == len(leased)


# ------------------------------------------------------------------ dead letters


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


# ------------------------------------------------------------------ erasure


JANE, JOHN = "8c87b489", "96d9632f"


def person(event_id, key):
    return delivery(event_id, payload=b'{"em":["%s"]}' % key.encode())


def test_a_person_is_forgotten_wherever_the_events_are(outbox):
    outbox.put([person("dead", JANE), person("dead too", JOHN)])
    outbox.dead(take(outbox), reason="refused")
    outbox.put([person("later", JANE)])
    outbox.retry(take(outbox), at=NOW + 50, attempt=True)
    outbox.put([person("ready", JANE), person("stays", JOHN)])
    assert outbox.forget([JANE, "no such hash"]) == 3
    assert ids(letter.delivery for letter in outbox.dead_letters(10)) == ["dead too"]
    assert ids(take(outbox, now=NOW + 100)) == ["stays"]
    assert (outbox.stats().waiting, outbox.stats().dead) == (1, 1)
    assert outbox.forget([JANE]) == 0


@pytest.mark.parametrize("settle", ["delivered", "dead", "retry"])
def test_what_is_forgotten_in_flight_does_not_come_back(outbox, settle):
    more = {"retry": {"at": NOW, "attempt": True}, "dead": {"reason": "x"}, "delivered": {}}
    outbox.put([person("1", JANE)])
    batch = take(outbox)
    assert outbox.forget([JANE]) == 1
    getattr(outbox, settle)(batch, **more[settle])
    assert take(outbox, now=NOW + 100) == []
    assert (outbox.stats().waiting, outbox.stats().dead) == (0, 0)


def test_a_person_may_be_forgotten_for_one_destination_only(outbox):
    elsewhere = attrs.evolve(person("1", JANE), destination="elsewhere")
    outbox.put([person("1", JANE), elsewhere])
    assert outbox.forget([JANE], destination="elsewhere") == 1
    assert ids(take(outbox)) == ["1"]


def test_an_empty_text_forgets_nobody(outbox):
    put(outbox, "1")
    assert outbox.forget([""]) == outbox.forget([]) == 0
    assert outbox.stats().waiting == 1


# ------------------------------------------------------------------ what they are


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
