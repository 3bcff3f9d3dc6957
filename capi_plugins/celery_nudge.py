"""Celery as the one who sends: nudges as tasks of an app, and the sweep as a beat schedule."""

from __future__ import annotations

import codecs
import concurrent.futures.thread  # noqa: F401 - minds forks: not to be imported in one
import importlib
from collections.abc import Collection
from typing import Any

from celery import shared_task

from capi_plugins.forks import unforked
from capi_plugins.nudging import Nudges, drain

TASK = "capi_plugins.deliver"
"""Name of the task, for ``task_routes``."""
SWEEP = 60.0
"""How often ``beat_schedule`` looks for what waits, seconds."""
_PATIENCE = 2.0
_NUDGE_EVERY = 0.5
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

deliver = shared_task(name=TASK, ignore_result=True, max_retries=0)(drain)
"""The task: sends what is due for a destination, or for all. It is in every app of the process."""


def beat_schedule(every: float = SWEEP) -> dict[str, dict[str, Any]]:
    """Return the entry of ``beat_schedule`` that sweeps up what no nudge has told of.

    Args:
        every: Seconds between two sweeps.
    """
    # A sweep that nobody has run before the next one is due is not missed.
    return {"capi-sweep": {"task": TASK, "schedule": every, "options": {"expires": every}}}


def find_app(path: str) -> Any:
    """Return a Celery app.

    Args:
        path: Dotted path of the app, or of a function that returns it.

    Raises:
        Exception: Whatever importing it raises.
    """
    module, _, name = path.rpartition(".")
    found = getattr(importlib.import_module(module), name)
    return found if hasattr(found, "send_task") else found()


def nudges(path: str) -> Nudges:
    """Make who publishes nudges to a Celery app.

    Args:
        path: Dotted path of the app, or of a function that returns it; looked for when there is
            something to publish.
    """
    return Nudges(
        lambda names: _publish(find_app(path), names), worker="Celery worker", every=_NUDGE_EVERY
    )


def _connection(app: Any) -> Any:
    with unforked():
        # Imported by what is asked of the app and its connection for the first time.
        import celery.app.task  # noqa: F401, PLC0415

        made = app.connection_for_write(connect_timeout=_PATIENCE, transport_options=_HURRY)
        made.get_transport_cls()
        _ = app.amqp.send_task_message, app.AsyncResult
        codecs.lookup("idna")
    return made


def _publish(app: Any, names: Collection[str]) -> None:
    # A connection of its own, because the app's pool waits as long as the host has chosen.
    with _connection(app) as connection:
        for name in names:
            app.send_task(
                TASK,
                args=(name,),
                connection=connection,
                retry=False,
                ignore_result=True,
                expires=SWEEP,
            )
