"""Tidying a SQLite outbox: what is too old goes, and the log moves into the file.

Checkpoints other than TRUNCATE can lose committed rows while others write (SQLite's WAL-reset bug,
3.7.0 to 3.51.2). So nobody checkpoints by itself, and one process at a time truncates.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

from capi_plugins.background import Errand
from capi_plugins.outbox import sqlite_rows as rows
from capi_plugins.outbox.sqlite_file import Door, Unavailable
from capi_plugins.outbox.sqlite_locks import TIDY, FileLocks

# Nobody can write while the log moves into the file: some 20 ms for as much as this.
_LOG_BYTES = 4_000_000
_LOG_SECONDS = 10.0
_PRUNE_SECONDS = 3600.0
_BUDGET = 10.0
_PRUNE_BUDGET = 0.5
_CHECKPOINT_BUSY_MS = 30_000


class Tidying:
    """The tidying of one process.

    Args:
        path: The file.
        door: The connection to use.
        locks: This process's locks on it.
        clock: Seconds since the epoch.
        retention: Seconds for which dead letters are kept.
    """

    def __init__(
        self,
        path: Path,
        door: Door,
        locks: FileLocks,
        clock: Callable[[], float],
        retention: float,
    ) -> None:
        self._log = f"{path}-wal"
        self._door = door
        self._locks = locks
        self._clock = clock
        self._retention = retention
        self._tidied = -_PRUNE_SECONDS
        self._forgot_at = 0.0
        self._errand = Errand(self.tidy, lambda: False, name="capi-tidy")

    def now_and_then(self) -> None:
        """Tidy if it is time to: called by who sends, though there may be nothing to be sent."""
        late = time.monotonic() - self._tidied > _LOG_SECONDS
        if self.log_is_large() or (late and self._log_size()) or self.overdue():
            self.tidy()

    def overdue(self) -> bool:
        """Whether it is long ago, whatever was written since: what is too old goes all the same."""
        return time.monotonic() - self._tidied > _PRUNE_SECONDS

    def beside(self) -> None:
        """Tidy where no sender does, and not in the calling thread."""
        self._errand.begin()

    def close(self, timeout: float) -> None:
        """Wait for what goes on beside.

        Args:
            timeout: Most seconds.
        """
        self._errand.join(timeout)

    def tidy(self) -> None:
        """Tidy, unless another process does."""
        with (
            contextlib.suppress(Unavailable, OSError),
            self._locks.alone(TIDY, 0) as alone,
        ):
            if not alone:
                return
            self._tidied = time.monotonic()
            try:
                done = False
                while not done:
                    with self._door.writing(_PRUNE_BUDGET) as connection:
                        done = rows.prune(connection, self._clock(), self._retention)
                self._forget_identities()
            except Unavailable as error:
                if error.passing:
                    # A checkpoint that does not get the write lock turns into a passive one.
                    return
            with self._door.reading(_BUDGET) as connection:
                connection.execute(f"PRAGMA busy_timeout = {_CHECKPOINT_BUSY_MS}")
                try:
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                finally:
                    connection.execute("PRAGMA busy_timeout = 0")

    def _forget_identities(self) -> None:
        """Now and then, because it reads all that is remembered."""
        now = self._clock()
        if 0 <= now - self._forgot_at < _PRUNE_SECONDS:
            return
        for part in range(rows.PARTS):
            with self._door.writing(_PRUNE_BUDGET) as connection:
                rows.forget_identities(connection, part, now)
        self._forgot_at = now

    def log_is_large(self) -> bool:
        """Whether the log beside the file is to be moved into it, whoever does so."""
        return self._log_size() > _LOG_BYTES

    def _log_size(self) -> int:
        try:
            return os.stat(self._log).st_size  # noqa: PTH116
        except OSError:
            return 0
