"""Deliveries in a SQLite file that the processes of one host share.

What ``put`` has returned for survives the death of the process. How the file is used was settled by
measuring and killing; three of SQLite's traps decide the shape:

* Checkpoints other than TRUNCATE can lose committed rows while others write (SQLite's WAL-reset
  bug, 3.7.0 to 3.51.2). So nobody checkpoints by itself, and the one sender truncates.
* SQLite's own busy handler sleeps up to 100 ms at a time and starves. So waiting is ours, jittered,
  with a budget; what finds no lock in time goes to a bounded overflow in memory.
* Closing any descriptor of the file drops the process's locks on it. So it is never opened but by
  SQLite, and only ``os.stat`` looks at it.

There is one sender at a time, by a kernel lock that dies with its process and that no clock can
expire. It is held while something waits to be sent.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import random
import sqlite3
import stat
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from capi_plugins.exceptions import ConfigurationError
from capi_plugins.outbox.base import Delivery, OutboxStats, Stored

_log = logging.getLogger("capi_plugins.outbox")
_SCHEMA_VERSION = 1
_APPLICATION_ID = 0x43415049  # "CAPI"
_REMEMBER_SECONDS = 48 * 3600
_LOCK_BUDGET = 0.05
_SETTLE_BUDGET = 10.0
_POLL = 0.5
_WAL_BYTES = 4_000_000
_READY, _IN_FLIGHT, _DEAD = 0, 1, 2
_SCHEMA = """
CREATE TABLE delivery (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    destination TEXT NOT NULL,
    event_name TEXT NOT NULL,
    event_id TEXT NOT NULL,
    payload BLOB NOT NULL,
    expires_at REAL,
    attempts INTEGER NOT NULL DEFAULT 0,
    state INTEGER NOT NULL DEFAULT 0,
    epoch INTEGER NOT NULL DEFAULT 0,
    due REAL NOT NULL,
    put_at REAL NOT NULL,
    reason TEXT
);
CREATE INDEX delivery_ready ON delivery (destination, due, id) WHERE state = 0;
CREATE TABLE seen (identity BLOB PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX seen_at ON seen (at);
CREATE TABLE sender (epoch INTEGER NOT NULL);
INSERT INTO sender VALUES (0);
"""


class SqliteOutbox:
    """An outbox for all processes of one host.

    Args:
        path: The file; its folder is made with mode 0700, the file has 0600.
        max_bytes: Largest size of the file.
        overflow: Most deliveries kept in memory while the file cannot be written.
        power_safe: True: every commit is synced, so that it survives a power cut; it costs a disk
            sync while others wait.
        clock: Seconds since the epoch.

    Raises:
        ConfigurationError: The place cannot be used, or belongs to something else.
    """

    inline = False

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_bytes: int = 256_000_000,
        overflow: int = 1_000,
        power_safe: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = Path(path).absolute()
        self._clock = clock
        self._max_bytes = max_bytes
        self._synchronous = "FULL" if power_safe else "NORMAL"
        self._lock = threading.RLock()
        self._overflow: deque[Delivery] = deque()
        self._overflow_most = overflow
        self._epoch: int | None = None
        self._in_flight = 0
        _prepare_place(self._path)
        # Kept open for the life of the process: closing them would drop the locks.
        self._setup_lock = _open_lock(self._path.with_name(self._path.name + ".setup"))
        self._sender_lock = _open_lock(self._path.with_name(self._path.name + ".sender"))
        self._connection = self._connect()

    # ------------------------------------------------------------------ putting

    def put(self, deliveries: Sequence[Delivery]) -> Stored:
        """Store deliveries in one commit; see ``Outbox.put``.

        What finds the file locked for longer than 50 ms, full or broken is kept in memory, up to a
        limit, and stored as soon as the file can be written again.
        """
        try:
            with self._writing(_LOCK_BUDGET) as connection:
                self._store_overflow(connection)
                duplicates = self._insert(connection, deliveries)
        except sqlite3.Error as error:
            return self._keep(deliveries, error)
        return Stored(duplicates=duplicates)

    def _insert(
        self, connection: sqlite3.Connection, deliveries: Sequence[Delivery]
    ) -> list[Delivery]:
        now = self._clock()
        duplicates = []
        for delivery in deliveries:
            remembered = connection.execute(
                "INSERT INTO seen (identity, at) VALUES (?, ?) ON CONFLICT (identity) "
                "DO UPDATE SET at = excluded.at WHERE at < ?",
                (_identity(delivery), now, now - _REMEMBER_SECONDS),
            )
            if remembered.rowcount == 0:
                duplicates.append(delivery)
                continue
            connection.execute(
                "INSERT INTO delivery (destination, event_name, event_id, payload, expires_at, "
                "attempts, due, put_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    delivery.destination,
                    delivery.event_name,
                    delivery.event_id,
                    delivery.payload,
                    delivery.expires_at,
                    delivery.attempts,
                    now,
                    now,
                ),
            )
        return duplicates

    def _keep(self, deliveries: Sequence[Delivery], error: sqlite3.Error) -> Stored:
        with self._lock:
            if not self._overflow:
                _log.error(
                    "outbox %s cannot be written (%s): events are kept in memory",
                    self._path.name,
                    type(error).__name__,
                )
            room = self._overflow_most - len(self._overflow)
            self._overflow.extend(deliveries[:room])
        return Stored(refused=tuple(deliveries[max(0, room) :]))

    def _store_overflow(self, connection: sqlite3.Connection) -> None:
        if self._overflow:
            self._insert(connection, tuple(self._overflow))
            self._overflow.clear()
            _log.warning("outbox %s can be written again", self._path.name)

    # ------------------------------------------------------------------ sending

    def take(
        self, destination: str, *, limit: int, max_bytes: int, now: float
    ) -> Sequence[Delivery]:
        """Lease deliveries, if this process is or becomes the sender; see ``Outbox.take``."""
        batch: list[Delivery] = []
        with self._writing(_SETTLE_BUDGET) as connection:
            self._store_overflow(connection)
            epoch = self._become_sender(connection)
            if epoch is None:
                return batch
            size = 0
            rows = connection.execute(
                "SELECT id, event_name, event_id, payload, expires_at, attempts FROM delivery "
                "WHERE state = 0 AND destination = ? AND due <= ? ORDER BY due, id LIMIT ?",
                (destination, now, limit),
            )
            for key, event_name, event_id, payload, expires_at, attempts in rows:
                size += len(payload)
                if batch and size > max_bytes:
                    break
                batch.append(
                    Delivery(
                        destination=destination,
                        event_name=event_name,
                        event_id=event_id,
                        payload=payload,
                        expires_at=expires_at,
                        attempts=attempts,
                        key=key,
                    )
                )
            connection.executemany(
                "UPDATE delivery SET state = 1, epoch = ? WHERE id = ?",
                [(epoch, delivery.key) for delivery in batch],
            )
            self._in_flight += len(batch)
        if not batch:
            self._rest()
        return batch

    def delivered(self, deliveries: Sequence[Delivery]) -> None:
        """Remove accepted deliveries."""
        self._settle("DELETE FROM delivery WHERE id = ? AND state = 1 AND epoch = ?", deliveries)

    def retry(self, deliveries: Sequence[Delivery], *, at: float, attempt: bool) -> None:
        """Give deliveries back, due at ``at``."""
        self._settle(
            "UPDATE delivery SET state = 0, due = ?, attempts = attempts + ? "
            "WHERE id = ? AND state = 1 AND epoch = ?",
            deliveries,
            at,
            int(attempt),
        )

    def dead(self, deliveries: Sequence[Delivery], *, reason: str) -> None:
        """Put deliveries aside for good."""
        self._settle(
            "UPDATE delivery SET state = 2, reason = ? WHERE id = ? AND state = 1 AND epoch = ?",
            deliveries,
            reason,
        )

    def _settle(self, statement: str, deliveries: Sequence[Delivery], *values: object) -> None:
        with self._writing(_SETTLE_BUDGET) as connection:
            # Fenced by the epoch: what another sender has taken over is no longer ours.
            connection.executemany(
                statement, [(*values, delivery.key, self._epoch) for delivery in deliveries]
            )
            self._in_flight -= len(deliveries)

    def _become_sender(self, connection: sqlite3.Connection) -> int | None:
        if self._epoch is None:
            if not _try_lock(self._sender_lock):
                return None
            connection.execute("UPDATE sender SET epoch = epoch + 1")
            connection.execute("UPDATE delivery SET state = 0 WHERE state = 1")
            self._epoch = connection.execute("SELECT epoch FROM sender").fetchone()[0]
        return self._epoch

    def _rest(self) -> None:
        """Let another process send, when nothing of ours is on its way and nothing is due."""
        with self._lock:
            if self._epoch is None or self._in_flight:
                return
            wal = Path(f"{self._path}-wal")
            with contextlib.suppress(OSError, sqlite3.Error):
                if wal.stat().st_size > _WAL_BYTES or not self._waiting():
                    self._forget()
                    self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._epoch = None
            fcntl.lockf(self._sender_lock, fcntl.LOCK_UN)

    def _forget(self) -> None:
        with self._writing(_SETTLE_BUDGET) as connection:
            connection.execute(
                "DELETE FROM seen WHERE at < ?", (self._clock() - _REMEMBER_SECONDS,)
            )

    def next_due(self, destination: str) -> float | None:
        """When the next delivery is due; a little later where another process is the sender."""
        with self._lock:
            row = self._connection.execute(
                "SELECT MIN(due) FROM delivery WHERE state = 0 AND destination = ?", (destination,)
            ).fetchone()
        due: float | None = row[0]
        if due is None:
            return None
        if self._epoch is None and not _try_lock(self._sender_lock):
            return max(due, self._clock() + random.uniform(_POLL / 2, _POLL))  # noqa: S311
        if self._epoch is None:
            fcntl.lockf(self._sender_lock, fcntl.LOCK_UN)
        return due

    # ------------------------------------------------------------------ looking

    def waiting_for(self) -> Collection[str]:
        """Names of the destinations for which something waits."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT DISTINCT destination FROM delivery WHERE state < 2"
            ).fetchall()
            return {row[0] for row in rows} | {item.destination for item in self._overflow}

    def stats(self) -> OutboxStats:
        """Count what is stored, by all processes."""
        with self._lock:
            waiting, dead, oldest = self._connection.execute(
                "SELECT COALESCE(SUM(state < 2), 0), COALESCE(SUM(state = 2), 0), "
                "MIN(CASE WHEN state < 2 THEN put_at END) FROM delivery"
            ).fetchone()
            return OutboxStats(waiting=waiting + len(self._overflow), dead=dead, oldest=oldest)
