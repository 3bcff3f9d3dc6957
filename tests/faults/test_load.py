"""More events at once than anybody can take, from threads, processes, greenlets and coroutines."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import time

import pytest

from capi_plugins import configure
from capi_plugins.sandbox import Fault
from tests.faults.orders import environ
from tests.faults.serving import HOSTS, missing
from tests.faults.shop_settings import settings
from tests.outbox.other_process import ROOT

PATH = {"PYTHONPATH": str(ROOT)}


@pytest.mark.fault("D3")
def test_what_finds_no_room_is_refused_and_counted(sandbox, box):
    """Nobody answers for a minute, and ten times as many events are captured as the outbox has room
    for, in memory and in a file.

    What finds no room is refused and told of, and costs a request no more than what is stored; when
    answers come again the rest is delivered. Captured is delivered plus refused, to the last event.
    """
    sandbox.inject(Fault.hang(times=None))
    # The file takes some hundreds of these, and memory a thousand more.
    sizes = {"memory": 1_500, f"sqlite:///{box}?max_bytes=1000000": 15_000}
    running = {}
    for outbox, events in sizes.items():
        size = {"QUEUE_SIZE": 100} if outbox == "memory" else {}
        wanted = settings(sandbox.url, outbox, TIMEOUT=200, MAX_ATTEMPTS=1000, **size)
        name = outbox.partition(":")[0]
        program = [sys.executable, str(HOSTS / "full_shop.py"), json.dumps(wanted), name]
        running[name] = subprocess.Popen(
            [*program, str(events), "60"], env={**os.environ, **PATH}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    try:
        for process in running.values():
            assert process.stdout.readline() == "captured\n"
        sandbox.clear_faults()
        told = {name: json.loads(process.communicate("\n", 90)[0])
                for name, process in running.items()}  # fmt: skip
    finally:
        for process in running.values():
            process.kill()
            process.communicate()
    for captured, (name, found) in zip(sizes.values(), told.items(), strict=True):
        counts = found["counts"]
        assert found["balances"], found
        assert counts["captured"] == captured
        assert captured >= 10 * counts["delivered"] > 0
        assert captured == counts["delivered"] + counts["full"]
        accepted = [event.payload["event_id"] for event in sandbox.accepted()]
        assert sum(each.startswith(name) for each in accepted) == counts["delivered"]
        assert found["full_for"] > 40, found
        # Time of the processor: others use the machine too.
        assert found["full"] <= found["room"] + 0.001, found
        assert found["wait"] < 0.01, found
    assert not any(event.duplicate for event in sandbox.events)


@pytest.mark.fault("D6")
def test_ten_thousand_events_of_eight_processes_with_32_threads_all_count(sandbox, box):
    """Eight processes with 32 threads each capture ten thousand events at once, into one file.

    Nothing is raised, and every event is delivered, waits or was refused, to the last one.
    """
    wanted = json.dumps(settings(sandbox.url, box, MAX_ATTEMPTS=1000, EXIT_TIMEOUT=20))
    program = [sys.executable, str(HOSTS / "bursting.py"), wanted]
    running = [
        subprocess.Popen(
            [*program, f"shop{number}", "32", "40"],
            env={**os.environ, **PATH},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(8)
    ]
    counts = []
    for process in running:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        counts.append(json.loads(out))
    captured = sum(each["captured"] for each in counts)
    refused = sum(each["full"] for each in counts)
    assert captured == 8 * 32 * 40
    assert sum(each["dropped"] + each["dead"] for each in counts) == 0
    client = configure(settings(sandbox.url, box, MAX_ATTEMPTS=1000))
    deadline = time.monotonic() + 60
    while not client.flush(10):
        assert time.monotonic() < deadline, client.stats()
    assert client.stats().dead == client.stats().in_memory == 0
    client.close()
    assert len(sandbox.accepted()) == captured - refused
    assert len(sandbox.events) == len(sandbox.accepted()), "nothing was sent twice"


@pytest.mark.fault("D7")
def test_a_thousand_orders_at_once_are_captured_beside_the_event_loop(sandbox, box):
    """Django serves a thousand requests at once in one event loop, each with an event, while
    another connection holds the file and looking at one of the events takes half a second.

    Every event arrives, not one was captured in the thread of the loop, no turn of the loop is much
    longer than without the package, and none takes 20 ms of the processor.
    """
    pytest.importorskip("django")
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
    # What has to be kept in memory while the file is held is sent from there, or stored.
    wanted = {**settings(sandbox.url, box), "PLUGINS": ["async_orders"]}
    found = environ(wanted, database=database)
    done = subprocess.run(
        [sys.executable, str(HOSTS / "async_orders.py"), str(box)],
        env={**found, "DJANGO_SETTINGS_MODULE": "async_orders"},
        capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rounds = [json.loads(line) for line in done.stdout.splitlines()]
    without, ours, busy = (min(each) for each in zip(*rounds, strict=True))
    # What the package does to the loop it does in every round; what others do to the machine not.
    assert ours < max(0.25, 3 * without), rounds
    assert busy < 0.02, rounds
    orders = {f"order-{turn}-{number}" for turn in range(len(rounds)) for number in range(1000)}
    assert {found.payload["event_id"] for found in sandbox.accepted()} == orders | {"first"}
    assert len(sandbox.events) == len(orders) + 1


@pytest.mark.fault("D8")
@pytest.mark.parametrize("outbox", ["memory", "sqlite"])
@pytest.mark.parametrize(
    ("library", "moment"),
    [
        ("gevent", "early"),
        ("gevent", "late"),
        ("gevent", "late, anew"),
        ("eventlet", "early"),
        ("eventlet", "late, anew"),
    ],
)
def test_threads_that_become_greenlets_lose_nothing(library, moment, outbox, sandbox, box):
    """gevent or eventlet replaces Python's threads: before anything else, after the package was
    imported, and with gevent after events were sent; eventlet breaks the locks of threads that run.

    Nothing is raised, everything arrives once, and no other greenlet waits for more than 50 ms,
    though somebody else holds the file while several requests are under way.
    """
    if importlib.util.find_spec(library) is None:
        missing(f"{library} is not installed")
    wanted = settings(sandbox.url, box if outbox == "sqlite" else "memory", BATCH_SIZE=2)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(HOSTS / "greening.py"), json.dumps(wanted), library,
         moment, *([str(box)] if outbox == "sqlite" else [])],
        env={**os.environ, **PATH}, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    # That somebody else holds the file is said.
    assert set(re.findall(r"failed with (\w+)", done.stderr)) <= {"Unavailable"}, done.stderr
    expected = {
        f"{turn}-{number}-{each}"
        for turn in range(int(done.stdout)) for number in range(10) for each in range(5)
    }  # fmt: skip
    expected |= {"before"} if moment == "late" else set()
    accepted = [found.payload["event_id"] for found in sandbox.events]
    assert sorted(accepted) == sorted(expected)
