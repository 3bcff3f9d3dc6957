"""Held events in the file of a SQLite outbox."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Collection, Iterator, Sequence

from capi_plugins.held_store import MOST_HELD, HeldEvent, room_for
from capi_plugins.outbox import sqlite_rows as rows
from capi_plugins.outbox.sqlite_file import Door

BYTES_EACH = 40_000
"""Bytes of the file for each event at most: an event takes a tenth of that, others the rest."""
_FORGET_BUDGET = 10.0
_CHUNK = 1_000


class SqliteHeldStore:
    """Holds events in the file of an outbox, for all processes that share it.

    Every method raises ``Unavailable`` when the file cannot be used now.

    Args:
        door: The outbox's connection to its file.
        most: Most events; the oldest go.
    """

    def __init__(self, door: Door, *, most: int = MOST_HELD) -> None:
        self._door = door
        self._most = min(most, MOST_HELD)

    def hold(self, events: Sequence[HeldEvent]) -> Sequence[HeldEvent]:
        """Hold events; see ``HeldStore.hold``."""
        visitors = {event.visitor: set[str]() for event in events}
        with self._writing() as connection:
            for visitor, key in connection.execute(
                f"SELECT visitor, key FROM held WHERE visitor IN ({_marks(visitors)})",  # noqa: S608
                tuple(visitors),
            ):
                visitors[visitor].add(key)
            new, refused = room_for(events, visitors)
            connection.executemany(
                "INSERT INTO held (key, visitor, until, event) VALUES (?, ?, ?, ?)",
                [(event.key, event.visitor, event.until, event.to_json()) for event in new],
            )
        return refused

    def find(self, visitors: Collection[str]) -> Sequence[HeldEvent]:
        """Return what is held; see ``HeldStore.find``."""
        with self._door.reading(None) as connection:
            if not connection.execute(rows.HAS_HELD).fetchone():
                return ()
            found = connection.execute(
                f"SELECT event FROM held WHERE visitor IN ({_marks(visitors)}) ORDER BY until",  # noqa: S608
                tuple(visitors),
            ).fetchall()
        return [HeldEvent.from_json(text) for (text,) in found]

    def remove(self, keys: Collection[str]) -> None:
        """Remove events; see ``HeldStore.remove``."""
        with self._writing() as connection:
            connection.executemany("DELETE FROM held WHERE key = ?", [(key,) for key in keys])

    def prune(self, now: float) -> Sequence[HeldEvent]:
        """Remove what is over or too much; see ``HeldStore.prune``."""
        with self._writing() as connection:
            over = connection.execute(
                "SELECT event FROM held WHERE until < ? ORDER BY until LIMIT ?", (now, _CHUNK)
            ).fetchall()
            many = connection.execute(
                "SELECT event FROM held WHERE until >= ? ORDER BY until DESC LIMIT ? OFFSET ?",
                (now, _CHUNK, self._most),
            ).fetchall()
            gone = [HeldEvent.from_json(text) for (text,) in over + many]
            connection.executemany(
                "DELETE FROM held WHERE key = ?", [(event.key,) for event in gone]
            )
        return gone

    def forget(self, needles: Collection[str]) -> int:
        """Erase people; see ``HeldStore.forget``."""
        with self._writing(_FORGET_BUDGET) as connection:
            return sum(
                connection.execute("DELETE FROM held WHERE instr(event, ?) > 0", (one,)).rowcount
                for one in needles
                if one
            )

    @contextlib.contextmanager
    def _writing(self, budget: float | None = None) -> Iterator[sqlite3.Connection]:
        with self._door.writing(budget) as connection:
            # Files from before there was such a table lack it.
            for statement in rows.HELD:
                connection.execute(statement)
            yield connection


def _marks(values: Collection[str]) -> str:
    return ", ".join("?" * len(values))
