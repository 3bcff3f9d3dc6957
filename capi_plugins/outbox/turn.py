"""Turns of threads, of which some may be greenlets."""

from __future__ import annotations

import contextlib
import random
import threading
import time

_LONG = 60.0
_STEP = 0.005


class Turn:
    """A lock for one thread at a time, which stays locked by nobody who was interrupted.

    An exception that ends a thread, or that a signal's handler raises, may come between getting a
    ``threading.Lock`` and the line that would see to its release. The thread that has the turn
    already, interrupted in the middle by a signal or a finaliser, does not get another.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._thread: int | None = None

    def acquire(self, timeout: float) -> bool:
        """Wait for a turn; tell whether there was one.

        Args:
            timeout: Most seconds.
        """
        me = threading.get_ident()
        if self._thread == me:
            return False
        deadline = time.monotonic() + timeout
        try:
            while True:
                if self._lock.acquire(timeout=max(0.0, min(timeout, _STEP))):
                    if self._thread is None:
                        self._thread = me
                        return True
                    # Greenlets share the lock of the thread they are in.
                    self._lock.release()
                timeout = deadline - time.monotonic()
                if timeout <= 0:
                    return False
                # Who has the turn may wait for another greenlet of this thread.
                pause()
        except BaseException:
            if self._thread == me:
                self._thread = None
            if self._thread is None:
                # Only who has got it can release it, and nobody else noticed.
                with contextlib.suppress(RuntimeError):
                    self._lock.release()
            raise

    def release(self) -> None:
        """End the turn."""
        self._thread = None
        self._lock.release()

    def __enter__(self) -> None:
        """Wait for a turn, however long that takes.

        Raises:
            RuntimeError: The thread has it.
        """
        while not self.acquire(_LONG):
            if self._thread == threading.get_ident():
                raise RuntimeError("a thread that was interrupted cannot do the same in between")

    def __exit__(self, *_: object) -> None:
        """End the turn."""
        self.release()


def pause() -> None:
    """Wait as long as a commit takes, never in step with others who wait."""
    time.sleep(random.uniform(0.0002, 0.002))  # noqa: S311
