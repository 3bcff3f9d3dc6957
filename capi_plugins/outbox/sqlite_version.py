"""Which SQLite this process has, and whether the SQLite outbox can rely on it."""

from __future__ import annotations

import sqlite3
import sys

import attrs

LEAST = (3, 24, 0)
"""The first that knows ``ON CONFLICT ... DO UPDATE``."""
_WITHOUT = (3, 51, 3)
_CORRECTED = ((3, 50, 7), (3, 44, 6))
_OTHERS = ("pysqlite3", "apsw", "sqlean")
Version = tuple[int, int, int]


@attrs.frozen(kw_only=True)
class Trouble:
    """Why the outbox had better have another SQLite.

    Attributes:
        text: What is wrong.
        hint: What to do.
        useless: Whether nothing can be stored.
    """

    text: str
    hint: str
    useless: bool


def can_lose_rows(version: Version) -> bool:
    """Whether a version has the WAL-reset bug (https://sqlite.org/wal.html#walresetbug).

    A checkpoint that is no TRUNCATE can then lose what others commit in the same moment. It is in
    3.7.0 to 3.51.2, but for what has the correction too: 3.50.7 and 3.44.6.

    Args:
        version: As ``sqlite3.sqlite_version_info``.
    """
    corrected = any(first <= version < (*first[:2], 99) for first in _CORRECTED)
    return (3, 7, 0) <= version < _WITHOUT and not corrected


def described(version: Version = sqlite3.sqlite_version_info) -> str:
    """Tell the version, and what is to be known of it.

    Args:
        version: As ``sqlite3.sqlite_version_info``.
    """
    name = f"SQLite {'.'.join(map(str, version))}"
    if not can_lose_rows(version):
        return name
    return (
        f"{name} has the WAL-reset bug, which the outbox keeps clear of: let no other program "
        "write or checkpoint its file"
    )


def troubles(version: Version = sqlite3.sqlite_version_info) -> list[Trouble]:
    """What speaks against the SQLite of this process.

    Args:
        version: As ``sqlite3.sqlite_version_info``.
    """
    found = []
    if version < LEAST:
        least = ".".join(map(str, LEAST))
        found.append(
            Trouble(
                text=f"SQLite {'.'.join(map(str, version))} is too old for the SQLite outbox, "
                f"which needs {least}: events are kept in memory",
                hint="use a Python with a newer one, or another CAPI['DELIVERY']['OUTBOX']",
                useless=True,
            )
        )
    others = [name for name in _OTHERS if name in sys.modules]
    if others:
        found.append(
            Trouble(
                text=f"{' and '.join(others)} is loaded beside Python's own SQLite",
                hint="never open the outbox's file with it in this process: two SQLites do not see "
                "each other's locks, and one drops those of the other",
                useless=False,
            )
        )
    return found
