"""What every outbox has to do: nothing is lost or given twice, whoever does what when."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.core.paper import NOW, Clock, delivery
from tests.outbox.conforming import ids, take


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
