"""Ways to fill, lock and empty an outbox."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import time

import pytest

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
