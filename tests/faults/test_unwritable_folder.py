"""A folder that cannot be written, or may not be used."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import logging
import os
import subprocess
import sys

import pytest

from capi_plugins.outbox import sqlite_file
from tests.faults.disk import preloaded
from tests.faults.serving import HOSTS
from tests.faults.shop_settings import settings
from tests.faults.small_shop import accepted, until
from tests.faults.storage import LOCK, integrity, small_disk, take
from tests.outbox.other_process import ROOT, OtherProcess, delivery


@pytest.mark.fault("B8")
def test_a_read_only_place_is_survived_and_left_when_it_can_be_written(
    open_outbox, path, monkeypatch, caplog
):
    """The file system is read-only, and later is not.

    Events are kept in memory and sent from there, one error is logged, and the file is used
    again once it can be.
    """
    monkeypatch.setattr(sqlite_file, "REOPEN", 0.05)
    with small_disk(path.parent):
        remount = ["mount", "-o", "remount,{},size=2m", str(path.parent)]
        subprocess.run([part.format("ro") for part in remount], check=True)
        outbox = open_outbox()
        with caplog.at_level(logging.ERROR, "capi_plugins"):
            assert not outbox.put([delivery("1"), delivery("2")]).refused
            outbox.put([delivery("3")])
        assert len(caplog.records) == 1
        assert outbox.stats().in_memory == 3
        assert "Read-only" in outbox.stats().problem
        batch = take(outbox, limit=1)
        assert len(batch) == 1, "it is sent from memory"
        outbox.delivered(batch)
        subprocess.run([part.format("rw") for part in remount], check=True)
        until(lambda: outbox.stats().in_memory == 0)
        assert outbox.stats().waiting == 2
        outbox.close()


def sent_from_memory(shop, sandbox, caplog, *, problem):
    """Have events sent that cannot be stored, and return their names."""
    names = sorted(str(number) for number in range(20))
    shop.lead(*names)
    assert shop.unhindered, shop.took
    assert problem in shop.stats.problem
    until(lambda: accepted(sandbox) == names)
    assert caplog.text.count("cannot be written") == 1
    return names


@pytest.mark.fault("B8")
def test_a_folder_that_cannot_be_made_costs_no_event(open_shop, sandbox, tmp_path, caplog):
    """The settings name a file in a folder of a file system that is read-only, and the folder is
    not there.

    The host notices nothing: its events are sent from memory, the health says why, and one error
    is logged.
    """
    root = tmp_path / "root"
    with small_disk(root):
        subprocess.run(["mount", "-o", "remount,ro,size=2m", str(root)], check=True)
        shop = open_shop(outbox=root / "var" / "box" / "outbox.sqlite3")
        sent_from_memory(shop, sandbox, caplog, problem="Read-only")
        shop.client.close()


@pytest.mark.fault("B8", "B9")
def test_a_file_system_without_locks_costs_no_event(open_shop, sandbox, box, monkeypatch, caplog):
    """The file system has no locks (ENOLCK), and later has.

    The host notices nothing: its events are kept in memory and sent from there, the health says
    why, and one error is logged. The file is used once it can be.
    """
    monkeypatch.setattr(sqlite_file, "REOPEN", 0.05)

    def lockf(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    with monkeypatch.context() as patched:
        patched.setattr(fcntl, "lockf", lockf)
        shop = open_shop()
        names = sent_from_memory(shop, sandbox, caplog, problem="No locks available")
    shop.lead("later")
    until(lambda: (shop.stats.problem, shop.stats.waiting) == (None, 0))
    assert accepted(sandbox) == sorted([*names, "later"])
    shop.client.close()
    assert integrity(box) == "ok"


@pytest.mark.fault("B8", "S19")
def test_a_place_out_of_reach_is_not_tried_all_the_time(open_outbox, path, monkeypatch):
    """The folder may not be used, and events keep coming.

    It is looked at once and then left alone for a while; requests do not wait for it.
    """
    path.parent.mkdir(mode=0o700)
    outbox = open_outbox()
    path.parent.chmod(0o777)
    tried = []
    monkeypatch.setattr(
        sqlite_file, "place_problems", lambda path: tried.append(path) or ["is not safe"]
    )
    for number in range(5):
        outbox.put([delivery(str(number))])
    take(outbox)
    assert outbox.stats().problem == "is not safe"
    assert 1 <= len(tried) <= 2, "once for requests and once for the worker"


@contextlib.contextmanager
def full(path):
    with small_disk(path.parent):
        yield (
            lambda: path.with_name("ballast").write_bytes(b"x" * 1_500_000),
            (lambda: path.with_name("ballast").unlink()),
        )


@contextlib.contextmanager
def locked(path):
    # In a process of its own: SQLite's locks belong to processes.
    with OtherProcess(path) as other:
        other.ask("outbox.stats().waiting")
        yield lambda: other.ask(LOCK), lambda: other.ask("c.execute('ROLLBACK') and 1")


@contextlib.contextmanager
def missing(path):
    path.parent.mkdir(mode=0o700)
    aside = path.parent.with_name("aside")
    yield lambda: path.parent.rename(aside), lambda: None


TROUBLES = {
    "full": full, "locked": locked, "missing": missing,
}  # fmt: skip


@pytest.mark.fault("B1", "B3", "B8", "S19")
@pytest.mark.parametrize("trouble", TROUBLES)
def test_trouble_with_the_storage_costs_neither_events_nor_time(
    open_shop, sandbox, box, trouble, monkeypatch
):
    """The disk is full, the file is held, or the folder is gone, while events come.

    Requests wait no longer than usual. When the trouble is over, everything arrives once, and the
    health is good again.
    """
    monkeypatch.setattr(sqlite_file, "REOPEN", 0.2)
    with TROUBLES[trouble](box) as (begin, end):
        shop = open_shop()
        shop.lead("before")
        until(lambda: "before" in accepted(sandbox))
        begin()
        names = [f"during-{number}" for number in range(30)]
        shop.lead(*names)
        assert shop.unhindered, shop.took
        end()
        until(lambda: set(names) <= set(accepted(sandbox)))
        shop.lead("after")
        until(lambda: "after" in accepted(sandbox))
        until(lambda: (shop.stats.problem, shop.stats.waiting) == (None, 0))
        assert len(accepted(sandbox)) == 32
        shop.client.close()


@pytest.mark.fault("B8")
def test_a_disk_that_fails_is_survived(path, tmp_path):
    """Every write and sync of the disk fails with an I/O error, and later does not.

    Events are kept in memory, the health says so, and they are stored afterwards. The
    file is sound.
    """
    fail = tmp_path / "fail"
    with OtherProcess(path, **preloaded(tmp_path, path.name, fail=fail)) as process:
        door = "__import__('capi_plugins.outbox.sqlite_file', fromlist=['Door'])"
        process.ask(f"setattr({door}, 'REOPEN', 0.05)")
        process.ask("put('before')")
        fail.touch()
        for number in range(10):
            took, _, refused = process.ask(f"put('{number}')")
            assert refused == []
            assert took < 1
        assert process.ask("outbox.stats().in_memory") == 10
        assert process.ask("outbox.stats().problem")
        fail.unlink()
        # Who counts comes to the file by another way, which rests a moment longer.
        counts = "[outbox.stats().waiting, outbox.stats().in_memory]"
        until(lambda: process.ask(counts) == [11, 0])
    assert integrity(path) == "ok"


@pytest.mark.fault("B8")
@pytest.mark.parametrize("outbox", ["memory", "sqlite"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_process_without_descriptors_loses_nothing(sandbox, box, outbox, moment):
    """A process has as many files open as it may (`ulimit -n`), before it opens its outbox or when
    it has sent from there, and captures events.

    Nothing is raised, and everything arrives once when it has closed some.
    """
    wanted = settings(sandbox.url, box if outbox == "sqlite" else "memory", MAX_ATTEMPTS=1000)
    done = subprocess.run(
        [sys.executable, str(HOSTS / "exhausted.py"), json.dumps(wanted), moment],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    first = {"first"} if moment == "after" else set()
    expected = {"last", *first, *(f"none-left-{number}" for number in range(20))}
    assert accepted(sandbox) == sorted(expected)
    assert len(sandbox.events) == len(expected)
