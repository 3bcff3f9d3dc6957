"""Forks: through Python, through C, in the middle of a commit, and right before the end."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

from tests.outbox.other_process import ROOT, ids

START = """
import os, sys, time
from capi_plugins.outbox.sqlite import SqliteOutbox
from tests.outbox.other_process import delivery, ids

path = sys.argv[1]
outbox = SqliteOutbox(path)

def wait(pid):
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code == 0, code
"""


def run(path, code, *options):
    """Run a program of its own: forks do not go with the threads of a test run."""
    done = subprocess.run(
        [sys.executable, *options, "-c", START + textwrap.dedent(code), str(path)],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def waiting(open_outbox):
    found = open_outbox().take("paper", limit=1000, max_bytes=10**7, now=0)
    return sorted(ids(found))


@pytest.mark.fault("A11")
def test_a_child_stores_what_outlives_everybody(open_outbox, path):
    """A child of a fork stores events beside its parent, which closes the file, and a
    stranger reads it in between.

    All of the events are there in the end.
    """
    code = """
        outbox.put([delivery("master")])
        up, told = os.pipe()
        down, tell = os.pipe()
        pid = os.fork()
        if pid == 0:
            mine = SqliteOutbox(path)
            mine.put([delivery("child 1")])
            os.write(told, b"x")
            os.read(down, 1)
            mine.put([delivery("child 2")])
            assert mine.stats().in_memory == 0
            os._exit(0)
        os.read(up, 1)
        outbox.close()
        stranger = os.spawnl(os.P_WAIT, sys.executable, sys.executable, "-c",
            "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); "
            "c.execute('SELECT * FROM delivery').fetchall(); c.close()", path)
        assert stranger == 0
        os.write(tell, b"x")
        wait(pid)
    """
    run(path, code, "-W", "error")
    assert waiting(open_outbox) == ["child 1", "child 2", "master"]


@pytest.mark.fault("A11")
def test_the_parent_goes_on_after_a_fork(open_outbox, path):
    """A process forks again and again while a batch of its own is on its way.

    It settles the batch and stores further events; nothing is doubled or lost.
    """
    code = """
        for number in range(5):
            outbox.put([delivery(f"before {number}")])
            batch = outbox.take("paper", limit=1, max_bytes=1000, now=0)
            pid = os.fork()
            if pid == 0:
                os._exit(0)
            wait(pid)
            outbox.delivered(batch)
            outbox.put([delivery(f"after {number}")])
        assert outbox.stats().in_memory == 0
        outbox.close()
    """
    run(path, code, "-W", "error")
    assert len(waiting(open_outbox)) == 5


@pytest.mark.fault("A12")
def test_a_child_is_not_held_up_by_a_lock_somebody_held_at_the_fork(open_outbox, path):
    """A process forks forty times while three of its threads store, take and settle.

    Every child stores its event within a second.
    """
    code = """
        import threading
        over = threading.Event()

        def busy(name):
            number = 0
            while not over.is_set():
                outbox.put([delivery(f"{name} {number}", "noise")])
                batch = outbox.take("noise", limit=100, max_bytes=10**6, now=0)
                outbox.delivered(batch)
                outbox.stats()
                number += 1

        threads = [threading.Thread(target=busy, args=(name,), daemon=True) for name in "abc"]
        for thread in threads:
            thread.start()
        for number in range(40):
            pid = os.fork()
            if pid == 0:
                start = time.monotonic()
                mine = SqliteOutbox(path)
                mine.put([delivery(f"child {number}")])
                late = time.monotonic() - start > 1
                mine.close()
                os._exit(3 if late else 0)
            wait(pid)
        over.set()
        for thread in threads:
            thread.join(20)
        outbox.close()
    """
    run(path, code)
    assert waiting(open_outbox) == sorted(f"child {number}" for number in range(40))


@pytest.mark.fault("A11")
def test_a_child_of_a_fork_in_c_keeps_its_hands_off_the_inherited_file(open_outbox, path):
    """A process that has the file open forks in C, past Python, as uWSGI does.

    The child keeps its event in memory, says so and can send it from there; the events of the
    parent are safe.
    """
    code = """
        import ctypes
        fork = ctypes.PyDLL(None).fork
        outbox.put([delivery("parent")])
        pid = fork()
        if pid == 0:
            mine = SqliteOutbox(path)
            stored = mine.put([delivery("child")])
            stats = mine.stats()
            batch = mine.take("paper", limit=9, max_bytes=10**6, now=0)
            good = (
                not stored.refused
                and stats.in_memory == 1
                and "forked" in stats.problem
                and ids(batch) == ["child"]
            )
            os._exit(0 if good else 3)
        wait(pid)
        outbox.put([delivery("parent too")])
        outbox.close()
    """
    run(path, code)
    assert waiting(open_outbox) == ["parent", "parent too"]


@pytest.mark.fault("A11")
def test_a_child_of_a_fork_in_c_uses_the_file_if_the_parent_had_not_opened_it(open_outbox, path):
    """A process that has not opened the file yet forks in C.

    The child stores its event in the file.
    """
    code = """
        import ctypes
        pid = ctypes.PyDLL(None).fork()
        if pid == 0:
            mine = SqliteOutbox(path)
            mine.put([delivery("child")])
            os._exit(0 if mine.stats().in_memory == 0 else 3)
        wait(pid)
    """
    run(path, code)
    assert waiting(open_outbox) == ["child"]


@pytest.mark.fault("A11", "A14")
def test_a_forked_process_is_another_sender(open_outbox, path):
    """A process forks while a batch of its own is on its way, and dies.

    The child sends nothing meanwhile; the batch is there for whoever comes next.
    """
    code = """
        outbox.put([delivery("1"), delivery("2")])
        assert ids(outbox.take("paper", limit=1, max_bytes=1000, now=0)) == ["1"]
        pid = os.fork()
        if pid == 0:
            mine = SqliteOutbox(path)
            found = mine.take("paper", limit=1, max_bytes=1000, now=0)
            os._exit(len(found))
        wait(pid)
        os._exit(0)
    """
    run(path, code)
    assert waiting(open_outbox) == ["1", "2"]
