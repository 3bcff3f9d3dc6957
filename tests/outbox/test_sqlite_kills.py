"""Processes that are killed, stopped and left without answers, and what arrives all the same."""

from __future__ import annotations

import collections
import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from capi_plugins import configure
from capi_plugins.sandbox import Fault, Sandbox
from tests.outbox.other_process import ROOT
from tests.outbox.shop_process import event

SECONDS = float(os.environ.get("CAPI_KILL_SECONDS", "20"))
"""How long the storm lasts; the longer the better."""


@pytest.fixture
def sandbox():
    with Sandbox(limit=1_000_000) as running:
        yield running


def settings(sandbox, path, **delivery):
    return {
        "DESTINATIONS": {
            "meta": {"DATASET_ID": "1234567890", "ACCESS_TOKEN": "TOKEN", "API_URL": sandbox.url}
        },
        "CONSENT": {"DEFAULT": "granted"},
        "DELIVERY": {
            "OUTBOX": f"sqlite:///{path}", "MAX_ATTEMPTS": 1000, "TIMEOUT": 3, **delivery
        },
    }  # fmt: skip


class Shop:
    """A process of ``shop_process.py``, what it promised kept in a file that outlives it."""

    def __init__(self, folder, wanted, name, per_second=40.0):
        self._out = folder / f"{name}.ids"
        with self._out.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / "tests/outbox/shop_process.py"),
                 json.dumps(wanted), name, str(per_second)],
                stdin=subprocess.PIPE, stdout=out, env={**os.environ, "PYTHONPATH": str(ROOT)},
            )  # fmt: skip

    def promised(self):
        return self._out.read_text().splitlines()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()

    def end(self):
        self.process.communicate(b"\n", timeout=30)
        return self.process.returncode


@pytest.fixture
def open_shop(tmp_path, sandbox, path):
    shops = []

    def open_shop(per_second=40.0, **delivery):
        wanted = settings(sandbox, path, **delivery)
        shops.append(Shop(tmp_path, wanted, f"shop{len(shops)}", per_second))
        return shops[-1]

    open_shop.all = shops
    yield open_shop
    for shop in shops:
        if shop.process.poll() is None:
            shop.process.send_signal(signal.SIGCONT)
            shop.kill()


def copies(sandbox):
    return collections.Counter(found.payload["event_id"] for found in sandbox.events)


def deliver_the_rest(sandbox, path, until):
    client = configure(settings(sandbox, path))
    client.capture(event("the-last"))
    until(lambda: client.stats().waiting == 0, 60)
    stats = client.stats()
    client.close()
    assert stats.dead == stats.in_memory == 0


@pytest.mark.storm
def test_nothing_promised_is_lost_in_a_storm_of_kills(open_shop, sandbox, path, until):
    rng = random.Random(4)
    running = [open_shop() for _ in range(4)]
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
            running[index] = open_shop()
    for shop in running:
        shop.kill()
    sandbox.clear_faults()
    deliver_the_rest(sandbox, path, until)

    promised = [event_id for shop in open_shop.all for event_id in shop.promised()]
    arrived = copies(sandbox)
    assert len(promised) > 20 * SECONDS
    assert kills > SECONDS
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


def test_when_the_sender_is_killed_another_sends_the_same_within_a_second(
    open_shop, sandbox, until
):
    """The answer is lost with the sender: the event was accepted, and nobody knows."""
    sandbox.inject(Fault.late_answer(30))
    sender = open_shop(TIMEOUT=60)
    sandbox.wait_for(1)
    standby = open_shop(TIMEOUT=60)
    until(standby.promised)
    first = set(copies(sandbox))
    assert not first & set(standby.promised()), "one sends at a time"
    sender.kill()
    killed = time.monotonic()
    until(lambda: all(copies(sandbox)[event_id] == 2 for event_id in first))
    assert time.monotonic() - killed < 2
    one, two = (found.payload for found in sandbox.events if found.payload["event_id"] in first)
    assert one == two


def test_a_process_starts_with_what_an_earlier_one_left(open_shop, sandbox, path, until):
    sandbox.inject(Fault.hang(times=None))
    shop = open_shop(TIMEOUT=60)
    until(lambda: len(shop.promised()) >= 5)
    shop.kill()
    sandbox.clear_faults()
    deliver_the_rest(sandbox, path, until)
    assert set(shop.promised()) <= set(copies(sandbox))


def test_nobody_waits_for_an_endpoint_that_hangs_when_a_process_ends(open_shop, sandbox, until):
    sandbox.inject(Fault.hang(times=None))
    shop = open_shop(TIMEOUT=60, EXIT_TIMEOUT=0.2)
    until(lambda: len(shop.promised()) >= 5)
    start = time.monotonic()
    assert shop.end() == 0
    assert time.monotonic() - start < 3


def test_a_process_that_ends_does_not_wait_for_what_others_have_to_send(sandbox, path, until):
    sandbox.inject(Fault.error(190, status=401, times=None))
    client = configure(settings(sandbox, path, EXIT_TIMEOUT=30))
    client.capture(event("kept"))
    until(client.stopped)
    start = time.monotonic()
    assert client.close().waiting == 0
    assert time.monotonic() - start < 1


def test_a_worker_of_its_own_sends_what_web_processes_store(open_shop, sandbox, path, until):
    shop = open_shop(WORKER="external")
    until(lambda: len(shop.promised()) >= 20)
    assert shop.end() == 0
    assert not sandbox.requests
    client = configure(settings(sandbox, path, WORKER="external"))
    assert client.flush(20).waiting == 0
    client.close()
    assert set(shop.promised()) <= set(copies(sandbox))
