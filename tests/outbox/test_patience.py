"""How long requests wait for a file that somebody else holds."""

from __future__ import annotations

import threading

import pytest

from capi_plugins.outbox import patience
from capi_plugins.outbox.patience import Patience


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 1000.0

        def monotonic(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(patience, "time", clock)
    return clock


def test_who_has_waited_in_vain_does_not_wait_again_at_once(clock):
    mine = Patience()
    assert mine.left() == patience.REQUEST_SECONDS
    clock.now += 0.05
    mine.in_vain()
    assert mine.left() == 0
    others: list[float] = []
    another = threading.Thread(target=lambda: others.append(mine.left()))
    another.start()
    another.join(60)
    assert others == [patience.REQUEST_SECONDS]


def test_tries_that_do_not_wait_do_not_keep_a_thread_from_waiting(clock):
    """A thread with much to store would find the turn of others each time, and never get one."""
    mine = Patience()
    mine.in_vain()
    for _ in range(6):
        assert mine.left() == 0
        mine.in_vain()
        mine.rewarded()  # of another thread
        clock.now += 0.01
    assert mine.left() == patience.REQUEST_SECONDS


def test_a_thread_waits_less_often_where_nobody_has_got_a_turn_since(clock):
    mine = Patience()
    mine.in_vain()
    clock.now += 0.2
    assert mine.left() == 0
    clock.now += 0.1
    assert mine.left() == patience.REQUEST_SECONDS


def test_nobody_waits_where_no_one_has_got_a_turn_for_a_while(clock):
    mine = Patience()
    mine.in_vain()
    clock.now += 0.6
    assert mine.left() == 0
    assert mine.hopeless
    mine.rewarded()
    assert mine.left() == patience.REQUEST_SECONDS
