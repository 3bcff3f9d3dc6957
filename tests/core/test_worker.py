"""The worker, driven by hand: ``run_inline`` and a clock that tests move."""

from __future__ import annotations

import json
import logging
import math

import pytest

from capi_plugins._worker import Worker
from capi_plugins.destinations.base import Response
from capi_plugins.exceptions import TransportError
from capi_plugins.outbox.memory import MemoryOutbox
from capi_plugins.settings import DeliverySettings
from capi_plugins.testing.outbox_trial import delivery
from tests.core.paper import NOW, OK, Clock, Paper


class Bench:
    """A worker, its outbox and everything it did."""

    def __init__(self, answer=None, *, known=("paper", "other"), **settings):
        self.clock = Clock()
        self.outbox = MemoryOutbox(clock=self.clock)
        self.answer = answer or (lambda ids, name: OK)
        self.requests = []
        self.timeouts = []
        self.told = []
        destinations = {name: Paper(name, {}) for name in known}
        self.worker = Worker(
            self.outbox,
            DeliverySettings(**settings),
            destination=destinations.get,
            send=self.send,
            tell=lambda signal, **arguments: self.told.append((signal.name, arguments)),
            clock=self.clock,
        )

    def send(self, request, destination):
        ids = [event["id"] for event in json.loads(request.body)]
        self.requests.append((destination.name, ids))
        self.timeouts.append(request.timeout)
        answer = self.answer(ids, destination.name)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Response) else Response(status=answer)

    def put(self, *ids, **fields):
        assert not self.outbox.put([delivery(str(each), **fields) for each in ids]).refused

    def run(self, *, after=0.0):
        self.clock.advance(after)
        self.worker.run_inline()

    def names(self):
        return [name for name, _ in self.told]

    @property
    def stats(self):
        return self.outbox.stats()


HOUR = 3600


def test_what_waits_is_sent_in_one_batch():
    bench = Bench()
    bench.put(*range(5))
    bench.run()
    assert bench.requests == [("paper", ["0", "1", "2", "3", "4"])]
    assert bench.names() == ["delivered"]
    assert bench.stats.waiting == 0


def test_a_batch_is_no_longer_than_the_setting():
    bench = Bench(batch_size=2)
    bench.put(*range(5))
    bench.run()
    assert [len(ids) for _, ids in bench.requests] == [2, 2, 1]


def test_a_batch_is_no_longer_than_the_destination_takes(monkeypatch):
    monkeypatch.setattr(Paper, "MAX_BATCH", 3)
    bench = Bench(batch_size=200)
    bench.put(*range(5))
    bench.run()
    assert [len(ids) for _, ids in bench.requests] == [3, 2]


def test_a_batch_is_no_larger_than_the_destination_takes(monkeypatch):
    monkeypatch.setattr(Paper, "MAX_BATCH_BYTES", 100)
    bench = Bench()
    for each in range(4):
        bench.put(each, payload=json.dumps({"id": str(each), "x": "x" * 30}).encode())
    bench.run()
    assert [len(ids) for _, ids in bench.requests] == [2, 2]


def test_destinations_get_their_own_requests():
    bench = Bench()
    bench.put(1)
    bench.put(2, destination="other")
    bench.run()
    assert sorted(bench.requests) == [("other", ["2"]), ("paper", ["1"])]


def test_the_time_limit_of_a_request_is_the_setting():
    bench = Bench(timeout=3.5)
    bench.put(1)
    bench.run()
    assert bench.timeouts == [3.5]


def test_the_time_limit_of_a_request_fits_into_the_time_that_is_left():
    bench = Bench(timeout=10)
    bench.put(1)
    bench.worker.run_inline(timeout=2)
    assert 1 < bench.timeouts[0] <= 2


# ------------------------------------------------------------------ one bad event


@pytest.mark.parametrize("size", [2, 3, 10, 200, 1000])
@pytest.mark.parametrize("place", [0.0, 0.37, 1.0])
def test_one_bad_event_is_found_by_halving(size, place):
    bad = str(round(place * (size - 1)))
    bench = Bench(lambda ids, name: 400 if bad in ids else 200, batch_size=1000)
    bench.put(*range(size))
    bench.run()
    assert len(bench.requests) <= 2 * math.ceil(math.log2(size)) + 1
    assert (bench.stats.waiting, bench.stats.dead) == (0, 1)
    (dead,) = [told for name, told in bench.told if name == "delivery_dead"]
    assert [item.event_id for item in dead["deliveries"]] == [bad]
    assert dead["reason"] == "answer 400"
    delivered = [
        item.event_id
        for name, told in bench.told
        if name == "delivered"
        for item in told["deliveries"]
    ]
    assert sorted(delivered) == sorted({str(each) for each in range(size)} - {bad})


def test_several_bad_events_are_found():
    bad = {"3", "77", "78", "150"}
    bench = Bench(lambda ids, name: 400 if bad & set(ids) else 200)
    bench.put(*range(200))
    bench.run()
    assert (bench.stats.waiting, bench.stats.dead) == (0, 4)
    assert len(bench.requests) < 60


def test_when_everything_is_refused_the_destination_is_not_asked_a_thousand_times():
    bench = Bench(lambda ids, name: 400, batch_size=1000)
    bench.put(*range(1000))
    bench.run()
    assert len(bench.requests) <= 66
    first = len(bench.requests)
    assert bench.stats.waiting + bench.stats.dead == 1000
    assert bench.stats.waiting > 900
    bench.run()
    assert len(bench.requests) == first
    rounds = 0
    while bench.stats.waiting and rounds < 100:
        bench.run(after=HOUR)
        rounds += 1
    assert bench.stats.dead == 1000


def test_a_refusal_of_a_single_event_is_its_death():
    bench = Bench(lambda ids, name: 400)
    bench.put(1)
    bench.run()
    assert (len(bench.requests), bench.stats.dead) == (1, 1)


def test_a_failure_during_halving_keeps_the_rest():
    answers = iter([400, 500])
    bench = Bench(lambda ids, name: next(answers, 200))
    bench.put(*range(8))
    bench.run()
    assert [len(ids) for _, ids in bench.requests] == [8, 4]
    assert bench.stats.waiting == 8
    bench.run(after=HOUR)
    assert (bench.stats.waiting, bench.stats.dead) == (0, 0)


# ------------------------------------------------------------------ trying again


def test_a_failed_batch_is_tried_again_and_not_before_its_time():
    answers = iter([500])
    bench = Bench(lambda ids, name: next(answers, 200))
    bench.put(1)
    bench.run()
    (retried,) = [told for name, told in bench.told if name == "delivery_retried"]
    assert NOW <= retried["at"] <= NOW + 1
    bench.put(2)
    if retried["at"] > NOW:
        bench.run()
        assert len(bench.requests) == 1
    bench.run(after=2)
    assert bench.names() == ["delivery_retried", "delivered"]
    assert sorted(bench.requests[1][1]) == ["1", "2"]


def test_waits_grow_and_begin_anew_after_a_success():
    answers = [500] * 5 + [200]
    bench = Bench(lambda ids, name: answers.pop(0), max_attempts=100)
    bench.put(1)
    longest = []
    for _ in range(6):
        bench.run(after=HOUR)
        longest.append(bench.worker._lanes["paper"].failures)
    assert longest == [1, 2, 3, 4, 5, 0]


@pytest.mark.parametrize("most", [1, 2, 8])
def test_an_event_is_given_up_after_max_attempts(most):
    bench = Bench(lambda ids, name: 500, max_attempts=most)
    bench.put(1)
    for _ in range(20):
        bench.run(after=HOUR)
    assert len(bench.requests) == most
    assert bench.names() == ["delivery_retried"] * (most - 1) + ["delivery_dead"]
    assert bench.told[-1][1]["reason"] == f"given up after {most} attempts: answer 500"
    assert (bench.stats.waiting, bench.stats.dead) == (0, 1)


def test_who_is_out_of_reach_costs_no_attempt():
    bench = Bench(lambda ids, name: TransportError("no answer"), max_attempts=2)
    bench.put(1)
    for _ in range(20):
        bench.run(after=HOUR)
    assert len(bench.requests) == 20
    assert (bench.stats.waiting, bench.stats.dead) == (1, 0)


def test_events_of_one_batch_have_their_own_attempts():
    bench = Bench(lambda ids, name: 500, max_attempts=3)
    bench.put(1)
    bench.run()
    bench.put(2)
    bench.run(after=HOUR)
    bench.run(after=HOUR)
    assert (bench.stats.waiting, bench.stats.dead) == (1, 1)


def test_a_throttle_costs_no_attempt_and_waits_as_asked():
    answer = Response(status=429, headers={"retry-after": "120"})
    bench = Bench(lambda ids, name: answer, max_attempts=2)
    bench.put(1)
    for _ in range(10):
        before = len(bench.requests)
        bench.run(after=119.0)
        bench.run(after=HOUR)
        assert len(bench.requests) > before
    assert (bench.stats.waiting, bench.stats.dead) == (1, 0)
    for name, told in bench.told:
        assert name == "delivery_retried"
        assert told["deliveries"][0].attempts == 0


def test_nothing_is_sent_while_a_destination_asks_for_patience():
    answers = iter([Response(status=429, headers={"retry-after": "120"})])
    bench = Bench(lambda ids, name: next(answers, OK))
    bench.put(1)
    bench.run()
    bench.put(2)
    bench.run(after=119)
    assert len(bench.requests) == 1
    bench.run(after=300)
    assert len(bench.requests) == 2


@pytest.mark.parametrize("wish", ["999999", "inf"])
def test_no_destination_may_ask_for_more_than_an_hour(wish):
    bench = Bench(lambda ids, name: Response(status=429, headers={"retry-after": wish}))
    bench.put(1)
    bench.run()
    assert bench.told[0][1]["at"] <= NOW + HOUR + 1


@pytest.mark.parametrize("wish", ["-5", "nan", "0"])
def test_a_wish_that_makes_no_sense_is_ignored(wish):
    bench = Bench(lambda ids, name: Response(status=429, headers={"retry-after": wish}))
    bench.put(1)
    bench.run()
    assert NOW <= bench.told[0][1]["at"] <= NOW + 1


def test_a_stopped_destination_keeps_everything_and_is_logged_once(caplog):
    answers = [401] * 5
    bench = Bench(lambda ids, name: answers.pop(0) if answers else 200, max_attempts=2)
    bench.put(1, 2)
    for _ in range(5):
        bench.run(after=HOUR)
    assert bench.stats.waiting == 2
    assert bench.worker.stopped() == ["paper"]
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [record.getMessage() for record in errors] == [
        "destination paper is stopped, its events are kept: answer 401"
    ]
    bench.run(after=HOUR)
    assert (bench.stats.waiting, bench.stats.dead) == (0, 0)
    assert bench.worker.stopped() == []


def test_a_stopped_destination_is_tried_every_quarter_of_an_hour():
    bench = Bench(lambda ids, name: 401)
    bench.put(1)
    bench.run()
    bench.run(after=899)
    assert len(bench.requests) == 1
    bench.run(after=2)
    assert len(bench.requests) == 2


def test_a_destination_nobody_knows_any_more_keeps_its_events(caplog):
    bench = Bench()
    bench.put(1, destination="gone")
    bench.run()
    bench.run(after=HOUR)
    assert bench.stats.waiting == 1
    assert bench.worker.stopped() == ["gone"]
    assert caplog.text.count("destination gone is stopped") == 1


def test_events_too_old_for_the_destination_become_dead_letters():
    bench = Bench()
    bench.put(1, expires_at=NOW + 60)
    bench.put(2, expires_at=NOW + 7 * 86400)
    bench.put(3)
    bench.run(after=60)
    assert bench.requests == [("paper", ["2", "3"])]
    (dead,) = [told for name, told in bench.told if name == "delivery_dead"]
    assert [item.event_id for item in dead["deliveries"]] == ["1"]
    assert dead["reason"] == "expired: too old for the destination"


def test_a_batch_of_expired_events_is_no_request():
    bench = Bench()
    bench.put(1, 2, expires_at=NOW + 60)
    bench.run(after=61)
    assert bench.requests == []
    assert (bench.stats.waiting, bench.stats.dead) == (0, 2)


def test_one_dead_destination_does_not_keep_another_waiting():
    bench = Bench(lambda ids, name: 500 if name == "paper" else 200)
    for each in range(3):
        bench.put(f"p{each}")
        bench.put(f"o{each}", destination="other")
        bench.run(after=HOUR)
    assert [ids for name, ids in bench.requests if name == "other"] == [["o0"], ["o1"], ["o2"]]
    assert bench.stats.waiting == 3


# ------------------------------------------------------------------ broken parts


@pytest.mark.parametrize("method", ["request", "outcome"])
def test_a_destination_that_crashes_costs_an_attempt_and_no_event(monkeypatch, method):
    def crash(*args):
        raise ZeroDivisionError("jane@example.com")

    bench = Bench(max_attempts=3)
    bench.put(1, 2)
    with monkeypatch.context() as patch:
        patch.setattr(Paper, method, crash)
        bench.run()
        assert bench.names() == ["delivery_retried"]
        reason = bench.told[0][1]["outcome"].reason
        assert reason.startswith("the destination failed with ZeroDivisionError at ")
        assert "jane" not in reason
    bench.run(after=HOUR)
    assert bench.stats.waiting == 0


def test_an_outcome_that_is_none_counts_as_a_failure(monkeypatch):
    monkeypatch.setattr(Paper, "outcome", lambda *args: None)
    bench = Bench(max_attempts=2)
    bench.put(1)
    bench.run()
    bench.run(after=HOUR)
    assert bench.names() == ["delivery_retried", "delivery_dead"]


def test_logs_name_event_and_destination_and_nothing_else(caplog):
    caplog.set_level(logging.DEBUG)
    bench = Bench(lambda ids, name: 400)
    bench.put("A-1", payload=b'{"id": "A-1", "email": "jane@example.com"}')
    bench.run()
    assert caplog.messages == ["Purchase A-1 for paper will not be delivered: answer 400"]
