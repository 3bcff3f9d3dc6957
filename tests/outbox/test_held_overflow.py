"""The file is busy when an event is to be held: it is kept in memory until the file takes it."""

from __future__ import annotations

import contextlib
import sqlite3
import time

import attrs
import pytest

from capi_plugins.outbox.sqlite import SqliteOutbox
from capi_plugins.outbox.sqlite_file import Unavailable
from capi_plugins.outbox.sqlite_held_overflow import MOST_WAITING
from tests.outbox.test_held_stores import HASH, ONE, numbered
from tests.waiting import until


@pytest.fixture
def path(tmp_path):
    return tmp_path / "outbox.sqlite3"


@pytest.fixture
def outbox(path):
    made = SqliteOutbox(path)
    assert list(made.held.find(["ada"])) == []
    yield made
    made.close()


@pytest.fixture
def busy(path, outbox):
    """Another process writes; its end lets others write."""

    @contextlib.contextmanager
    def busy():
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")

    return busy


def in_file(path):
    """What another process finds."""
    other = SqliteOutbox(path)
    try:
        return list(other.held.find(["ada"]))
    finally:
        other.close()


def found(outbox):
    """What this process finds; the file is in use by the thread that waits for it at times."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return sorted(each.event_id for each in outbox.held.find(["ada"]))
        except Unavailable as error:
            assert error.passing and time.monotonic() < deadline


def test_what_a_busy_file_does_not_take_is_found_and_soon_in_the_file(path, outbox, busy):
    with busy():
        began = time.monotonic()
        assert list(outbox.held.hold([ONE, numbered(2)])) == []
        assert time.monotonic() - began < 10
        assert found(outbox) == ["Purchase.1", "Purchase.2"]
        assert in_file(path) == []
    until(lambda: len(in_file(path)) == 2)
    assert found(outbox) == ["Purchase.1", "Purchase.2"]


def test_the_end_of_a_process_stores_what_waits(path, outbox, busy):
    with busy():
        outbox.held.hold([ONE])
    outbox.close()
    assert in_file(path) == [ONE]


def test_what_is_let_go_or_forgotten_meanwhile_does_not_come_back(path, outbox, busy, monkeypatch):
    monkeypatch.setattr("capi_plugins.outbox.sqlite_held._FORGET_BUDGET", 0.1)
    other = attrs.evolve(numbered(2), granted=b"{}", limited=b"{}")
    with busy():
        outbox.held.hold([ONE, other, numbered(3, granted=b"{}")])
        outbox.held.remove([other.key])
        with contextlib.suppress(Unavailable):
            outbox.held.forget([HASH])
    until(lambda: in_file(path))
    outbox.close()
    assert [each.event_id for each in in_file(path)] == ["Purchase.3"]


def test_what_a_busy_file_does_not_remove_is_not_found_and_soon_gone(path, outbox, busy):
    outbox.held.hold([ONE, numbered(2)])
    with busy():
        outbox.held.remove([ONE.key])
        assert found(outbox) == ["Purchase.2"]
    until(lambda: len(in_file(path)) == 1)
    assert [each.event_id for each in in_file(path)] == ["Purchase.2"]


def test_memory_is_bounded(outbox, busy):
    with busy():
        outbox.held.hold([numbered(number) for number in range(MOST_WAITING)])
        with pytest.raises(Unavailable):
            outbox.held.hold([numbered(MOST_WAITING)])
