"""Files that are damaged, deleted, replaced, of another program or of another version."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from pathlib import Path

import pytest

from tests.faults.small_shop import accepted, until
from tests.faults.storage import drained, integrity, take
from tests.outbox.other_process import delivery, ids


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


@pytest.mark.fault("B5")
@pytest.mark.parametrize("damage", [garbage, truncated, overwritten])
def test_a_damaged_file_is_moved_aside_once(open_outbox, path, damage, caplog):
    """The file is overwritten with text, cut off, or has garbage on every page.

    It is moved aside, one error says so, a new one is begun, and new events are stored.
    """
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


@pytest.mark.fault("B5")
def test_a_file_damaged_in_use_is_replaced_for_all_processes(open_outbox, others, path):
    """The file is cut off while two processes use it.

    Both go on with a new one and lose nothing that they store from then on.
    """
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


@pytest.mark.fault("B6")
def test_a_file_that_was_moved_away_is_made_anew(open_outbox, others, path):
    """The files are moved away while two processes use them.

    Both go on with the same new one.
    """
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


@pytest.mark.fault("B6")
def test_a_log_that_was_deleted_loses_nothing_that_was_stored(open_outbox, path):
    """The log is deleted while the file is in use.

    It is noticed before the next event is written; nothing is lost and the file is sound.
    """
    outbox = open_outbox()
    outbox.put([delivery("1")])
    path.with_name(path.name + "-wal").unlink()
    outbox.put([delivery("2")])
    assert sorted(drained(outbox)) == ["1", "2"]
    outbox.close()
    assert integrity(path) == "ok"


@pytest.mark.fault("D10", "B11")
def test_another_programs_database_is_left_alone(open_outbox, path, caplog):
    """The path leads to a database of another program.

    It is not changed by one byte, events are sent from memory, and the health says why.
    """
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


@pytest.mark.fault("B11")
def test_a_newer_versions_file_is_left_alone(open_outbox, path):
    """A newer version has written the file.

    Its rows stay as they are, new events are sent from memory, and the health says what to do.
    """
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


def damage_one_page(path):
    """Overwrite a page in the middle that holds events."""
    content = path.read_bytes()
    pages = [
        at
        for at in range(4096, len(content), 4096)
        if content[at] == 13 and content[at : at + 4096].count(b'"event_id"') > 1
    ]
    with path.open("r+b") as file:
        file.seek(pages[len(pages) // 2])
        file.write(b"\xff" * 4096)


@pytest.mark.fault("B5")
def test_what_is_in_flight_settles_nothing_of_the_file_that_came_after(open_outbox, others, path):
    """The file is replaced while a batch is on its way, and another process stores events.

    When the batch is delivered, those events still wait.
    """
    outbox, other = open_outbox(), others()
    outbox.put([delivery(str(number)) for number in range(5)])
    batch = take(outbox)
    assert len(batch) == 5
    other.ask("put('before')")
    garbage(path)
    other.ask("put('1-new', '2-new', '3-new')")
    until(lambda: other.ask("outbox.stats().in_memory") == 0)
    outbox.delivered(batch)
    assert {"1-new", "2-new", "3-new"} <= set(drained(outbox))


@pytest.mark.fault("B5")
def test_what_can_be_read_of_a_damaged_file_arrives(open_shop, sandbox, path, caplog):
    """One page of a file in which 300 events wait is overwritten.

    Requests notice nothing. The file is moved aside, what can be read of it is put into a new one
    by itself, and arrives once; the log says how many events that were.
    """
    before = open_shop(WORKER="external")
    before.lead(*map(str, range(300)))
    before.client.close()
    damage_one_page(path)
    shop = open_shop()
    shop.lead("new")
    until(lambda: "deliveries saved:" in caplog.text)
    shop.lead("later")
    until(lambda: shop.stats.waiting == 0)
    names = accepted(sandbox)
    assert "new" in names
    assert 250 <= len(names) < 302
    assert shop.stats.dead == 0
    assert shop.unhindered, shop.took
    shop.client.close()
    assert integrity(path) == "ok"


@pytest.mark.fault("B6")
@pytest.mark.parametrize("suffix", ["-wal", "-shm"])
def test_a_file_beside_it_that_is_deleted_in_use_costs_no_process_its_file(
    open_outbox, others, path, suffix
):
    """The log or its index is deleted while two processes store events in turns.

    Both notice it with the next event. What they store from then on is all there, and the file is
    sound.
    """
    outbox, other = open_outbox(), others()
    outbox.put([delivery("1")])
    other.ask("put('2')")
    outbox._tidying.tidy()
    path.with_name(path.name + suffix).unlink()
    for number in range(3, 13):
        outbox.put([delivery(f"{number}")])
        assert other.ask(f"put('{number}-theirs')")[2] == []
    until(lambda: outbox.stats().in_memory == other.ask("outbox.stats().in_memory") == 0)
    found = set(drained(outbox))
    wanted = {"1", "2", *map(str, range(3, 13)), *(f"{number}-theirs" for number in range(3, 13))}
    assert found == wanted
    other.ask("outbox.close()")
    outbox.close()
    assert integrity(path) == "ok"
