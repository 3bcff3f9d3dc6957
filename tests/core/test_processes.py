"""Forks and the end of an interpreter. Each test runs its own Python: what it does is final."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIMIT = 60

BEGIN = """
import os, sys, threading, time
from tests.core.paper import Post, OK, paper_client
from capi_plugins.destinations.base import Response

def say(events, name):
    os.write(1, b"".join(b"%d %s\\n" % (os.getpid(), event["id"].encode()) for event in events))
    return OK

def client(answer=say, **delivery):
    return paper_client(Post(answer), DELIVERY={"OUTBOX": "memory", **delivery})

def wait_for(pid):
    assert os.waitpid(pid, 0)[1] == 0
"""


def run(code, *, ok=True):
    """Run a program; return the (process, event id) pairs that were delivered, and its pid."""
    began = time.monotonic()
    process = subprocess.Popen(
        [
            sys.executable,
            "-W",
            "error",
            "-W",
            "ignore::DeprecationWarning",
            "-c",
            BEGIN + textwrap.dedent(code),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        # Its children have the pipes too.
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        pytest.fail(f"the program did not end\n{out}\n{err}")
    if ok:
        assert (process.returncode, err) == (0, "")
    told = [tuple(line.split()) for line in out.splitlines()]
    return told, str(process.pid), err, time.monotonic() - began


def test_the_end_of_the_interpreter_delivers():
    told, pid, *_ = run("""
        c = client()
        for number in range(300):
            c.track("Lead", event_id=str(number))
    """)
    assert sorted(told) == sorted((pid, str(number)) for number in range(300))


def test_the_end_delivers_even_what_an_exception_ended():
    told, pid, err, _ = run(
        """
        c = client()
        c.track("Lead", event_id="1")
        raise SystemExit(3)
        """,
        ok=False,
    )
    assert told == [(pid, "1")]
    assert err == ""


def test_the_end_comes_in_time_when_the_endpoint_hangs():
    told, _, err, took = run(
        """
        c = client(lambda events, name: threading.Event().wait(), EXIT_TIMEOUT=0.3)
        c.track("Lead", event_id="1")
    """,
        ok=False,
    )
    assert told == []
    assert took < 20
    assert "Traceback" not in err


def test_the_end_comes_in_time_when_the_endpoint_fails():
    _told, _, _, took = run(
        """
        c = client(lambda events, name: Response(status=500), EXIT_TIMEOUT=0.3)
        c.track("Lead", event_id="1")
    """,
        ok=False,
    )
    assert took < 20


def test_a_child_delivers_its_own_events_and_only_those():
    told, pid, *_ = run("""
        gate = threading.Event()
        parent = os.getpid()

        def answer(events, name):
            if os.getpid() == parent:
                gate.wait(30)
            return say(events, name)

        c = client(answer)
        c.track("Lead", event_id="parent")
        child = os.fork()
        if child == 0:
            c.track("Lead", event_id="child")
            assert c.flush(30)
            os._exit(0)
        wait_for(child)
        gate.set()
        assert c.flush(30)
    """)
    assert [event for _, event in told] == ["child", "parent"]
    assert told[1][0] == pid
    assert told[0][0] != pid


def test_a_child_that_ends_in_order_delivers():
    told, _pid, *_ = run("""
        c = client()
        child = os.fork()
        c.track("Lead", event_id="child" if child == 0 else "parent")
        if child == 0:
            sys.exit(0)
        wait_for(child)
    """)
    assert sorted(event for _, event in told) == ["child", "parent"]
    assert len({process for process, _ in told}) == 2


def test_children_of_children_deliver():
    told, *_ = run("""
        c = client()
        for depth in range(4):
            c.track("Lead", event_id=str(depth))
            assert c.flush(30)
            child = os.fork()
            if child:
                wait_for(child)
                break
    """)
    assert sorted(event for _, event in told) == ["0", "1", "2", "3"]
    assert len({process for process, _ in told}) == 4


def test_a_fork_at_any_moment_does_not_hang_the_child():
    told, pid, *_ = run("""
        c = client(QUEUE_SIZE=1000000)
        over = threading.Event()

        def busy():
            number = 0
            while not over.is_set():
                number += 1
                c.track("Busy", event_id=f"busy-{threading.get_ident()}-{number}")

        threads = [threading.Thread(target=busy) for _ in range(3)]
        for thread in threads:
            thread.start()
        children = []
        for number in range(20):
            child = os.fork()
            if child == 0:
                c.track("Lead", event_id=f"child-{number}")
                os._exit(0 if c.flush(20) else 1)
            children.append(child)
        for child in children:
            wait_for(child)
        over.set()
        for thread in threads:
            thread.join()
    """)
    own = [event for process, event in told if process != pid]
    assert sorted(own) == sorted(f"child-{number}" for number in range(20))
    assert len({event for _, event in told}) == len(told)


def test_locks_held_at_a_fork_do_not_hang_the_child():
    told, _pid, *_ = run("""
        c = client()
        c.track("Lead", event_id="0")
        assert c.flush(30)
        process = c._delivering._process()
        with process.worker._changed, process.outbox._lock:
            child = os.fork()
            if child == 0:
                c.track("Lead", event_id="child")
                os._exit(0 if c.flush(20) else 1)
            wait_for(child)
        c.track("Lead", event_id="1")
        assert c.flush(30)
    """)
    assert [event for _, event in told] == ["0", "child", "1"]


def test_a_worker_process_of_gunicorns_kind_delivers():
    """The client is made before the fork, as with ``preload_app``, and first used after it."""
    told, pid, *_ = run("""
        c = client()
        children = []
        for number in range(3):
            child = os.fork()
            if child == 0:
                c.track("Lead", event_id=str(number))
                sys.exit(0)
            children.append(child)
        for child in children:
            wait_for(child)
    """)
    assert sorted(event for _, event in told) == ["0", "1", "2"]
    assert pid not in {process for process, _ in told}


def test_importing_the_package_is_cheap():
    told, *_ = run("""
        import subprocess
        code = "import sys, capi_plugins; print(*sys.modules)"
        print(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout)
    """)
    modules = {name for line in told for name in line}
    assert "capi_plugins" in modules
    heavy = {"httpx", "asyncio", "sqlite3", "django", "flask", "werkzeug", "click", "rich", "ssl"}
    heavy |= {"phonenumbers", "http.client", "multiprocessing", "concurrent.futures"}
    assert modules & heavy == set()
