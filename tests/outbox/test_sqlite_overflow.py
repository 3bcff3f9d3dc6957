"""What a busy file could not take, on its way from memory to the file."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from capi_plugins.outbox.sqlite_file import Unavailable
from capi_plugins.outbox.sqlite_overflow import Overflow
from tests.outbox.other_process import delivery, ids


def take(outbox, limit=100):
    return list(outbox.take("paper", limit=limit, max_bytes=10**6, now=time.time()))


@contextlib.contextmanager
def held(path) -> Iterator[None]:
    """Hold the file, as another process does that writes for a long time."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as another:
        another.execute("BEGIN IMMEDIATE")
        yield
        another.execute("ROLLBACK")


@pytest.fixture
def outbox(open_outbox):
    """One that has been used."""
    outbox = open_outbox()
    outbox.put([delivery("0")])
    outbox.delivered(take(outbox))
    return outbox


def test_what_is_on_the_move_is_looked_for_again_soon():
    """Who looked in that moment and found nothing would wait for a minute."""
    begun, go_on, written = threading.Event(), threading.Event(), []

    def store(deliveries, sent, budget):
        begun.set()
        assert go_on.wait(60)
        written.extend(deliveries)

    overflow = Overflow("box", store, lambda deliveries: (), time.time)
    overflow.put([delivery("1")], Unavailable("it is busy", passing=True))
    assert begun.wait(60)
    due = overflow.next_due("paper")
    assert due is not None
    assert due - time.time() < 1
    assert set(overflow.waiting_for()) == {"paper"}
    go_on.set()
    overflow.close(60)
    assert [item.event_id for item in written] == ["1"]
    assert overflow.next_due("paper") is None


@pytest.mark.parametrize("settle", ["delivered", "dead"])
def test_what_was_sent_past_a_busy_file_is_not_taken_in_again(
    outbox, others, open_outbox, path, until, settle
):
    with held(path):
        assert outbox.put([delivery("1")]).in_memory
        batch = take(outbox)
        assert ids(batch) == ["1"]
        getattr(outbox, settle)(batch, **({"reason": "x"} if settle == "dead" else {}))
    assert ids(outbox.put([delivery("1")]).duplicates) == ["1"]
    # And by nobody else either, once the file was told.
    until(lambda: not outbox._overflow._sent, 60)
    assert others().ask("put('1')")[1] == ["1"]
    assert ids(open_outbox().put([delivery("1"), delivery("2")]).duplicates) == ["1"]


def test_what_is_on_its_way_past_a_busy_file_is_not_taken_in_meanwhile(outbox, path):
    with held(path):
        outbox.put([delivery("1")])
        batch = take(outbox)
    assert ids(outbox.put([delivery("1")]).duplicates) == ["1"]
    outbox.retry(batch, at=0, attempt=True)
    again = take(outbox)
    assert [(item.event_id, item.attempts) for item in again] == [("1", 1)]
    outbox.delivered(again)
    assert ids(outbox.put([delivery("1")]).duplicates) == ["1"]
    assert outbox.stats().waiting == 0


def test_what_is_in_a_busy_file_already_is_not_sent_past_it(outbox, path):
    outbox.put([delivery("1")])
    with held(path):
        assert outbox.put([delivery("1"), delivery("2")]).in_memory
        assert ids(take(outbox)) == ["2"]
        assert ids(take(outbox)) == ["1"]
        assert take(outbox) == []


def test_the_same_event_from_many_threads_leaves_once_though_the_file_is_busy_now_and_then(
    outbox, path
):
    writers, rounds = 4, 40
    over, sent, lock = threading.Event(), [], threading.Lock()
    together = threading.Barrier(writers)

    def put():
        for number in range(rounds):
            together.wait(60)
            outbox.put([delivery(str(number + 1))])

    def send():
        while not over.is_set() or outbox.stats().waiting:
            batch = take(outbox, limit=5)
            with lock:
                sent.extend(ids(batch))
            outbox.delivered(batch)

    def hold():
        while not over.is_set():
            with contextlib.suppress(sqlite3.OperationalError), held(path):
                over.wait(0.06)
            over.wait(0.01)

    with ThreadPoolExecutor(writers + 3) as pool:
        working = [pool.submit(put) for _ in range(writers)]
        beside = [pool.submit(send), pool.submit(send), pool.submit(hold)]
        try:
            for each in working:
                each.result(120)
        finally:
            over.set()
        for each in beside:
            each.result(120)
    assert sorted(sent, key=int) == [str(number + 1) for number in range(rounds)]


def test_a_thread_that_is_ended_while_it_stores_loses_nothing(until):
    failures, written = [SystemExit(), MemoryError()], []

    def store(deliveries, sent, budget):
        if failures:
            raise failures.pop()
        written.extend(ids(deliveries))

    overflow = Overflow("box", store, lambda deliveries: (), time.time)
    overflow.put([delivery("1")], Unavailable("it is busy", passing=True))
    until(lambda: written == ["1"], 60)
    overflow.close(60)
    assert overflow.stats().waiting == 0


def test_much_is_moved_in_parts_so_that_requests_get_the_file_between_them(until):
    go_on, parts = threading.Event(), []

    def store(deliveries, sent, budget):
        if not go_on.is_set():
            raise Unavailable("it is locked by another process", passing=True)
        if len(parts) == 3:
            go_on.clear()
        parts.append(ids(deliveries))

    overflow = Overflow("box", store, lambda deliveries: (), time.time)
    overflow.put([delivery(str(n)) for n in range(450)], Unavailable("it is busy", passing=True))
    go_on.set()
    until(lambda: len(parts) == 4, 60)
    assert overflow.stats().waiting == 50
    go_on.set()
    overflow.close(60)
    assert [len(part) for part in parts] == [100, 100, 100, 100, 50]
    assert [number for part in parts for number in part] == [str(n) for n in range(450)]
