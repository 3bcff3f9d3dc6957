"""Whether the files of a SQLite outbox still stand where they were opened.

A log that was deleted loses what is written, and without the one index that all processes share
they overwrite each other's.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

SUFFIXES = ("", "-wal", "-shm")
"""What the names of the files end with: the database, its log, the index of that."""
# Nanoseconds; more than any file system rounds times to.
_TICK = 4_000_000_000


class Presence:
    """The files of one outbox, as they were when they were opened.

    Args:
        path: The database.
    """

    def __init__(self, path: Path) -> None:
        self._folder = str(path.parent)
        self._files = tuple(f"{path}{suffix}" for suffix in SUFFIXES)
        self._inodes: tuple[int, ...] = ()
        self._folder_changed = 0

    @property
    def noted(self) -> bool:
        """Whether all of them stood there when they were opened."""
        return bool(self._inodes)

    def note(self) -> None:
        """Note which files stand at the path: they were opened just now."""
        self._inodes, self._folder_changed = self._look(), 0

    def lasts(self) -> bool:
        """Whether they still do.

        A file that goes changes its folder, so that one look does for three: unless the folder
        changed so lately that its time may not tell the next change from that one.
        """
        try:
            changed = os.stat(self._folder).st_mtime_ns  # noqa: PTH116
        except FileNotFoundError:
            return False
        if changed == self._folder_changed:
            return True
        lasts = self.noted and self._inodes == self._look()
        if lasts and changed < time.time_ns() - _TICK:
            self._folder_changed = changed
        return lasts

    def _look(self) -> tuple[int, ...]:
        try:
            return tuple([os.stat(path).st_ino for path in self._files])  # noqa: PTH116
        except FileNotFoundError:
            return ()
