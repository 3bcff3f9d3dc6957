"""Whatever ends a process of a web server: what was answered with 200 arrives, and counts once.

The storms are short; ``CAPI_STORM_SECONDS=60`` makes them long, and adds the servers that take
long to begin a worker.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from capi_plugins.sandbox import Fault
from tests.faults.serving import (
    EXIT_TIMEOUT,
    LIMIT,
    STORM_SECONDS,
    Visitors,
    connections_to,
    open_files,
    searches,
    threads,
    wait_for,
)

SLACK = 5.0
"""What a busy machine may take for ending processes, besides what it promises."""
SERVERS = [
    ("flask", "gunicorn -w 2"),
    ("flask", "gunicorn -w 2 --preload"),
    ("flask", "gunicorn -w 2 --threads 4"),
    ("flask", "gunicorn -w 2 --threads 4 --preload"),
    ("flask", "gunicorn -w 2 -k gevent"),
    ("flask", "gunicorn -w 2 -k gevent --preload"),
    ("django", "gunicorn -w 2 --preload"),
    ("django", "gunicorn -w 2 -k uvicorn_worker.UvicornWorker"),
    ("django", "uvicorn"),
    ("django", "uvicorn --workers 2"),
]


def storm(server, visitors, seconds):
    """Kill workers while visitors come."""
    rng = random.Random(7)
    visitors.keep_coming()
    end = time.monotonic() + seconds
    kills = 0
    while time.monotonic() < end:
        # Only so that there is something to kill.
        time.sleep(rng.uniform(0.2, 0.5))
        kills += server.kill_one(rng)
    visitors.stay_away()
    return kills


def assert_counted_once(sandbox, visitors):
    arrived = searches(sandbox)
    assert set(visitors.acknowledged) <= set(arrived)
    assert {word for word, times in arrived.items() if times > 1} == set()
    assert len(arrived) <= visitors.asked
    # A process that is killed while it sends leaves a request that cannot be read.
    whole = [event for event in sandbox.refused if event.payload is not None]
    assert {event.refusal.reason for event in whole} <= {"injected"}


def assert_holds_nothing(pid, sandbox, box):
    assert [name for name in open_files(pid) if str(box.parent) in name] == []
    assert connections_to(pid, sandbox.url) == set()
    assert [name for name in threads(pid) if "capi" in name] == []
    assert len(threads(pid)) == 1


@pytest.mark.fault("A3", "A7", "A8", "A10")
@pytest.mark.parametrize(("shop", "kind"), SERVERS)
def test_what_was_answered_arrives_once(shop, kind, serve, sandbox, box):
    """Workers of gunicorn and uvicorn are killed at random while visitors come, then nobody
    answers any more and the server is told to end by SIGTERM.

    It ends within what it promises. Everything that was answered with 200 arrives after the
    next start and counts once. A master that has loaded the app holds no file, no connection
    and no thread of ours.
    """
    server = serve(kind, shop)
    visitors = Visitors(server)
    visitors.come(5)
    if server.workers():
        assert storm(server, visitors, STORM_SECONDS) > 0
    else:
        server.close()
        visitors.server = server = serve(kind, shop)
    if "gunicorn" in kind:
        server.wait_for_workers(2)
    if "--preload" in kind:
        assert_holds_nothing(server.process.pid, sandbox, box)

    # Nobody answers any more, and the server is told to end.
    sandbox.inject(Fault.hang(times=None))
    visitors.come(5)
    assert server.stop() < EXIT_TIMEOUT + 1 + SLACK, server.said()
    sandbox.clear_faults()

    # A page without an event is enough for the rest to go out.
    visitors.server = serve(kind.replace("-w 2", "-w 1"), shop)
    wait_for(sandbox, visitors.acknowledged)
    assert_counted_once(sandbox, visitors)
    assert visitors.server.stop() < EXIT_TIMEOUT + 1 + SLACK, visitors.server.said()
    with contextlib.closing(sqlite3.connect(box)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert "Traceback" not in server.said().replace("KeyboardInterrupt", ""), server.said()


@pytest.mark.fault("A7", "A10", "A19")
@pytest.mark.parametrize("kind", ["gunicorn -w 2 --preload", "gunicorn -w 2 --threads 4"])
def test_a_server_that_is_reloaded_and_ended_with_all_its_processes_loses_nothing(
    kind, serve, sandbox, box
):
    """gunicorn is told to load the app anew (SIGHUP) while visitors come, twice, then all of its
    processes are told to end at the same moment, as systemd does, while nobody answers.

    No visitor is turned away for it, everything is gone in time, and everything that was answered
    with 200 arrives after the next start, once.
    """
    server = serve(kind)
    visitors = Visitors(server)
    visitors.come(3)
    visitors.keep_coming()
    for _ in range(2):
        server.wait_for_workers(2)
        before = set(server.workers())
        server.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + LIMIT
        while before & set(server.workers()):
            assert time.monotonic() < deadline, server.said()
            time.sleep(0.02)
    visitors.stay_away()
    server.wait_for_workers(2)
    sandbox.inject(Fault.hang(times=None))
    visitors.come(3)
    began = time.monotonic()
    os.killpg(server.process.pid, signal.SIGTERM)
    server.process.wait(LIMIT)
    assert time.monotonic() - began < EXIT_TIMEOUT + 1 + SLACK, server.said()
    sandbox.clear_faults()
    visitors.server = serve(kind)
    wait_for(sandbox, visitors.acknowledged)
    assert_counted_once(sandbox, visitors)
    assert "Traceback" not in server.said().replace("KeyboardInterrupt", ""), server.said()


@pytest.mark.fault("A7", "A8")
@pytest.mark.parametrize(
    ("shop", "kind"), [("flask", "gunicorn -w 2 --threads 4"), ("django", "uvicorn --workers 2")]
)
def test_a_server_that_is_killed_while_it_ends_loses_nothing(shop, kind, serve, sandbox):
    """Only the first process of a server is told to end while visitors come and nobody answers, and
    all that is left a moment later is killed, as systemd does with `KillMode=mixed` and `process`.

    Everything that was answered with 200 arrives after the next start, once.
    """
    server = serve(kind, shop)
    visitors = Visitors(server)
    sandbox.inject(Fault.hang(times=None))
    visitors.come(3)
    visitors.keep_coming()
    os.kill(server.process.pid, signal.SIGTERM)
    # The moment is what is tried, so there is nothing to wait for.
    time.sleep(random.uniform(0, EXIT_TIMEOUT))
    server.close()
    visitors.stay_away()
    sandbox.clear_faults()
    visitors.server = serve(kind, shop)
    wait_for(sandbox, visitors.acknowledged)
    assert_counted_once(sandbox, visitors)


@pytest.mark.fault("A9")
@pytest.mark.parametrize("kind", ["gunicorn -w 2 --preload", "gunicorn -w 2"])
def test_workers_that_are_replaced_after_two_requests_lose_nothing(kind, serve, sandbox):
    """gunicorn replaces each worker after two requests, fifty times.

    All of the 100 events arrive, once each.
    """
    if "--preload" not in kind and STORM_SECONDS < 10:
        pytest.skip("loads the shop fifty times: CAPI_STORM_SECONDS is below 10")
    server = serve(f"{kind} --max-requests 2")
    visitors = Visitors(server)
    visitors.come(100)
    wait_for(sandbox, visitors.answered)
    assert set(searches(sandbox)) == set(visitors.answered)
    assert len(visitors.answered) == 100
    assert_counted_once(sandbox, visitors)


@pytest.mark.fault("A7")
def test_what_waits_in_memory_leaves_before_the_end(serve, sandbox):
    """gunicorn is told to end while events wait in the memory of its workers.

    They leave first, within the time the settings allow for it.
    """
    server = serve("gunicorn -w 2 --threads 4", OUTBOX="memory", EXIT_TIMEOUT=20)
    sandbox.inject(Fault.latency(0.5, times=2))
    visitors = Visitors(server)
    visitors.come(20)
    assert server.stop() < 20
    assert set(searches(sandbox)) == set(visitors.acknowledged)


@pytest.mark.fault("A7")
@pytest.mark.parametrize("kind", ["gunicorn -k gevent", "gunicorn --threads 2"])
def test_what_waits_in_memory_does_not_delay_the_end(kind, serve, sandbox):
    """gunicorn is told to end while events wait in memory and the other side never answers.

    It ends in time all the same.
    """
    sandbox.inject(Fault.hang(times=None))
    server = serve(kind, OUTBOX="memory")
    visitors = Visitors(server)
    visitors.come(4)
    sandbox.wait_for_requests(1)
    assert server.stop() < EXIT_TIMEOUT + 1 + SLACK


@pytest.mark.fault("A3", "A11")
@pytest.mark.parametrize("loading", ["", "--lazy-apps"])
def test_what_uwsgi_has_answered_arrives_once(loading, serve, sandbox):
    """uWSGI forks in C, and its workers are killed while visitors come.

    It ends in time. Everything answered with 200 arrives after the next start, once.
    """
    kind = f"uwsgi --processes 2 {loading}"
    server = serve(kind)
    visitors = Visitors(server)
    visitors.come(5)
    storm(server, visitors, STORM_SECONDS / 2)
    if loading:
        server.wait_for_workers(2)
    sandbox.inject(Fault.hang(times=None))
    visitors.come(2)
    assert server.stop() < EXIT_TIMEOUT + 1 + SLACK, server.said()
    sandbox.clear_faults()
    visitors.server = serve(kind)
    wait_for(sandbox, visitors.acknowledged)
    assert_counted_once(sandbox, visitors)


@pytest.mark.fault("A13", "A3", "A11")
@pytest.mark.parametrize("loading", ["", "--lazy-apps"])
def test_uwsgi_without_threads_stores_for_others_to_deliver(loading, serve, sandbox, box, tmp_path):
    """uWSGI says that it runs without threads, as older versions do, and its workers are killed
    while visitors come.

    Everything answered with 200 is in the file, nothing is sent and no thread begun, a warning says
    that nobody sends there, and `capi deliver --once` delivers all of it, once each.
    """
    server = serve(f"uwsgi --processes 2 --env WITHOUT_THREADS=1 {loading}")
    visitors = Visitors(server)
    visitors.come(5)
    storm(server, visitors, STORM_SECONDS / 2)
    if loading:
        server.wait_for_workers(2)
    visitors.come(2)
    for pid in server.workers():
        assert [name for name in threads(pid) if "capi" in name] == []
    assert server.stop() < EXIT_TIMEOUT + 1 + SLACK, server.said()
    assert "uWSGI runs without threads" in server.said()
    assert sandbox.requests == []
    config = tmp_path / "capi.toml"
    config.write_text(
        '[CONSENT]\nDEFAULT = "granted"\n'
        f'[DELIVERY]\nOUTBOX = "sqlite:///{box}"\nMAX_ATTEMPTS = 1000\n'
        '[DESTINATIONS.meta]\nDATASET_ID = "1234567890"\nACCESS_TOKEN = "t"\n'
        f'API_URL = "{sandbox.url}"\n'
    )
    capi = Path(sys.executable).with_name("capi")
    subprocess.run(
        [capi, "--config", config, "deliver", "--once"],
        check=True, capture_output=True, timeout=LIMIT * 2,
    )  # fmt: skip
    wait_for(sandbox, visitors.acknowledged)
    assert_counted_once(sandbox, visitors)
