"""The journal: what became of recent events, for ``capi explain``.

It has two series with a size each, so that page views cannot push conversions out. In a folder a
series is one file of JSON lines for each day: a line is appended with one system call to a file
that is opened for it, so that there is nothing to lock and nothing a fork could copy, and any
number of processes write to one folder. Files are removed after a week.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import re
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import orjson

MOST_BYTES = 8_000_000
"""Most bytes of one series and one day; what comes then is not written down."""
KEPT_DAYS = 7
"""Days, as for dead letters."""
SHORT = 12
"""Characters that are kept of a hash: enough to find a person, too few to be a match key."""
_HASH = re.compile(r"[0-9a-f]{64}")
_HIDDEN = "..."
_LONG = 20
_PLAIN = frozenset({"event_name", "event_id", "action_source"})
_SHOP = frozenset(
    {
        *("value", "currency", "content_ids", "content_type", "contents", "num_items"),
        *("order_id", "status", "id", "quantity", "item_price"),
    }
)


class Journal(Protocol):
    """Where lines are kept. Every method may be called from any thread and any process."""

    def write(self, lines: Sequence[Mapping[str, Any]], *, browsing: bool) -> None:
        """Append lines; what there is no room for is left out.

        Args:
            lines: What is written down; it holds no personal data.
            browsing: Which of the two series they belong to.

        Raises:
            Exception: They cannot be written.
        """
        ...

    def read(self) -> Iterator[dict[str, Any]]:
        """Give all lines, in no particular order."""
        ...

    def forget(self, hashes: Sequence[str]) -> int:
        """Remove the lines of all events of which one line has one of these hashes.

        Returns:
            How many there were.
        """
        ...


class FolderJournal:
    """The journal in a folder.

    Args:
        folder: Where its files are; made, for the owner alone, when the first line is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._today = ""

    @classmethod
    def beside(cls, file: Path) -> FolderJournal:
        """Return the journal that is kept beside a database file.

        Args:
            file: The database; SQLite's own files beside it are named ``-journal`` and the like.
        """
        return cls(file.with_name(f"{file.name}.capi-journal"))

    def write(self, lines: Sequence[Mapping[str, Any]], *, browsing: bool) -> None:
        """Append lines; see ``Journal.write``.

        Raises:
            OSError: They cannot be written.
        """
        today = time.strftime("%Y-%m-%d", time.gmtime())
        if today != self._today:
            self._new_day(today)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        series = ".browsing" if browsing else ""
        file = os.open(f"{self.folder}/{today}{series}.jsonl", flags, 0o600)
        try:
            if os.fstat(file).st_size < MOST_BYTES:
                os.write(file, encoded(lines))
        finally:
            os.close(file)

    def read(self) -> Iterator[dict[str, Any]]:
        """Give all lines; see ``Journal.read``."""
        for path in self._files():
            yield from decoded(path.read_bytes())

    def forget(self, hashes: Sequence[str]) -> int:
        """Remove lines; see ``Journal.forget``."""
        removed = 0
        events = set().union(*(events_with(path.read_bytes(), hashes) for path in self._files()))
        for path in self._files():
            kept, gone = without(path.read_bytes(), events)
            if gone:
                removed += gone
                rest = path.with_suffix(".rest")
                with os.fdopen(os.open(rest, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
                    file.write(kept)
                rest.replace(path)
        return removed

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("????-??-??*.jsonl"))

    def _new_day(self, today: str) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # It may stand in a working copy of the host.
        ignore = os.open(self.folder / ".gitignore", os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.write(ignore, b"*\n")
        finally:
            os.close(ignore)
        oldest = datetime.date.fromisoformat(today) - datetime.timedelta(days=KEPT_DAYS)
        for path in self._files():
            if path.name[:10] < oldest.isoformat():
                path.unlink(missing_ok=True)
        self._today = today


def encoded(lines: Iterable[Mapping[str, Any]]) -> bytes:
    """Return lines as they are kept.

    Args:
        lines: The lines.
    """
    return b"".join(orjson.dumps(line, default=str) + b"\n" for line in lines)


def decoded(data: bytes) -> Iterator[dict[str, Any]]:
    """Give the lines in what was kept.

    Args:
        data: What ``encoded`` gave; the last line may be half a line, where a disk was full or a
            machine lost its power.
    """
    for line in data.splitlines():
        with contextlib.suppress(orjson.JSONDecodeError):
            yield orjson.loads(line)


def events_with(data: bytes, hashes: Sequence[str]) -> set[str]:
    """Return the ids of the events that are somebody's.

    Args:
        data: What ``encoded`` gave.
        hashes: Hashes of match keys, in full.
    """
    wanted = [item[:SHORT].encode() for item in hashes]
    found = (line for line in data.splitlines() if any(item in line for item in wanted))
    return {line["event_id"] for line in decoded(b"\n".join(found)) if "event_id" in line}


def without(data: bytes, events: Collection[str]) -> tuple[bytes, int]:
    """Take the lines of some events out of what was kept.

    Args:
        data: What ``encoded`` gave.
        events: Ids of events.

    Returns:
        What is left, and how many lines were taken out.
    """
    lines = list(decoded(data))
    kept = [line for line in lines if line.get("event_id") not in events]
    return encoded(kept), len(lines) - len(kept)


def redacted(payload: bytes) -> Any:
    """Return a payload as the journal keeps it: hashes shortened, everything else personal hidden.

    Args:
        payload: The encoded event, as its destination gets it.
    """
    try:
        return _redacted(orjson.loads(payload), shown=False)
    except orjson.JSONDecodeError:
        return None


def redacted_path(path: str) -> str:
    """Return the path of a page without what may be a secret or an address.

    Args:
        path: Path of a URL.
    """
    return "/".join(
        _HIDDEN if len(part) >= _LONG or "@" in part or "%40" in part else part
        for part in path.split("/")
    )


def _redacted(value: Any, *, shown: bool) -> Any:
    if isinstance(value, str):
        if shown:
            return value
        return value[:SHORT] if _HASH.fullmatch(value) else _HIDDEN
    if isinstance(value, dict):
        return {
            name: _redacted(item, shown=name in _SHOP or name in _PLAIN)
            if name != "custom_data"
            else {key: _redacted(inner, shown=key in _SHOP) for key, inner in item.items()}
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [_redacted(item, shown=shown) for item in value]
    return value
