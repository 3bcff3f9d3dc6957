"""Who may do what with the file of a SQLite outbox, among all processes of the host.

The locks are the kernel's record locks on a file beside the outbox: they die with their process,
no fork inherits them, and no clock expires them. Such locks belong to the process, not to the
object, and closing any descriptor of the file drops all of them. So a process has one descriptor,
shared by all its outboxes, and never closes it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from capi_plugins.outbox.sqlite_place import lock_path
from capi_plugins.outbox.turn import Turn, pause

SETUP, TIDY = 0, 1
_FIRST_SENDER = 2


class Sender:
    """The right to send to one destination, and what this process has in flight there.

    Attributes:
        mutex: Held while rows are chosen, so that two threads never choose the same.
        leased: Keys of the rows in flight from this process, whichever outbox took them.
    """

    def __init__(self, locks: FileLocks, offset: int) -> None:
        self.mutex = Turn()
        self.leased: set[int] = set()
        self._locks = locks
        self._offset = offset

    def acquire(self) -> bool:
        """Become the sender, with the mutex held; False: another process is."""
        return bool(self.leased) or self._locks.lock(self._offset)

    def rest(self) -> None:
        """Let other processes send, with the mutex held, unless something is in flight."""
        if not self.leased:
            self._locks.unlock(self._offset)

    def settle(self, keys: set[int]) -> None:
        """Give up leases."""
        with self.mutex:
            if self.leased & keys:
                self.leased -= keys
                self.rest()


class FileLocks:
    """The locks of one process on one outbox; made by ``of``."""

    _made: ClassVar[dict[tuple[int, str], FileLocks]] = {}

    def __init__(self, path: Path) -> None:
        self._path = lock_path(path)
        self._mutex = threading.Lock()
        self._descriptor: int | None = None
        self._busy: set[int] = set()
        self._senders: dict[str, Sender] = {}

    @classmethod
    def of(cls, path: Path) -> FileLocks:
        """Return this process's locks on an outbox; a forked child has its own.

        Args:
            path: The file of the outbox, absolute.
        """
        key = (os.getpid(), str(path))
        # setdefault is atomic, so that no lock is needed that a fork could leave locked.
        return cls._made.get(key) or cls._made.setdefault(key, cls(path))

    def sender(self, destination: str) -> Sender:
        """Return the right to send to a destination, held or not."""
        found = self._senders.get(destination)
        if found is None:
            digest = hashlib.sha256(destination.encode()).digest()
            offset = _FIRST_SENDER + int.from_bytes(digest[:7])
            found = self._senders.setdefault(destination, Sender(self, offset))
        return found

    @contextlib.contextmanager
    def alone(self, task: int, budget: float) -> Iterator[bool]:
        """Be the only one of all processes and threads at a task.

        Args:
            task: ``SETUP`` or ``TIDY``.
            budget: Seconds to wait for the others.

        Yields:
            Whether this thread is; if not, leave the task alone.
        """
        deadline = time.monotonic() + budget
        while not (got := self._begin(task)) and time.monotonic() < deadline:
            pause()
        try:
            yield got
        finally:
            if got:
                self.unlock(task)
                with self._mutex:
                    self._busy.discard(task)

    def _begin(self, task: int) -> bool:
        with self._mutex:
            if task in self._busy:
                return False
            self._busy.add(task)
        try:
            got = self.lock(task)
        except BaseException:
            self._busy.discard(task)
            raise
        if not got:
            self._busy.discard(task)
        return got

    def lock(self, offset: int) -> bool:
        """Take a lock without waiting; True as well where this process has it already.

        Raises:
            OSError: The file of the locks cannot be made or used.
        """
        try:
            fcntl.lockf(self._open(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, offset)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN) and self._descriptor is not None:
                return False
            raise
        return True

    def unlock(self, offset: int) -> None:
        """Give a lock back."""
        if self._descriptor is not None:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, offset)

    def _open(self) -> int:
        with self._mutex:
            if self._descriptor is None:
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
                self._descriptor = os.open(self._path, flags, 0o600)
            return self._descriptor
