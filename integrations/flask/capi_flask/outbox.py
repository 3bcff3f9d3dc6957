"""What ``"OUTBOX": "auto"`` is in Flask: a file in the instance folder, where one can be."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

from flask import Flask

from capi_plugins.outbox.base import Outbox
from capi_plugins.outbox.memory import MemoryOutbox
from capi_plugins.outbox.sqlite_place import absolute, place_problems
from capi_plugins.settings import Settings

_log = logging.getLogger("capi_plugins.flask")
_FILE = "capi.sqlite3"


def auto_outbox(app: Flask) -> Callable[[Settings], Outbox]:
    """Return what makes the outbox of a process that serves an app.

    It decides when the process has its first event and not before: a server may load an app as
    root and serve it as somebody else, and tests say so after the app was made.

    Args:
        app: The app.
    """

    def make(settings: Settings) -> Outbox:
        delivery = settings.delivery
        path = absolute(Path(app.instance_path) / _FILE)
        problems = [] if app.testing else _problems(path)
        if problems and delivery.worker == "thread":
            _log.warning(
                "CAPI['DELIVERY']['OUTBOX'] 'auto' %s; until then events wait in memory, and are "
                "lost when the process is killed",
                "; ".join(problems),
            )
        if app.testing or (problems and delivery.worker == "thread"):
            return MemoryOutbox.of(delivery)
        # Only those who use it pay for sqlite3.
        from capi_plugins.outbox.sqlite import SqliteOutbox  # noqa: PLC0415

        return SqliteOutbox(path, retention=delivery.retention_seconds)

    return make


def _problems(path: Path) -> list[str]:
    """Say why the file cannot be there, each a sentence that continues the setting's name."""
    if os.name != "posix":
        return ["needs the file locks of POSIX: name an outbox yourself ('memory')"]
    folder = path.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not os.access(folder, os.W_OK | os.X_OK):
        wanted = f"wants to keep {path}, and {folder} is not writable"
        return [f"{wanted}: let the server's user write there, or name a place: sqlite:///path"]
    return place_problems(path)
