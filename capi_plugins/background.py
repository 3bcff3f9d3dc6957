"""Threads beside the host's, where there may be none to be had."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any


def started(target: Callable[..., object], name: str, *args: Any) -> threading.Thread | None:
    """Start a daemon thread, which the end of the process does not wait for.

    Args:
        target: What it runs.
        name: Its name, as debuggers and process lists show it.
        *args: What ``target`` is called with.

    Returns:
        The thread. None where there is none to be had: the interpreter is shutting down, the host
        allows no threads, or there are too many.
    """
    # While the interpreter is torn down, whoever starts a thread waits for one that never runs.
    if sys.is_finalizing():
        return None
    thread = threading.Thread(target=target, args=args, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError:
        return None
    return thread


class Errand:
    """Work that one thread does, which is there while there is some.

    Args:
        work: Does what there is to be done.
        left: Whether something is left to be done.
        name: The thread's name.
    """

    def __init__(
        self, work: Callable[[], object], left: Callable[[], object], *, name: str
    ) -> None:
        self._work = work
        self._left = left
        self._name = name
        # Taken while there is a thread. Nobody waits for it: whoever starts a thread lets greenlets
        # run, and those must find no lock that is held for that long.
        self._taken = threading.Lock()
        self._thread: threading.Thread | None = None

    def begin(self) -> bool:
        """Have it done, after what is to be done was noted; False: there is no thread to be had."""
        if not self._taken.acquire(blocking=False):
            return True
        thread = started(self._run, self._name)
        if thread is None:
            self._taken.release()
            return False
        self._thread = thread
        return True

    def join(self, timeout: float) -> None:
        """Wait until it is done.

        Args:
            timeout: Most seconds.
        """
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        while True:
            try:
                self._work()
            finally:
                self._taken.release()
            # What was noted in this moment found the thread still there.
            if not self._left() or not self._taken.acquire(blocking=False):
                return
