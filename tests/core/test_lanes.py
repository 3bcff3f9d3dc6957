"""Delivery in the background: real threads, no sleeps, every wait has a limit."""

from __future__ import annotations

import threading
import time

import pytest

from capi_plugins._worker import Worker
from capi_plugins.destinations.base import Response
from capi_plugins.outbox.memory import MemoryOutbox
from capi_plugins.settings import DeliverySettings
from capi_plugins.testing.outbox_trial import delivery
from tests.core.paper import OK, Paper, Post

MEMORY = {"OUTBOX": "memory", "EXIT_TIMEOUT": 5}
LIMIT = 20.0
TWO = {"paper": {"TOKEN": "x"}, "slow": {"KIND": "paper", "TOKEN": "x"}}


class Gate:
    """An answer that waits until the test opens the gate."""

    def __init__(self, *names):
        self.names = names or ("paper", "slow")
        self.opened = threading.Event()
        self.reached = threading.Event()

    def __call__(self, events, name):
        if name in self.names:
            self.reached.set()
            assert self.opened.wait(LIMIT)
        return OK


@pytest.fixture
def gate():
    gate = Gate()
    yield gate
    gate.opened.set()


def test_an_event_leaves_in_the_background(make, gate):
    post = Post(gate)
    client = make(to=post, DELIVERY=MEMORY)
    client.track("Lead")
    assert gate.reached.wait(LIMIT)
    assert client.stats().waiting == 1
    gate.opened.set()
    assert client.flush(LIMIT)
    assert client.stats().waiting == 0
    assert len(post.events) == 1


def test_what_arrives_during_a_request_leaves_together_in_the_next(make, gate):
    post = Post(gate)
    client = make(to=post, DELIVERY=MEMORY)
    client.track("Lead", event_id="0")
    assert gate.reached.wait(LIMIT)
    for number in range(1, 6):
        client.track("Lead", event_id=str(number))
    gate.opened.set()
    assert client.flush(LIMIT)
    assert [len(request) for request in post.requests] == [1, 5]


class Together:
    """An answer that waits until so many requests are under way, from the second on."""

    def __init__(self, parties, *, then=OK):
        self.barrier = threading.Barrier(parties)
        self.then = then
        self.first = threading.Event()
        self.met = threading.Event()

    def __call__(self, events, name):
        if not self.first.is_set():
            self.first.set()
            return OK
        if not self.met.is_set():
            self.barrier.wait(LIMIT)
            self.met.set()
        return self.then


def held(make, to, events, **delivery):
    """A client whose worker starts with all of the events waiting."""
    client = make(to=to, DELIVERY={**MEMORY, "BATCH_SIZE": 5, **delivery})
    client.delivering._threads = False
    for number in range(events):
        client.track("Lead", event_id=str(number))
    client.delivering._threads = True
    return client


def test_much_that_waits_leaves_in_several_requests_at_once(make):
    post = Post(Together(4))
    client = held(make, post, 25)
    assert client.flush(LIMIT)
    assert [len(request) for request in post.requests] == [5] * 5
    assert sorted(int(event["id"]) for event in post.events) == list(range(25))


def test_nothing_is_sent_beside_the_first_request_of_a_lane(make, gate):
    post = Post(gate)
    client = held(make, post, 25)
    client.flush(0)
    assert gate.reached.wait(LIMIT)
    assert not [each for each in threading.enumerate() if each.name == "capi-paper+"]


@pytest.fixture
def long_rests(monkeypatch):
    monkeypatch.setattr("capi_plugins._sending.backoff", lambda failures, *, at_least=None: 3600.0)


def test_requests_that_fail_together_count_as_one_failure(make, heard, long_rests):
    client = held(make, Post(Together(4, then=Response(status=500))), 25)
    client.flush(0)
    lane = client.delivering._process().worker._lanes["paper"]
    until = time.monotonic() + LIMIT
    while not lane.failures or lane.sending:
        assert time.monotonic() < until
    assert lane.failures == 1
    assert not lane.proven
    retried = [told["deliveries"] for name, told in heard if name == "delivery_retried"]
    assert sorted(len(deliveries) for deliveries in retried) == [5, 5, 5, 5]
    assert client.stats().waiting == 20


def test_where_no_further_thread_starts_requests_leave_one_after_the_other(make, post, monkeypatch):
    start = threading.Thread.start

    def only_lanes(thread):
        if thread.name.endswith("+"):
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", only_lanes)
    client = held(make, post, 25)
    assert client.flush(LIMIT)
    assert [len(request) for request in post.requests] == [5] * 5


def test_what_comes_while_a_destination_rests_does_not_wake_its_lane(make, long_rests):
    failed = threading.Event()

    def refuse(events, name):
        failed.set()
        return Response(status=500)

    client = make(to=Post(refuse), DELIVERY=MEMORY)
    client.track("Lead", event_id="first")
    assert failed.wait(LIMIT)
    worker = client.delivering._process().worker
    lane = worker._lanes["paper"]
    until = time.monotonic() + LIMIT
    while lane.sending or lane.idle:
        assert time.monotonic() < until
    before = worker._news
    for number in range(50):
        client.track("Lead", event_id=str(number))
    assert worker._news == before
    assert client.stats().waiting == 51


def test_threads_are_daemons_named_after_their_destination(make, gate):
    client = make(to=Post(gate), DESTINATIONS=TWO, DELIVERY=MEMORY)
    before = set(threading.enumerate())
    client.track("Lead")
    lanes = {thread.name: thread.daemon for thread in set(threading.enumerate()) - before}
    assert lanes == {"capi-paper": True, "capi-slow": True}


def test_no_thread_runs_before_there_is_an_event(make):
    before = threading.active_count()
    client = make(DELIVERY=MEMORY)
    assert client.flush(LIMIT)
    client.close()
    assert threading.active_count() == before


def test_a_destination_that_hangs_does_not_delay_another(make, gate):
    gate.names = ("slow",)
    post = Post(gate)
    client = make(to=post, DESTINATIONS=TWO, DELIVERY={**MEMORY, "EXIT_TIMEOUT": 0})
    arrived = threading.Semaphore(0)
    answer = post.answer

    def counting(events, name):
        if name == "paper":
            arrived.release()
        return answer(events, name)

    post.answer = counting
    for number in range(3):
        client.track("Lead", event_id=str(number))
        assert arrived.acquire(timeout=LIMIT)
    assert gate.reached.wait(LIMIT)
    assert client.stats().waiting >= 3


def test_a_flush_ends_in_time_when_the_endpoint_hangs(make, gate):
    client = make(to=Post(gate), DELIVERY={**MEMORY, "EXIT_TIMEOUT": 0})
    client.track("Lead")
    assert gate.reached.wait(LIMIT)
    began = time.monotonic()
    result = client.flush(0.2)
    assert 0.15 < time.monotonic() - began < 5
    assert not result
    assert result.waiting == 1


def test_a_close_ends_in_time_when_the_endpoint_hangs(make, gate, caplog):
    client = make(to=Post(gate), DESTINATIONS=TWO, DELIVERY={**MEMORY, "EXIT_TIMEOUT": 0.2})
    client.track("Lead")
    assert gate.reached.wait(LIMIT)
    began = time.monotonic()
    assert client.close().waiting == 2
    assert time.monotonic() - began < 5
    assert "2 deliveries were not made before the process ended" in caplog.text


def test_closing_delivers_what_waits_and_ends_the_threads(make, post):
    before = set(threading.enumerate())
    client = make(DELIVERY=MEMORY)
    for number in range(500):
        client.track("Lead", event_id=str(number))
    assert client.close()
    assert len(post.events) == 500
    # Threads of tests before this one may end meanwhile.
    assert set(threading.enumerate()) <= before


def test_closing_twice_is_harmless(make):
    client = make(DELIVERY=MEMORY)
    client.track("Lead")
    assert client.close()
    assert client.close()


def test_a_flush_does_not_wait_for_what_is_not_due(make, post):
    post.answer = lambda events, name: Response(status=429, headers={"retry-after": "600"})
    client = make(DELIVERY={**MEMORY, "EXIT_TIMEOUT": 0})
    client.track("Lead")
    began = time.monotonic()
    assert client.flush(300).waiting == 1
    assert time.monotonic() - began < 60


def test_a_flush_waits_for_a_retry_that_is_due_in_time(make, post):
    answers = [Response(status=500)]
    post.answer = lambda events, name: answers.pop() if answers else OK
    client = make(DELIVERY=MEMORY)
    client.track("Lead")
    assert client.flush(LIMIT)
    assert len(post.requests) == 2


def test_a_worker_elsewhere_gets_no_thread_here(make, post):
    outbox = MemoryOutbox()
    client = make(
        DELIVERY={"OUTBOX": "shared", "WORKER": "external", "EXIT_TIMEOUT": 0},
        options={"outboxes": {"shared": lambda settings: outbox}},
    )
    before = threading.active_count()
    client.track("Lead")
    assert threading.active_count() == before
    assert outbox.stats().waiting == 1
    assert post.events == []


class Moody(MemoryOutbox):
    """Cannot be read at first."""

    durable = True
    failures = 3

    def waiting_for(self):
        if self.failures:
            self.failures -= 1
            raise ConnectionError("password")
        return super().waiting_for()


def moody(make, outbox):
    return make(
        DELIVERY={"OUTBOX": "moody", "WORKER": "external", "EXIT_TIMEOUT": 0},
        options={"outboxes": {"moody": lambda settings: outbox}},
    )


def test_a_worker_of_its_own_waits_out_an_outbox_that_cannot_be_read(make, post, caplog):
    client = moody(make, Moody())
    client.track("Lead")
    client.delivering.serve(lambda: bool(post.events))
    assert caplog.text.count("the outbox cannot be read: ConnectionError") == 1
    assert "password" not in caplog.text


def test_for_once_it_does_not_wait(make, post):
    client = moody(make, Moody())
    with pytest.raises(ConnectionError):
        client.delivering.serve(lambda: False, once=True)


def test_without_threads_events_wait_and_leave_with_a_flush(make, post, monkeypatch):
    client = make(DELIVERY=MEMORY)

    def refuse(thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        client.track("Lead", event_id="1")
        assert post.events == []
        assert client.stats().waiting == 1
        assert client.flush(LIMIT)
        assert len(post.events) == 1
        client.track("Lead", event_id="2")
        assert client.close()
    assert len(post.events) == 2


def test_a_thread_that_could_not_start_starts_with_the_next_event(make, post, monkeypatch):
    client = make(DELIVERY=MEMORY)
    start = threading.Thread.start
    refusals = [RuntimeError("can't start new thread")]

    def once(thread):
        if refusals:
            raise refusals.pop()
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", once)
    client.track("Lead", event_id="1")
    client.track("Lead", event_id="2")
    assert client.flush(LIMIT)
    assert sorted(event["id"] for event in post.events) == ["1", "2"]


def test_many_threads_lose_nothing(make, post):
    client = make(DELIVERY={**MEMORY, "BATCH_SIZE": 7})
    barrier = threading.Barrier(8)

    def visit(number):
        barrier.wait(LIMIT)
        for each in range(50):
            client.track("Lead", event_id=f"{number}-{each}")

    threads = [threading.Thread(target=visit, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    assert client.flush(LIMIT)
    ids = [event["id"] for event in post.events]
    assert len(ids) == len(set(ids)) == 400


def test_a_lane_survives_an_outbox_that_fails(caplog):
    failures = [OSError("disk"), OSError("disk")]

    class Shaky(MemoryOutbox):
        def next_due(self, destination):
            if failures and threading.current_thread() is not threading.main_thread():
                raise failures.pop()
            return super().next_due(destination)

        def take(self, destination, **limits):
            if failures:
                raise failures.pop()
            return super().take(destination, **limits)

    sent = threading.Event()

    def send(request, destination):
        sent.set()
        return OK

    worker = Worker(
        Shaky(),
        DeliverySettings(),
        destination=lambda name: Paper(name, {}),
        send=send,
        tell=lambda signal, **told: None,
    )
    worker._outbox.put([delivery("1")])
    worker.wake(["paper"])
    assert sent.wait(LIMIT)
    assert worker.close(LIMIT) == 0
    assert "delivery to paper failed with OSError" in caplog.text
