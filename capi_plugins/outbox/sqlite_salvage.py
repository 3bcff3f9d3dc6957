"""Getting back what a damaged file still holds.

A damaged page costs the rows on it. The others are read one by one, where need be from key to key,
and put into the new file. What was read is sent as it was stored: a payload that is spoilt as well
is refused by its destination, alone.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

from capi_plugins.outbox import sqlite_rows as rows
from capi_plugins.outbox.base import Delivery

CHUNK = 100
"""Deliveries that are put back in one commit."""
_MOST_GAPS = 100_000
_TYPES = (int, str, str, str, bytes, float | int | None, int)


def salvaged(path: Path) -> Iterator[list[Delivery]]:
    """Read what a damaged file still holds of what is to be sent.

    Args:
        path: The file, moved aside, with its log beside it.

    Yields:
        Deliveries, some at a time.
    """
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True)) as found,
    ):
        found.execute("PRAGMA trusted_schema = OFF")
        found.execute("PRAGMA cell_size_check = ON")
        readable = (row for row in _rows(found) if _is_sound(row))
        while chunk := [rows.delivery(row) for row in islice(readable, CHUNK)]:
            yield chunk


def _rows(connection: sqlite3.Connection) -> Iterator[Any]:
    last, gaps = 0, 0
    while gaps < _MOST_GAPS:
        try:
            for row in connection.execute(rows.AFTER, (last,)):
                last, gaps = row[0], 0
                yield row
        except (sqlite3.Error, UnicodeError):
            # Behind the page that cannot be read others follow.
            last, gaps = last + 1, gaps + 1
        else:
            return


def _is_sound(row: Any) -> bool:
    return all(isinstance(value, kind) for value, kind in zip(row, _TYPES, strict=True))
