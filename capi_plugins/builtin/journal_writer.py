"""Writes in the background: whoever has something to be written down does not wait for a disk."""

from __future__ import annotations

import collections
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any

from capi_plugins.background import started

MOST_WAITING = 2_000
"""Most things that wait to be written; browsing may take half of that."""
PAUSE = 2.0
"""Seconds for which things are gathered before they are written together."""
_CLOSE_SECONDS = 1.0
_IDLE = 60.0


class BackgroundWriter:
    """Gathers things and has a thread write them; nothing here waits or raises.

    A forked child starts empty, with a thread of its own.

    Args:
        write: Writes what was gathered; called in the thread, and must not raise.
    """

    def __init__(self, write: Callable[[Sequence[Any]], None]) -> None:
        self._write = write
        self._anew()

    def _anew(self) -> None:
        self._items: collections.deque[Any] = collections.deque()
        self._thread: threading.Thread | None = None
        self._awake = False
        self._news = threading.Event()
        self._closing = threading.Event()
        self._pid = os.getpid()

    def add(self, items: Sequence[Any], *, browsing: bool) -> None:
        """Have things written soon, as many as there is room for.

        Args:
            items: What ``write`` gets.
            browsing: Whether they must leave room for others.
        """
        if self._pid != os.getpid():
            self._anew()
        room = (MOST_WAITING // 2 if browsing else MOST_WAITING) - len(self._items)
        if room <= 0 or not items:
            return
        self._items.extend(items[:room])
        if not self._awake:
            self._wake()

    def close(self) -> None:
        """Have written what waits, if that does not take long."""
        if self._pid != os.getpid():
            return
        self._closing.set()
        self._news.set()
        if self._thread is not None:
            self._thread.join(_CLOSE_SECONDS)
        if self._thread is None or not self._thread.is_alive():
            self._write_all()

    def _wake(self) -> None:
        self._awake = True
        if self._thread is None:
            self._thread = started(self._run, "capi-journal")
        self._news.set()

    def _run(self) -> None:
        while not self._closing.is_set():
            self._news.wait(_IDLE)
            self._news.clear()
            self._closing.wait(PAUSE)
            # First: whoever adds after this sets the news again.
            self._awake = False
            self._write_all()

    def _write_all(self) -> None:
        items = [self._items.popleft() for _ in range(len(self._items))]
        if items:
            self._write(items)
