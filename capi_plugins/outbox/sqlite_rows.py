"""The tables of a SQLite outbox and every statement on them."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from capi_plugins.events import BROWSING
from capi_plugins.outbox.base import DeadLetter, Delivery, Standing, Stored

HELD = (
    (
        "CREATE TABLE IF NOT EXISTS held (key TEXT PRIMARY KEY, visitor TEXT NOT NULL, "
        "until REAL NOT NULL, event TEXT NOT NULL)"
    ),
    "CREATE INDEX IF NOT EXISTS held_visitor ON held (visitor)",
    "CREATE INDEX IF NOT EXISTS held_until ON held (until)",
)
HAS_HELD = "SELECT 1 FROM sqlite_master WHERE name = 'held'"
SCHEMA = """
CREATE TABLE delivery (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    destination TEXT NOT NULL,
    event_name TEXT NOT NULL,
    event_id TEXT NOT NULL,
    payload BLOB NOT NULL,
    expires_at REAL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due REAL NOT NULL DEFAULT 0,
    put_at REAL NOT NULL,
    died_at REAL,
    reason TEXT
);
CREATE INDEX delivery_waiting ON delivery (destination, due, id) WHERE reason IS NULL;
CREATE INDEX delivery_dead ON delivery (died_at, id) WHERE reason IS NOT NULL;
CREATE TABLE seen (identity BLOB PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE standing (
    destination TEXT PRIMARY KEY,
    configuration TEXT NOT NULL,
    tried_at REAL NOT NULL,
    failed_at REAL,
    reason TEXT,
    stopped_until REAL
) WITHOUT ROWID;
CREATE TABLE shopper (key TEXT PRIMARY KEY, at REAL NOT NULL, context TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX shopper_at ON shopper (at);
"""

LONGEST_WAIT = 4_000.0
"""Waits are an hour and some minutes at most; a row due later met a clock that was set back."""
FIRST = "INSERT INTO sqlite_sequence (name, seq) VALUES ('delivery', ?)"
REMEMBER = (
    "INSERT INTO seen (identity, at) VALUES (?, ?) ON CONFLICT (identity) "
    "DO UPDATE SET at = excluded.at WHERE at < ?"
)
DELIVERED = "DELETE FROM delivery WHERE id = ?"
RETRY = "UPDATE delivery SET due = ?, attempts = ? WHERE id = ?"
DEAD = "UPDATE delivery SET reason = ?, died_at = ?, attempts = ? WHERE id = ?"
REPLAY = (
    "UPDATE delivery SET reason = NULL, died_at = NULL, attempts = 0, due = 0 "
    "WHERE id = ? AND reason IS NOT NULL"
)
DROP = "DELETE FROM delivery WHERE id = ? AND reason IS NOT NULL"
_COLUMNS = "id, destination, event_name, event_id, payload, expires_at, attempts"
AFTER = f"SELECT {_COLUMNS} FROM delivery WHERE id > ? AND reason IS NULL ORDER BY id"  # noqa: S608
PARTS = 256
"""In how many parts identities are removed."""
_STANDING = "destination, configuration, tried_at, failed_at, reason, stopped_until"
_REMEMBER_SECONDS = 48 * 3600
_DEAD_MOST = 10_000
_CHUNK = 1_000
_ROOM = 20


def insert(
    connection: sqlite3.Connection, deliveries: Iterable[Delivery], now: float
) -> list[Delivery]:
    """Store deliveries whose identity is new; return the others."""
    duplicates = []
    for item in deliveries:
        remembered = connection.execute(
            REMEMBER, (_identity(item), int(now), int(now) - _REMEMBER_SECONDS)
        )
        if remembered.rowcount == 0:
            duplicates.append(item)
            continue
        connection.execute(
            "INSERT INTO delivery (destination, event_name, event_id, payload, expires_at, "
            "attempts, put_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                item.destination,
                item.event_name,
                item.event_id,
                item.payload,
                item.expires_at,
                item.attempts,
                now,
            ),
        )
    return duplicates


def remember(connection: sqlite3.Connection, sent: Iterable[Delivery], now: float) -> None:
    """Take in, for duplicates alone, what was sent past the file."""
    connection.executemany(
        REMEMBER, [(_identity(item), int(now), int(now) - _REMEMBER_SECONDS) for item in sent]
    )


def known(
    connection: sqlite3.Connection, deliveries: Iterable[Delivery], now: float
) -> list[Delivery]:
    """Return the deliveries whose identity is not new."""
    query = "SELECT 1 FROM seen WHERE identity = ? AND at >= ?"
    oldest = int(now) - _REMEMBER_SECONDS
    return [
        item
        for item in deliveries
        if connection.execute(query, (_identity(item), oldest)).fetchall()
    ]


def displace(
    connection: sqlite3.Connection, deliveries: Collection[Delivery], now: float
) -> Stored | None:
    """Store what came about in the place of the newest that only tells what somebody looks at.

    Args:
        connection: In a transaction.
        deliveries: What there is no room for.
        now: Seconds since the epoch.

    Returns:
        What had to go as refused; None: nothing came about, or there is nothing that could go.
    """
    wanted = [item for item in deliveries if item.event_name not in BROWSING]
    names = sorted(BROWSING)
    found = connection.execute(
        f"SELECT {_COLUMNS} FROM delivery WHERE reason IS NULL "  # noqa: S608
        f"AND event_name IN ({', '.join('?' * len(names))}) ORDER BY id DESC LIMIT ?",
        (*names, len(wanted) + _ROOM if wanted else 0),
    ).fetchall()
    if not found:
        return None
    gone = [delivery(row) for row in found]
    connection.executemany(DELIVERED, [(item.key,) for item in gone])
    duplicates = insert(connection, wanted, now)
    browsing = [item for item in deliveries if item.event_name in BROWSING]
    return Stored(duplicates=tuple(duplicates), refused=(*browsing, *gone))


def due(
    connection: sqlite3.Connection,
    destination: str,
    *,
    limit: int,
    max_bytes: int,
    now: float,
    leased: Collection[int],
) -> list[Delivery]:
    """Choose the deliveries that go next: those never tried first, then those due longest.

    Where more waits than fits, a quarter of them are the newest: they do not wait for a backlog.
    """
    batch: list[Delivery] = []
    size = 0
    left = set(leased)
    for row in _due(connection, destination, limit=limit + len(leased), fresh=limit // 4, now=now):
        if row[0] in left:
            continue
        found = delivery(row)
        size += len(found.payload)
        if batch and (size > max_bytes or len(batch) == limit):
            break
        left.add(row[0])
        batch.append(found)
    return batch


def _due(
    connection: sqlite3.Connection, destination: str, *, limit: int, fresh: int, now: float
) -> Iterator[Sequence[Any]]:
    """Read rows in the order in which they go, some of them twice."""
    wanted = f"SELECT {_COLUMNS} FROM delivery WHERE reason IS NULL AND destination = ? "  # noqa: S608
    # Read to their ends: a statement that is left in the middle keeps its snapshot.
    oldest = connection.execute(
        f"{wanted} AND due <= ? ORDER BY due, id LIMIT ?", (destination, now, limit)
    ).fetchall()
    if len(oldest) == limit and fresh:
        yield from connection.execute(
            f"{wanted} AND due = 0 ORDER BY id DESC LIMIT ?", (destination, fresh)
        ).fetchall()
    yield from oldest
    if len(oldest) < limit:
        yield from connection.execute(
            f"{wanted} AND due > ? ORDER BY due, id LIMIT ?",
            (destination, now + LONGEST_WAIT, limit - len(oldest)),
        ).fetchall()


def next_due(
    connection: sqlite3.Connection, destination: str, *, now: float, leased: Collection[int]
) -> float | None:
    """When the next delivery is due that is not in flight."""
    found = connection.execute(
        "SELECT id, due FROM delivery WHERE reason IS NULL AND destination = ? "
        "ORDER BY due, id LIMIT ?",
        (destination, len(leased) + 1),
    ).fetchall()
    first: float | None = next((at for key, at in found if key not in leased), None)
    return now if first is not None and first > now + LONGEST_WAIT else first


def still_waiting(connection: sqlite3.Connection, keys: Collection[int]) -> set[int]:
    """Return those of some keys that still wait."""
    query = "SELECT id FROM delivery WHERE id = ? AND reason IS NULL"
    return {key for key in keys if connection.execute(query, (key,)).fetchall()}


def destinations(connection: sqlite3.Connection) -> list[tuple[str, int]]:
    """Names of the destinations for which something waits, and how much."""
    return connection.execute(
        "SELECT destination, COUNT(*) FROM delivery WHERE reason IS NULL GROUP BY destination"
    ).fetchall()


def counts(connection: sqlite3.Connection) -> tuple[int, int, float | None]:
    """How many wait, how many are dead, and when the oldest waiting one was put."""

    def number(query: str) -> float | None:
        row = connection.execute(query).fetchone()
        return None if row is None else row[0]

    waiting = number("SELECT COUNT(*) FROM delivery WHERE reason IS NULL")
    dead = number("SELECT COUNT(*) FROM delivery WHERE reason IS NOT NULL")
    # By id, which costs one row, where the smallest put_at would cost all of them.
    oldest = number("SELECT put_at FROM delivery WHERE reason IS NULL ORDER BY id LIMIT 1")
    return int(waiting or 0), int(dead or 0), oldest


def dead_letters(connection: sqlite3.Connection, limit: int) -> list[DeadLetter]:
    """Return the dead letters that died last, the newest first."""
    found = connection.execute(
        f"SELECT {_COLUMNS}, reason, died_at FROM delivery WHERE reason IS NOT NULL "  # noqa: S608
        "ORDER BY died_at DESC, id DESC LIMIT ?",
        (limit,),
    ).fetchall()
    return [
        DeadLetter(delivery=delivery(row[:-2]), reason=row[-2], died_at=row[-1]) for row in found
    ]


def forget(connection: sqlite3.Connection, needle: str, destination: str | None) -> list[Delivery]:
    """Remove what holds a text, and goes to a destination if one is named; return it."""
    found = connection.execute(
        f"SELECT {_COLUMNS} FROM delivery WHERE instr(payload, ?1) > 0 "  # noqa: S608
        "AND destination = ifnull(?2, destination)",
        (needle.encode(), destination),
    ).fetchall()
    connection.executemany(DELIVERED, [row[:1] for row in found])
    return [delivery(row) for row in found]


def post(connection: sqlite3.Connection, standing: Standing) -> None:
    """Replace what is known of a destination."""
    values = (
        standing.destination,
        standing.configuration,
        standing.tried_at,
        standing.failed_at,
        standing.reason,
        standing.stopped_until,
    )
    connection.execute(
        f"INSERT OR REPLACE INTO standing ({_STANDING}) VALUES (?, ?, ?, ?, ?, ?)",  # noqa: S608
        values,
    )


def probe(connection: sqlite3.Connection, standing: Standing, until: float) -> bool:
    """Change until when a destination is stopped, unless somebody has; tell whether nobody had."""
    changed = connection.execute(
        "UPDATE standing SET stopped_until = ? "
        "WHERE destination = ? AND configuration = ? AND stopped_until = ?",
        (until, standing.destination, standing.configuration, standing.stopped_until),
    )
    return changed.rowcount == 1


def standings(connection: sqlite3.Connection) -> list[Standing]:
    """Return what is known of the destinations."""
    found = connection.execute(
        f"SELECT {_STANDING} FROM standing ORDER BY destination"  # noqa: S608
    ).fetchall()
    names = _STANDING.split(", ")
    return [Standing(**dict(zip(names, row, strict=True))) for row in found]


def prune(connection: sqlite3.Connection, now: float, retention: float) -> bool:
    """Remove dead letters that are too old: a part of them, so that nobody waits long.

    Args:
        connection: In a transaction.
        now: Seconds since the epoch.
        retention: Seconds for which dead letters are kept.

    Returns:
        Whether that was all.
    """
    before = connection.total_changes
    connection.execute(
        "DELETE FROM delivery WHERE id IN (SELECT id FROM delivery "
        "WHERE reason IS NOT NULL AND died_at < ? LIMIT ?)",
        (now - retention, _CHUNK),
    )
    connection.execute(
        "DELETE FROM delivery WHERE id IN (SELECT id FROM delivery "
        "WHERE reason IS NOT NULL ORDER BY died_at DESC, id DESC LIMIT ? OFFSET ?)",
        (_CHUNK, _DEAD_MOST),
    )
    return connection.total_changes - before < _CHUNK


def forget_identities(connection: sqlite3.Connection, part: int, now: float) -> None:
    """Remove identities that are too old to be asked for.

    They are digests, so their first byte parts them evenly. An index by time would be one more page
    to write for every delivery.

    Args:
        connection: In a transaction.
        part: Which, of `PARTS`.
        now: Seconds since the epoch.
    """
    first = bytes([part])
    connection.execute(
        "DELETE FROM seen WHERE identity BETWEEN ? AND ? AND at < ?",
        (first, first + b"\xff" * 16, int(now) - _REMEMBER_SECONDS),
    )


def _identity(delivery: Delivery) -> bytes:
    name, event, key = delivery.destination, delivery.event_name, delivery.event_id
    text = f"{len(name)}:{name}{len(event)}:{event}{len(key)}:{key}"
    return hashlib.sha256(text.encode()).digest()[:16]


def delivery(row: Sequence[Any]) -> Delivery:
    """Make a delivery of its columns."""
    key, destination, event_name, event_id, payload, expires_at, attempts = row
    return Delivery(
        destination=destination,
        event_name=event_name,
        event_id=event_id,
        payload=payload,
        expires_at=expires_at,
        attempts=attempts,
        key=key,
    )
