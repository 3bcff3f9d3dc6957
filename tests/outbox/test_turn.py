from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from capi_plugins.outbox import turn
from capi_plugins.outbox.turn import Turn


def test_one_thread_has_the_turn_and_others_wait_for_theirs():
    mine, inside, most = Turn(), [], []

    def take():
        for _ in range(50):
            with mine:
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    with ThreadPoolExecutor(4) as pool:
        for each in [pool.submit(take) for _ in range(4)]:
            each.result(60)
    assert len(most) == 200
    assert max(most) == 1


def test_who_waits_for_a_turn_waits_no_longer_than_it_said():
    mine = Turn()
    assert mine.acquire(0)
    got = []
    another = threading.Thread(target=lambda: got.append(mine.acquire(0.02)))
    another.start()
    another.join(60)
    assert got == [False]


def test_the_thread_that_has_the_turn_gets_no_other():
    mine = Turn()
    with mine:
        assert not mine.acquire(60)
        with pytest.raises(RuntimeError), mine:
            pass
    assert mine.acquire(0)


def test_who_is_interrupted_while_waiting_takes_nothing(monkeypatch):
    mine, waiting, go_on = Turn(), threading.Event(), threading.Event()

    def have():
        with mine:
            waiting.set()
            go_on.wait(60)

    def interrupted():
        raise SystemExit

    another = threading.Thread(target=have)
    another.start()
    assert waiting.wait(60)
    monkeypatch.setattr(turn, "pause", interrupted)
    with pytest.raises(SystemExit):
        mine.acquire(60)
    go_on.set()
    another.join(60)
    assert mine.acquire(0)
