"""Processes that are killed, stopped and left without answers, and what arrives all the same."""

from __future__ import annotations

import collections
import contextlib
import json
import os
import random
import signal
import sqlite3
import sys
import time

import pytest

from capi_plugins import configure
from capi_plugins.sandbox import Fault
from tests.faults.shop_process import event
from tests.faults.shop_settings import settings
from tests.faults.shops import PATIENT

SECONDS = float(os.environ.get("CAPI_KILL_SECONDS", "6"))
"""How long the storm lasts; the longer the better."""


def copies(sandbox):
    return collections.Counter(found.payload["event_id"] for found in sandbox.events)


def deliver_the_rest(sandbox, path, until):
    client = configure(settings(sandbox.url, path, **PATIENT))
    client.capture(event("the-last"))
    until(lambda: client.stats().waiting == 0, 60)
    stats = client.stats()
    client.close()
    assert stats.dead == stats.in_memory == 0


@pytest.mark.fault("A3", "A5")
@pytest.mark.storm
def test_nothing_promised_is_lost_in_a_storm_of_kills(run_shop, sandbox, path, until):
    """Four processes that capture and send are killed and stopped at random, while the other
    side fails, drops connections after taking a batch, and answers late.

    All that was promised arrives and counts once, copies are identical, nothing is left
    behind and the file is sound.
    """
    rng = random.Random(4)
    running = [run_shop() for _ in range(4)]
    end = time.monotonic() + SECONDS
    kills = 0
    while time.monotonic() < end:
        time.sleep(rng.uniform(0.1, 0.5))
        fault = rng.random()
        if fault < 0.2:
            sandbox.inject(Fault.server_error())
        elif fault < 0.3:
            sandbox.inject(Fault.drop_after_storing())
        elif fault < 0.4:
            sandbox.inject(Fault.late_answer(0.5))
        index = rng.randrange(len(running))
        if rng.random() < 0.2:
            running[index].process.send_signal(signal.SIGSTOP)
            time.sleep(0.3)
            running[index].process.send_signal(signal.SIGCONT)
        else:
            running[index].kill()
            kills += 1
            running[index] = run_shop()
    for shop in running:
        shop.kill()
    sandbox.clear_faults()
    deliver_the_rest(sandbox, path, until)

    promised = [event_id for shop in run_shop.all for event_id in shop.promised()]
    arrived = copies(sandbox)
    assert len(promised) > 5 * SECONDS
    assert kills > SECONDS / 2
    assert set(promised) - set(arrived) == set()
    # A process killed in the middle of a request leaves one that cannot be read.
    whole = [found for found in sandbox.refused if found.payload is not None]
    assert {found.refusal.reason for found in whole} <= {"injected"}
    accepted = [found.payload["event_id"] for found in sandbox.accepted()]
    assert len(accepted) == len(set(accepted)), "each counts once"
    same = collections.defaultdict(set)
    for found in sandbox.events:
        same[found.payload["event_id"]].add(json.dumps(found.payload, sort_keys=True))
    assert all(len(different) == 1 for different in same.values()), "copies are identical"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT COUNT(*) FROM delivery").fetchone() == (0,)
    sys.stderr.write(
        f"\n{kills} kills, {len(promised)} promised, {len(arrived)} arrived, "
        f"{sum(arrived.values()) - len(arrived)} further copies\n"
    )


@pytest.mark.fault("A4", "A5")
def test_when_the_sender_is_killed_another_sends_the_same_within_seconds(run_shop, sandbox, until):
    """The process that sends is killed after the other side has taken its batch, and before
    it hears of that.

    Another process, which sent nothing meanwhile, sends the same within seconds; the
    second copy is identical.
    """
    sandbox.inject(Fault.late_answer(30))
    sender = run_shop(TIMEOUT=60)
    sandbox.wait_for(1)
    standby = run_shop(TIMEOUT=60)
    until(standby.promised)
    first = set(copies(sandbox))
    assert not first & set(standby.promised()), "one sends at a time"
    sender.kill()
    killed = time.monotonic()
    until(lambda: all(copies(sandbox)[event_id] == 2 for event_id in first))
    assert time.monotonic() - killed < 6
    for event_id in first:
        one, two = (each.payload for each in sandbox.events if each.payload["event_id"] == event_id)
        assert json.dumps(one) == json.dumps(two)
    accepted = [found.payload["event_id"] for found in sandbox.accepted()]
    assert len(accepted) == len(set(accepted)), "each counts once"


@pytest.mark.fault("A1")
def test_a_process_starts_with_what_an_earlier_one_left(run_shop, sandbox, path, until):
    """The only process is killed while the other side answers nobody.

    The next process to start delivers what it left.
    """
    sandbox.inject(Fault.hang(times=None))
    shop = run_shop(TIMEOUT=60)
    until(lambda: len(shop.promised()) >= 5)
    shop.kill()
    sandbox.clear_faults()
    deliver_the_rest(sandbox, path, until)
    assert set(shop.promised()) <= set(copies(sandbox))
    assert set(copies(sandbox).values()) == {1}


@pytest.mark.fault("A7")
def test_nobody_waits_for_an_endpoint_that_hangs_when_a_process_ends(run_shop, sandbox, until):
    """A process ends in order while the other side never answers.

    It is gone within seconds.
    """
    sandbox.inject(Fault.hang(times=None))
    shop = run_shop(TIMEOUT=60, EXIT_TIMEOUT=0.2)
    until(lambda: len(shop.promised()) >= 5)
    start = time.monotonic()
    assert shop.end() == 0
    assert time.monotonic() - start < 3


@pytest.mark.fault("A7")
def test_a_process_that_ends_does_not_wait_for_what_others_have_to_send(sandbox, path, until):
    """A process ends in order while its destination is stopped for a wrong token.

    It does not wait for what stays in the file.
    """
    sandbox.inject(Fault.error(190, status=401, times=None))
    client = configure(settings(sandbox.url, path, **{**PATIENT, "EXIT_TIMEOUT": 30}))
    client.capture(event("kept"))
    until(client.stopped)
    start = time.monotonic()
    assert client.close().waiting == 0
    assert time.monotonic() - start < 1


@pytest.mark.fault("A13")
def test_a_worker_of_its_own_sends_what_web_processes_store(run_shop, sandbox, path, until):
    """Web processes that only store events end, and then another process sends.

    All that was promised arrives.
    """
    shop = run_shop(WORKER="external")
    until(lambda: len(shop.promised()) >= 20)
    assert shop.end() == 0
    assert not sandbox.requests
    client = configure(settings(sandbox.url, path, **{**PATIENT, "WORKER": "external"}))
    assert client.flush(20).waiting == 0
    client.close()
    assert set(shop.promised()) <= set(copies(sandbox))
    assert set(copies(sandbox).values()) == {1}
