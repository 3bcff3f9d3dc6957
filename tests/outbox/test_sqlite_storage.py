"""What happens when the file is locked, full, damaged, replaced or out of reach."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

import capi_plugins.outbox
from capi_plugins.outbox import sqlite_file
from tests.outbox.other_process import delivery, ids

LOCK = "globals().__setitem__('c', sqlite3.connect(path)) or c.execute('BEGIN EXCLUSIVE') and 1"


def take(outbox, destination="paper", limit=1000):
    return list(outbox.take(destination, limit=limit, max_bytes=10**8, now=time.time()))


def drained(outbox):
    """Deliver everything; return the event ids."""
    found = []
    while batch := take(outbox):
        outbox.delivered(batch)
        found += ids(batch)
    return found


def integrity(path):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchone()[0]


# ------------------------------------------------------------------ how the file is written


def test_connections_are_set_up_as_measured(open_outbox):
    for power_safe, synchronous in ((False, 1), (True, 2)):
        outbox = open_outbox(power_safe=power_safe, max_bytes=8_192_000)
        outbox.put([delivery("1")])
        with outbox._front.reading(1) as connection:
            found = {
                name: connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in (
                    "journal_mode", "synchronous", "wal_autocheckpoint", "secure_delete",
                    "trusted_schema", "max_page_count", "busy_timeout", "application_id",
                )
            }  # fmt: skip
        assert found == {
            "journal_mode": "wal",
            "synchronous": synchronous,
            "wal_autocheckpoint": 0,
            "secure_delete": 1,
            "trusted_schema": 0,
            "max_page_count": 2000,
            "busy_timeout": 0,
            "application_id": int.from_bytes(b"CAPI"),
        }


def test_the_only_checkpoint_is_truncate():
    folder = Path(capi_plugins.outbox.__file__).parent
    found = [
        match
        for file in folder.glob("*.py")
        for match in re.findall(r"wal_checkpoint\W*(\w*)", file.read_text())
    ]
    assert set(found) == {"TRUNCATE"}


def test_nobody_but_sqlite_opens_the_file_once_it_exists(others):
    other = others()
    other.ask("globals().__setitem__('opened', [])")
    other.ask(
        "__import__('sys').addaudithook(lambda event, args: event == 'open' and "
        "str(args[0]).startswith(path) and opened.append([str(args[0])[len(path):], args[2]]))"
    )
    other.ask("put('1', '2')")
    other.ask("take()")
    other.ask("outbox.delivered(held)")
    other.ask("outbox.forget(['x'])")
    other.ask("outbox.stats()")
    opened = other.ask("opened")
    assert {name for name, _ in opened} <= {"", ".lock"}
    assert all(flags & os.O_EXCL for name, flags in opened if name == "")
    assert len([name for name, _ in opened if name == ".lock"]) == 1


def test_the_log_is_moved_into_the_file_by_the_sender(open_outbox, path):
    outbox = open_outbox()
    outbox._tidying._tidied = time.monotonic()
    for start in range(0, 2000, 200):
        outbox.put([delivery(str(start + n), payload=b"x" * 3000) for n in range(200)])
    wal = path.with_name(path.name + "-wal")
    assert wal.stat().st_size > 4_000_000
    outbox.delivered(take(outbox, limit=1))
    assert wal.stat().st_size == 0
    assert len(drained(outbox)) == 1999


def test_what_is_forgotten_is_gone_from_the_disk(open_outbox, path):
    outbox = open_outbox()
    secret = b"f660ab912ec121d1b1e928a0bb4bc61b"
    outbox.put([delivery("1", payload=secret), delivery("2")])
    assert outbox.forget([secret.decode()]) == 1
    assert outbox.stats().waiting == 1
    outbox.close()
    for file in path.parent.iterdir():
        assert secret not in file.read_bytes()


def test_what_is_delivered_is_gone_from_the_disk(open_outbox, path):
    outbox = open_outbox()
    secret = b"f660ab912ec121d1b1e928a0bb4bc61b"
    outbox.put([delivery("1", payload=secret), delivery("2")])
    outbox.delivered(take(outbox, limit=1))
    outbox.close()
    for file in path.parent.iterdir():
        assert secret not in file.read_bytes()


def test_eight_processes_may_make_the_file_at_the_same_instant(others, path):
    processes = [others() for _ in range(8)]
    for process in processes:
        process.ask("globals().__setitem__('boxes', [])")
    for turn in range(5):
        for number, process in enumerate(processes):
            process.tell(
                f"boxes.append(type(outbox)(path + '{turn}')) or "
                f"boxes[-1].put([delivery('{number}')]).refused"
            )
        for process in processes:
            assert process.hear() == []
        for process in processes:
            while process.ask("boxes[-1].stats().in_memory"):
                pass
        assert processes[0].ask("boxes[-1].stats().waiting") == 8
        for process in processes:
            assert process.ask("boxes[-1].stats().problem") is None


# ------------------------------------------------------------------ locked


def test_a_locked_file_costs_a_request_no_more_than_its_budget(open_outbox, others, until, caplog):
    outbox, other = open_outbox(), others()
    outbox.put([delivery("before")])
    other.ask(LOCK)
    waits = []
    with caplog.at_level(logging.WARNING, "capi_plugins"):
        for number in range(40):
            start = time.monotonic()
            stored = outbox.put([delivery(str(number))])
            waits.append(time.monotonic() - start)
            assert not stored.refused
        until(lambda: outbox._overflow.hopeless)
        start = time.monotonic()
        outbox.put([delivery("hopeless")])
        hopeless = time.monotonic() - start
        until(lambda: caplog.records)
        stats = outbox.stats()
        assert stats.in_memory == 41
        assert stats.waiting == 42
        assert stats.problem == "it is locked by another process"
        other.ask("c.execute('ROLLBACK') and 1")
        until(lambda: outbox.stats().in_memory == 0)
    assert sorted(waits)[len(waits) // 2] < 0.06
    assert max(waits) < 0.25, "50 ms, and some for a busy machine"
    assert hopeless < 0.03, "nobody waits for a turn that nobody gets"
    assert outbox.stats().problem is None
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    assert sorted(drained(outbox)) == sorted(["before", "hopeless", *map(str, range(40))])


def test_what_is_in_memory_is_bounded_and_may_be_sent_from_there(open_outbox, others, until):
    outbox, other = open_outbox(), others()
    outbox.put([delivery("before")])
    other.ask(LOCK)
    stored = outbox.put([delivery(str(number)) for number in range(1200)])
    assert len(stored.refused) == 200
    batch = take(outbox, limit=600)
    assert len(batch) == 600
    outbox.delivered(batch[:500])
    outbox.retry(batch[500:], at=0, attempt=True)
    other.ask("c.execute('ROLLBACK') and 1")
    until(lambda: outbox.stats().in_memory == 0)
    left = take(outbox)
    assert len(left) == 501
    assert sum(item.attempts for item in left) == 100


def test_what_is_in_memory_is_bounded_in_bytes(open_outbox, others):
    outbox, other = open_outbox(), others()
    outbox.put([delivery("before")])
    other.ask(LOCK)
    stored = outbox.put([delivery(str(n), payload=b"x" * 1_000_000) for n in range(10)])
    assert ids(stored.refused) == ["8", "9"]


def test_a_person_is_erased_from_memory_though_the_file_is_locked(open_outbox, others, monkeypatch):
    monkeypatch.setattr("capi_plugins.outbox.sqlite._SETTLE_BUDGET", 0.01)
    outbox, other = open_outbox(), others()
    outbox.put([delivery("before")])
    other.ask(LOCK)
    outbox.put([delivery("jane", payload=b"8c87b489"), delivery("john", payload=b"96d9632f")])
    with pytest.raises(sqlite_file.Unavailable):
        outbox.forget(["8c87b489"])
    other.ask("c.execute('ROLLBACK') and 1")
    outbox.close()
    assert other.ask(
        "sorted(item.event_id for item in outbox.take('paper', limit=9, max_bytes=9999, now=9e9))"
    ) == ["before", "john"]


def test_closing_stores_what_is_in_memory(open_outbox, others):
    outbox, other = open_outbox(), others()
    outbox.put([delivery("before")])
    other.ask(LOCK)
    outbox.put([delivery("1")])
    other.tell("c.execute('ROLLBACK') and 1")
    outbox.close()
    assert other.hear() == 1
    assert other.ask("outbox.stats().waiting") == 2


def test_what_was_delivered_is_not_sent_again_because_it_could_not_be_written_down(
    open_outbox, others, monkeypatch
):
    monkeypatch.setattr("capi_plugins.outbox.sqlite._SETTLE_BUDGET", 0.01)
    outbox, other = open_outbox(), others()
    outbox._tidying._tidied = time.monotonic()
    outbox.put([delivery("1"), delivery("2")])
    batch = take(outbox, limit=1)
    other.ask(LOCK)
    outbox.delivered(batch)
    assert take(outbox) == []
    assert outbox.next_due("paper") > time.time()
    assert other.ask("take()") == [], "the sender holds on to it"
    other.ask("c.execute('ROLLBACK') and 1")
    assert ids(take(outbox)) == ["2"]


# ------------------------------------------------------------------ full


def fill(outbox, most=5000):
    """Put until the file is full; return what was taken in."""
    taken = []
    for number in range(most):
        item = delivery(str(number), payload=b"x" * 2000)
        stored = outbox.put([item])
        taken += [] if stored.refused else [item.event_id]
        if outbox.stats().in_memory > 20:
            return taken
    pytest.fail("it was never full")


def test_a_file_at_its_largest_size_empties_again(open_outbox, until, caplog, path):
    outbox = open_outbox(max_bytes=1_000_000)
    with caplog.at_level(logging.ERROR, "capi_plugins"):
        taken = fill(outbox)
    assert outbox.stats().problem == "the disk or the file is full"
    assert len(caplog.records) == 1
    found = []
    while batch := take(outbox, limit=50):
        outbox.delivered(batch)
        found += ids(batch)
    until(lambda: outbox.stats().in_memory == 0)
    found += drained(outbox)
    assert sorted(found) == sorted(taken)
    outbox.close()
    assert path.stat().st_size <= 1_000_000
    assert integrity(path) == "ok"


@contextlib.contextmanager
def small_disk(folder, *options):
    folder.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "none", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only root may mount a file system")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_survived(open_outbox, until, path):
    with small_disk(path.parent):
        outbox = open_outbox()
        outbox.put([delivery("first")])
        ballast = path.with_name("ballast")
        with contextlib.suppress(OSError):
            ballast.write_bytes(b"x" * 1_500_000)
        taken = ["first", *fill(outbox)]
        assert outbox.stats().problem == "the disk or the file is full"
        ballast.unlink()
        until(lambda: outbox.stats().in_memory == 0)
        assert sorted(drained(outbox)) == sorted(taken)
        outbox.close()
        assert integrity(path) == "ok"


def test_a_read_only_place_is_survived_and_left_when_it_can_be_written(
    open_outbox, until, path, monkeypatch, caplog
):
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


def test_a_place_out_of_reach_is_not_tried_all_the_time(open_outbox, path, monkeypatch):
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


# ------------------------------------------------------------------ damaged, replaced


def garbage(path):
    path.write_bytes(b"this is no database " * 1000)


def truncated(path):
    os.truncate(path, 4096)


def overwritten(path):
    size = path.stat().st_size
    with path.open("r+b") as file:
        for page in range(1, size // 4096):
            file.seek(page * 4096)
            file.write(os.urandom(2048))


@pytest.mark.parametrize("damage", [garbage, truncated, overwritten])
def test_a_damaged_file_is_moved_aside_once(open_outbox, until, path, damage, caplog):
    outbox = open_outbox()
    outbox.put([delivery(str(number)) for number in range(50)])
    outbox.close()
    damage(path)
    with caplog.at_level(logging.ERROR, "capi_plugins"):
        outbox = open_outbox()
        assert not outbox.put([delivery("new")]).refused
        until(lambda: outbox.stats().in_memory == 0)
    assert ids(take(outbox)) == ["new"]
    aside = [file for file in path.parent.iterdir() if ".corrupt-" in file.name]
    assert len([file for file in aside if not file.name.endswith(("-wal", "-shm"))]) == 1
    assert len([record for record in caplog.records if "moved aside" in record.message]) == 1
    outbox.close()
    assert integrity(path) == "ok"


def test_a_file_damaged_in_use_is_replaced_for_all_processes(open_outbox, others, until, path):
    outbox, other = open_outbox(), others()
    outbox.put([delivery(str(number), payload=b"x" * 3000) for number in range(100)])
    other.ask("put('theirs')")
    outbox._tidying.tidy()
    other.ask("__import__('os').truncate(path, 8192)")
    assert other.ask("put('after')[2]") == []
    outbox.put([delivery("mine")])
    until(lambda: other.ask("outbox.stats().in_memory") == 0)
    until(lambda: outbox.stats().in_memory == 0)
    other.ask("put('last')")
    assert {"mine", "after", "last"} <= set(drained(outbox))


def test_a_file_that_was_moved_away_is_made_anew(open_outbox, others, path):
    outbox, other = open_outbox(), others()
    outbox.put([delivery("1")])
    other.ask("put('2')")
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").rename(f"{path}.away{suffix}")
    outbox.put([delivery("3")])
    other.ask("put('4')")
    assert sorted(drained(outbox)) == ["3", "4"]
    other.ask("outbox.close()")
    outbox.close()
    assert integrity(path) == "ok"


def test_a_log_that_was_deleted_loses_nothing_that_was_stored(open_outbox, path):
    outbox = open_outbox()
    outbox.put([delivery("1")])
    path.with_name(path.name + "-wal").unlink()
    outbox.put([delivery("2")])
    assert sorted(drained(outbox)) == ["1", "2"]
    outbox.close()
    assert integrity(path) == "ok"


def test_another_programs_database_is_left_alone(open_outbox, path, caplog):
    path.parent.mkdir(mode=0o700)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE precious (x)")
        connection.commit()
    path.chmod(0o600)
    before = path.read_bytes()
    outbox = open_outbox()
    with caplog.at_level(logging.ERROR, "capi_plugins"):
        outbox.put([delivery("1")])
        outbox.put([delivery("2")])
    assert "belongs to another program" in outbox.stats().problem
    assert len(caplog.records) == 1
    assert ids(take(outbox)) == ["1", "2"]
    outbox.close()
    assert path.read_bytes() == before


def test_a_newer_versions_file_is_left_alone(open_outbox, path):
    outbox = open_outbox()
    outbox.put([delivery("1")])
    outbox.close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    outbox = open_outbox()
    outbox.put([delivery("2")])
    assert "newer version" in outbox.stats().problem
    assert ids(take(outbox)) == ["2"]
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT event_id FROM delivery").fetchall() == [("1",)]
