"""How little is written, how the log of the file is kept small, and what has its size capped."""

from __future__ import annotations

import contextlib
import sqlite3
import time

from tests.faults.storage import drained, take
from tests.outbox.other_process import delivery


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


def test_the_log_stays_small_where_nobody_sends(open_outbox, path, until):
    outbox = open_outbox()
    wal = path.with_name(path.name + "-wal")
    for part in range(4):
        for number in range(500):
            outbox.put([delivery(f"{part}.{number}", payload=b"x" * 3000)])
        until(lambda: wal.stat().st_size < 4_500_000, 60)
    assert path.stat().st_size > 4_000_000
    assert outbox.stats().waiting == 2000


def test_a_put_writes_a_few_small_pages(open_outbox, path):
    outbox = open_outbox()
    for number in range(100):
        outbox.put([delivery(str(number), payload=b"x" * 1400)])
    wal = path.with_name(path.name + "-wal")
    before = wal.stat().st_size
    for number in range(100, 200):
        outbox.put([delivery(str(number), payload=b"x" * 1400)])
    assert (wal.stat().st_size - before) / 100 < 10_000


def test_a_file_with_larger_pages_is_used_and_has_the_same_cap(open_outbox, path):
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.touch(mode=0o600)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA page_size = 4096")
        connection.execute("PRAGMA journal_mode = WAL")
    outbox = open_outbox(max_bytes=8_192_000)
    outbox.put([delivery("1")])
    with outbox._front.reading(1) as connection:
        pages = connection.execute("PRAGMA max_page_count").fetchone()[0]
        assert connection.execute("PRAGMA page_size").fetchone()[0] * pages == 8_192_000
    assert len(drained(outbox)) == 1
