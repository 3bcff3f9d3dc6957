"""How the file is written, and what does not stay in it."""

from __future__ import annotations

import re
import time
from pathlib import Path

import capi_plugins.outbox
from tests.faults.storage import drained, take
from tests.outbox.other_process import delivery

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


def test_the_log_is_moved_into_the_file_by_the_sender(open_outbox, path):
    outbox = open_outbox()
    outbox._tidied = time.monotonic()
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
