"""Telling workers of a task queue that something waits: a nudge, and nothing more.

Events stay in the outbox. A task carries the name of a destination, so that a task which is lost,
late or doubled costs nothing but time: a sweep finds what no task has told of. A request only
leaves the name to a thread; whatever the queue does, it does to that thread.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections.abc import Callable, Collection, Iterable
from typing import Protocol

from capi_plugins.background import Errand
from capi_plugins.leaving import pass_on

_log = logging.getLogger("capi_plugins.nudging")
_LIMIT = 50.0
_LOG_EVERY = 60.0
Publish = Callable[[Collection[str]], None]
"""Publishes a task for each of some destinations; raises when that cannot be done in time."""


class Drains(Protocol):
    """Who can send what waits."""

    def drain(self, destination: str | None, timeout: float) -> None:
        """Send what is due; see ``capi_plugins._delivery.Delivering.drain``."""
        ...


_served: weakref.WeakSet[Drains] = weakref.WeakSet()


def serve(delivering: Drains) -> None:
    """Have the tasks of this process send what waits there.

    Args:
        delivering: Outbox and worker of a client; it is held weakly.
    """
    _served.add(delivering)


def drain(destination: str | None = None) -> None:
    """Send what is due, for 50 seconds at most: what the task does.

    It raises nothing but what ends the task, as its time limit does.

    Args:
        destination: Name of the destination; None: all.
    """
    if not _served:
        _log.error("this task worker has no client: configure it as in the web processes")
    for delivering in list(_served):
        try:
            delivering.drain(destination, _LIMIT)
        except Exception as error:
            pass_on(error)
            # What waits goes on waiting, for the next nudge or sweep.
            _log.error("delivery failed with %s", type(error).__name__)


class Nudges:
    """Publishes nudges from a thread of this process.

    Args:
        publish: Publishes them.
        worker: Who is told, for logs.
        every: Seconds between two nudges; what comes meanwhile is one nudge.
    """

    def __init__(self, publish: Publish, *, worker: str, every: float) -> None:
        self._publish = publish
        self._worker = worker
        self._every = every
        # Reentrant: an event may be captured by a finalizer that runs while the lock is held.
        self._lock = threading.RLock()
        self._names: set[str] = set()
        # Where it gets no thread, the sweep will do.
        self._errand = Errand(self._run, lambda: self._names, name="capi-nudge")
        self._closing = threading.Event()
        self._logged_at = -_LOG_EVERY

    def nudge(self, destinations: Iterable[str]) -> None:
        """Say that something waits for some destinations; returns at once and never raises.

        Args:
            destinations: Their names.
        """
        with self._lock:
            self._names.update(destinations)
        self._errand.begin()

    def close(self, timeout: float) -> None:
        """Publish what was not yet, if it does not take long.

        Args:
            timeout: Most seconds.
        """
        self._closing.set()
        self._errand.join(timeout)

    def _run(self) -> None:
        while self._names:
            with self._lock:
                names, self._names = self._names, set()
            try:
                self._publish(names)
            except Exception as error:
                self._tell(error)
            self._closing.wait(self._every)

    def _tell(self, error: Exception) -> None:
        """Log the kind of an error, now and then: its text may hold the queue's password."""
        now = time.monotonic()
        if now - self._logged_at >= _LOG_EVERY:
            self._logged_at = now
            _log.warning(
                "no %s could be told that something waits (%s); the sweep delivers it",
                self._worker,
                type(error).__name__,
            )
