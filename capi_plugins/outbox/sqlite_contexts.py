"""Contexts of shoppers in the file of a SQLite outbox: one place, with one kind of care."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping

from capi_plugins.context_store import MOST_KEPT, ShopperContext
from capi_plugins.outbox.sqlite_file import Door

BYTES_EACH = 8_000
"""Bytes of the file for each entry at most: an entry takes an eighth of that, events the rest."""
_FORGET_BUDGET = 10.0
_PRUNE_SECONDS = 600.0
_CHUNK = 1_000


class SqliteContextStore:
    """Keeps contexts in the file of an outbox, for all processes that share it.

    Args:
        door: The outbox's connection to its file.
        most: Most entries; the oldest go.
    """

    def __init__(self, door: Door, *, most: int = MOST_KEPT) -> None:
        self._door = door
        self._most = min(most, MOST_KEPT)
        self._prune_from = 0.0

    def keep(
        self,
        context: ShopperContext,
        *,
        replace: Collection[str],
        add: Collection[str],
        oldest: float,
    ) -> None:
        """Keep a context; see ``ContextStore.keep``.

        Raises:
            Unavailable: The file cannot be used now.
        """
        text = context.to_json()
        insert = "INSERT INTO shopper (key, at, context) VALUES (?, ?, ?) ON CONFLICT (key) DO"
        update = "UPDATE SET at = excluded.at, context = excluded.context"
        with self._door.writing(None) as connection:
            connection.executemany(
                f"{insert} {update}", [(key, context.at, text) for key in replace]
            )
            connection.executemany(
                f"{insert} {update} WHERE shopper.at < ?",
                [(key, context.at, text, oldest) for key in add],
            )
            if time.monotonic() >= self._prune_from:
                self._prune_from = time.monotonic() + _PRUNE_SECONDS
                connection.execute(
                    "DELETE FROM shopper WHERE key IN "
                    "(SELECT key FROM shopper WHERE at < ? ORDER BY at LIMIT ?)",
                    (oldest, _CHUNK),
                )
                connection.execute(
                    "DELETE FROM shopper WHERE key IN "
                    "(SELECT key FROM shopper ORDER BY at DESC LIMIT ? OFFSET ?)",
                    (_CHUNK, self._most),
                )

    def find(self, keys: Collection[str]) -> Mapping[str, ShopperContext]:
        """Return what is kept; see ``ContextStore.find``.

        Raises:
            Unavailable: The file cannot be used now.
        """
        marks = ", ".join("?" * len(keys))
        with self._door.reading(None) as connection:
            rows = connection.execute(
                f"SELECT key, context FROM shopper WHERE key IN ({marks})",  # noqa: S608
                tuple(keys),
            ).fetchall()
        return {key: ShopperContext.from_json(text) for key, text in rows}

    def forget(self, people: Collection[str]) -> int:
        """Erase people; see ``ContextStore.forget``.

        Raises:
            Unavailable: The file cannot be used now.
        """
        with self._door.writing(_FORGET_BUDGET) as connection:
            return sum(
                connection.execute(
                    "DELETE FROM shopper WHERE instr(context, ?) > 0", (f'"{one}"',)
                ).rowcount
                for one in people
            )
