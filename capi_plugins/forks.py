"""What no fork interrupts: imports that are left for later, and the first steps of OpenSSL.

Whoever imports holds a lock of the module's, and whoever makes a TLS context one of OpenSSL's. In
the child of a fork that thread is missing and the lock stays taken: who asks for the same there
waits for ever. So a fork waits until that is over, which takes moments.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

# If the thread that forks has what the other waits for, neither would go on.
_MOST_SECONDS = 3.0


class _Gate:
    """The lock of one process: forks hold it, and whatever they may not interrupt."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.lock = threading.RLock()
        self.forking: int | None = None


_gate = _Gate()


def _of_this_process() -> _Gate:
    global _gate  # noqa: PLW0603 - a fork that Python does not see leaves the parent's behind
    if _gate.pid != os.getpid():
        _gate = _Gate()
    return _gate


@contextlib.contextmanager
def unforked() -> Iterator[None]:
    """Have forks wait for what is done in here."""
    with _of_this_process().lock:
        yield


def _before_fork() -> None:
    gate = _of_this_process()
    if gate.lock.acquire(timeout=_MOST_SECONDS):
        gate.forking = threading.get_ident()


def _after_fork() -> None:
    if _gate.forking == threading.get_ident():
        _gate.forking = None
        _gate.lock.release()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork)
