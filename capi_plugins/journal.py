"""The journal: what became of recent events, one JSON line each, in one file for each day.

A line is appended with one system call to a file that is opened for it: no lock, no thread, nothing
that a fork could copy, and any number of processes write to one folder. A day's file has an upper
size, and files are removed after a week.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

MOST_BYTES = 16_000_000
"""Most bytes of one day; what comes then is not written down."""
KEPT_DAYS = 7
"""Days, as for dead letters."""
SHORT = 12
"""Characters that are kept of a hash: enough to find a person, too few to be a match key."""
_HASH = re.compile(r"[0-9a-f]{64}")
_HIDDEN = "..."
_PLAIN = frozenset({"event_name", "event_id", "action_source"})
_SHOP = frozenset(
    {
        *("value", "currency", "content_ids", "content_type", "contents", "num_items"),
        *("order_id", "status", "id", "quantity", "item_price"),
    }
)


class Journal:
    """The journal in a folder.

    Args:
        folder: Where its files are; made, for the owner alone, when the first line is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._today = ""

    def write(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Append lines.

        Raises:
            OSError: They cannot be written.
        """
        today = time.strftime("%Y-%m-%d", time.gmtime())
        if today != self._today:
            self._new_day(today)
        data = b"".join(orjson.dumps(line, default=str) + b"\n" for line in lines)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        file = os.open(f"{self.folder}/{today}.jsonl", flags, 0o600)
        try:
            if os.fstat(file).st_size < MOST_BYTES:
                os.write(file, data)
        finally:
            os.close(file)

    def read(self) -> Iterator[dict[str, Any]]:
        """Give all lines, the oldest first."""
        for path in self._files():
            for line in path.read_bytes().splitlines():
                # The last line may be half a line: the disk was full, the machine lost its power.
                with contextlib.suppress(orjson.JSONDecodeError):
                    yield orjson.loads(line)

    def forget(self, hashes: Sequence[str]) -> int:
        """Remove the lines with one of these hashes.

        Returns:
            How many there were.
        """
        wanted = [item[:SHORT].encode() for item in hashes]
        removed = 0
        for path in self._files():
            lines = path.read_bytes().splitlines(keepends=True)
            kept = [line for line in lines if not any(item in line for item in wanted)]
            if len(kept) < len(lines):
                removed += len(lines) - len(kept)
                rest = path.with_suffix(".rest")
                with os.fdopen(os.open(rest, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
                    file.write(b"".join(kept))
                rest.replace(path)
        return removed

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("????-??-??.jsonl"))

    def _new_day(self, today: str) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        oldest = datetime.date.fromisoformat(today) - datetime.timedelta(days=KEPT_DAYS)
        for path in self._files():
            if path.stem < oldest.isoformat():
                path.unlink(missing_ok=True)
        self._today = today


def redacted(payload: bytes) -> Any:
    """Return a payload as the journal keeps it: hashes shortened, everything else personal hidden.

    Args:
        payload: The encoded event, as its destination gets it.
    """
    try:
        return _redacted(orjson.loads(payload), shown=False)
    except orjson.JSONDecodeError:
        return None


def _redacted(value: Any, *, shown: bool) -> Any:
    if isinstance(value, dict):
        return {
            name: _redacted(item, shown=name in _SHOP or name in _PLAIN)
            if name != "custom_data"
            else {key: _redacted(inner, shown=key in _SHOP) for key, inner in item.items()}
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [_redacted(item, shown=shown) for item in value]
    if isinstance(value, str) and not shown:
        return value[:SHORT] if _HASH.fullmatch(value) else _HIDDEN
    return value
