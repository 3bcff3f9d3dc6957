"""Celery as the one who sends: a nudge says that something waits, and nothing more.

Events stay in the outbox. A task carries the name of a destination, so that a task which is lost,
late or doubled costs nothing but time: a sweep every minute finds what no task has told of. A
request only leaves the name to a thread; whatever the broker does, it does to that thread.
"""

from __future__ import annotations

import importlib
import logging
import sys
import threading
import time
import weakref
from collections.abc import Iterable
from typing import Any, Protocol

from celery import shared_task

_log = logging.getLogger("capi_plugins.celery")
TASK = "capi_plugins.deliver"
"""Name of the task, for ``task_routes``."""
SWEEP = 60.0
"""How often ``beat_schedule`` looks for what waits, seconds."""
_LIMIT = 50.0
_PATIENCE = 2.0
_NUDGE_EVERY = 0.5
_LOG_EVERY = 60.0
# The keys of all brokers together: each takes its own and lets the others be.
_HURRY = {
    "read_timeout": _PATIENCE,
    "write_timeout": _PATIENCE,
    "socket_timeout": _PATIENCE,
    "socket_connect_timeout": _PATIENCE,
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0,
    "interval_max": 0,
}


class Drains(Protocol):
    """Who can send what waits."""

    def drain(self, destination: str | None, timeout: float) -> None:
        """Send what is due; see ``capi_plugins._delivery.Delivering.drain``."""
        ...


_served: weakref.WeakSet[Drains] = weakref.WeakSet()


def serve(delivering: Drains) -> None:
    """Have the task of this process send what waits there.

    Args:
        delivering: Outbox and worker of a client; it is held weakly.
    """
    _served.add(delivering)


def _deliver(destination: str | None = None) -> None:
    if not _served:
        _log.error("this Celery worker has no client: configure it as in the web processes")
    for delivering in list(_served):
        try:
            delivering.drain(destination, _LIMIT)
        except Exception as error:
            # What waits goes on waiting, for the next nudge or sweep.
            _log.error("delivery failed with %s", type(error).__name__)


deliver = shared_task(name=TASK, ignore_result=True, max_retries=0)(_deliver)
"""The task: sends what is due for a destination, or for all. It is in every app of the process."""


def beat_schedule(every: float = SWEEP) -> dict[str, dict[str, Any]]:
    """Return the entry of ``beat_schedule`` that sweeps up what no nudge has told of.

    Args:
        every: Seconds between two sweeps.
    """
    # A sweep that nobody has run before the next one is due is not missed.
    return {"capi-sweep": {"task": TASK, "schedule": every, "options": {"expires": every}}}


class Nudges:
    """Publishes nudges from a thread of this process.

    Args:
        app: Dotted path of the Celery app, or of a function that returns it.
    """

    def __init__(self, app: str) -> None:
        self._path = app
        # Reentrant: an event may be captured by a finalizer that runs while the lock is held.
        self._lock = threading.RLock()
        self._names: set[str] = set()
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        self._logged_at = -_LOG_EVERY

    def nudge(self, destinations: Iterable[str]) -> None:
        """Say that something waits for some destinations; returns at once and never raises.

        Args:
            destinations: Their names. Those of half a second are one nudge.
        """
        with self._lock:
            self._names.update(destinations)
            # While the interpreter is torn down a thread is waited for that never runs.
            if self._thread is not None or sys.is_finalizing():
                return
            thread = threading.Thread(target=self._run, name="capi-nudge", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                return  # no threads to be had: the sweep will do
            self._thread = thread

    def app(self) -> Any:
        """Return the Celery app.

        Raises:
            Exception: Whatever importing it raises.
        """
        module, _, name = self._path.rpartition(".")
        found = getattr(importlib.import_module(module), name)
        return found if hasattr(found, "send_task") else found()

    def close(self, timeout: float) -> None:
        """Publish what was not yet, if it does not take long.

        Args:
            timeout: Most seconds.
        """
        self._closing.set()
        thread = self._thread
        if thread is not None:
            thread.join(timeout)

    def _run(self) -> None:
        while True:
            with self._lock:
                names, self._names = self._names, set()
                if not names:
                    self._thread = None
                    return
            try:
                self._publish(names)
            except Exception as error:
                self._tell(error)
            self._closing.wait(_NUDGE_EVERY)

    def _publish(self, names: Iterable[str]) -> None:
        app = self.app()
        # A connection of its own, because the app's pool waits as long as the host has chosen.
        with app.connection_for_write(
            connect_timeout=_PATIENCE, transport_options=_HURRY
        ) as connection:
            for name in names:
                app.send_task(
                    TASK,
                    args=(name,),
                    connection=connection,
                    retry=False,
                    ignore_result=True,
                    expires=SWEEP,
                )

    def _tell(self, error: Exception) -> None:
        """Log the kind of an error, now and then: its text may hold the broker's password."""
        now = time.monotonic()
        if now - self._logged_at >= _LOG_EVERY:
            self._logged_at = now
            _log.warning(
                "no Celery worker could be told that something waits (%s); the sweep delivers it",
                type(error).__name__,
            )
