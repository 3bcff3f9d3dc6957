from __future__ import annotations

import json
import time

import attrs
import pytest

from capi_plugins.cli.health import look
from capi_plugins.outbox.base import Delivery, Standing
from capi_plugins.outbox.memory import MemoryOutbox
from capi_plugins.sandbox import Fault


@pytest.fixture
def report(capi):
    def report(*, healthy):
        result = capi("--config", "capi.toml", "status", "--json")
        assert result.returncode == (0 if healthy else 1), result.stderr
        return json.loads(result.stdout)

    return report


def test_where_all_is_well_it_says_so(capi, shop, lead, report):
    lead(shop(), "1", "2")
    capi("--config", "capi.toml", "deliver", "--once")
    found = report(healthy=True)
    assert (found["ok"], found["waiting"], found["dead"]) == (True, 0, 0)
    assert found["sender"] == "at work"
    (destination,) = found["destinations"]
    assert (destination["name"], destination["state"]) == ("meta", "ok")
    result = capi("--config", "capi.toml", "status")
    assert b"OK  destination meta accepts" in result.stdout
    assert b"0 errors, 0 warnings." in result.stdout


def test_what_was_just_put_is_no_trouble(shop, lead, report):
    lead(shop(), "1", "2")
    found = report(healthy=True)
    assert (found["waiting"], found["sender"]) == (2, "idle")
    assert time.time() - found["oldest"] < 60


def test_a_stopped_destination_is_told_with_its_reason(capi, shop, lead, report):
    lead(shop(token="wrong-token"), "1")
    capi("--config", "capi.toml", "deliver", "--once")
    found = report(healthy=False)
    (destination,) = found["destinations"]
    assert destination["state"] == "stopped"
    assert "the access token is not valid, code 190" in destination["reason"]
    assert destination["next_try"] == destination["failed_at"] + 900
    result = capi("--config", "capi.toml", "status")
    assert b"destination meta is stopped" in result.stdout
    assert b"wrong-token" not in result.stdout
    shop()
    (destination,) = report(healthy=True)["destinations"]
    assert destination["state"] == "not tried"


def test_an_error_that_may_pass_is_shown_and_is_no_alarm_yet(capi, shop, lead, sandbox, report):
    sandbox.inject(Fault.error(2, status=500, times=1))
    lead(shop(), "1")
    capi("--config", "capi.toml", "deliver", "--once")
    (destination,) = report(healthy=True)["destinations"]
    assert destination["state"] == "failing"
    assert "code 2" in destination["reason"]


def test_an_error_that_has_passed_is_no_longer_the_last_word(capi, shop, lead, sandbox, report):
    client = shop()
    sandbox.inject(Fault.throttle(4, times=1))
    lead(client, "1")
    capi("--config", "capi.toml", "deliver", "--once")
    lead(client, "2")
    capi("--config", "capi.toml", "deliver", "--once")
    assert "2" in [event.payload["event_id"] for event in sandbox.accepted("Lead")]
    (destination,) = report(healthy=True)["destinations"]
    assert destination["state"] == "ok"
    assert "too many requests" in destination["reason"]


def test_dead_letters_are_counted_and_are_no_alarm(capi, shop, lead, sandbox, report):
    sandbox.inject(Fault.error(100, 2804003, status=400, times=1))
    lead(shop(), "1")
    capi("--config", "capi.toml", "deliver", "--once")
    assert report(healthy=True)["dead"] == 1
    assert b"WARN  1 dead letters" in capi("--config", "capi.toml", "status").stdout


def test_an_outbox_that_cannot_be_used_is_told(shop, file_of_another_program, report):
    shop()
    found = report(healthy=False)
    assert found["problem"].startswith("it belongs to another program")
    assert found["sender"] == "unknown"


class Board(MemoryOutbox):
    def __init__(self, clock):
        super().__init__(clock=clock)
        self.posted = {}

    def post(self, standing):
        self.posted[standing.destination] = standing

    def probe(self, standing, *, until):
        return True

    def standings(self):
        return list(self.posted.values())


@pytest.fixture
def later(shop):
    """Looks at a board, in which one delivery was put at 0, some seconds later."""
    now = [0.0]
    board = Board(lambda: now[0])
    board.put([Delivery(destination="meta", event_name="Lead", event_id="1", payload=b"{}")])

    def later(seconds, *standings):
        for standing in standings:
            board.post(standing)
        return look(shop(), board, seconds)

    return later


STANDING = Standing(destination="meta", configuration="other", tried_at=0.0)


@pytest.mark.parametrize(
    ("tried_at", "sender"), [(None, "missing"), (-1000.0, "missing"), (100.0, "at work")]
)
def test_a_sender_is_missed_when_something_due_is_not_sent(later, tried_at, sender):
    posted = () if tried_at is None else (attrs.evolve(STANDING, tried_at=tried_at),)
    assert later(60.0).sender == "idle"
    health = later(200.0, *posted)
    assert health.sender == sender
    assert bool(health.degraded) is (sender == "missing")


def test_a_destination_that_has_not_accepted_for_long_is_an_alarm(later):
    standing = attrs.evolve(STANDING, tried_at=250.0, failed_at=250.0, reason="HTTP 503")
    assert later(250.0, standing).degraded == ()
    assert later(350.0).degraded == ("destination meta does not accept: HTTP 503",)


def test_an_outbox_in_memory_cannot_be_seen(capi, config):
    result = capi("--config", config(), "status")
    assert result.returncode == 2
    assert b"in the memory of each process" in result.stderr
