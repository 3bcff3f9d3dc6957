"""Serves a Flask app for ``capi discover --record`` and tells the recorder what happens."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flask import Flask
from werkzeug.serving import run_simple

from capi_flask import discovery
from capi_flask.handling import Handling
from capi_flask.installed import Installed
from capi_flask.lifecycle import Lifecycle
from capi_flask.signals import defined_signals
from capi_plugins import configure
from capi_plugins.cli.discovering.recorder import Recorder

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

_log = logging.getLogger("capi_plugins.flask")


def record(app: Flask, recorder: Recorder, host: str, port: int) -> None:
    """Run the development server until Ctrl-C; nothing is sent meanwhile.

    Args:
        app: The app.
        recorder: What is told.
        host: Address to listen on.
        port: TCP port.
    """
    before = app.extensions.get("capi")
    if isinstance(before, Installed) and before.lifecycle is not None:
        before.lifecycle.disconnect(app)
    # Whatever the app says of destinations and workers, none is needed.
    installed = Installed(configure({"ENABLED": False, "AUTOLOAD": False}))
    installed.lifecycle = _Watching(installed, recorder)
    app.extensions["capi"] = installed
    installed.lifecycle.connect(app)
    for path, signal in defined_signals().items():
        signal.connect(_receiver(recorder, path), weak=False)
    _watch_rows(recorder)
    run_simple(host, port, app, threaded=True)


def _quietly(function: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(function)
    def quiet(*arguments: Any, **named: Any) -> None:
        try:
            function(*arguments, **named)
        except Exception as error:
            _log.warning("recording failed with %s", type(error).__name__)

    return quiet


class _Watching(Lifecycle):
    """Tells the recorder of every request."""

    def __init__(self, installed: Installed, recorder: Recorder) -> None:
        super().__init__(installed)
        self._recorder = recorder

    def request_started(self, *arguments: Any, **named: Any) -> None:
        """Take note that a request begins."""
        self._recorder.begin()
        super().request_started(*arguments, **named)

    @_quietly
    def request_finished(self, *arguments: Any, **named: Any) -> None:
        """Look at the request while its database session is there."""
        super().request_finished(*arguments, **named)
        if handling := Handling.of(self.installed):
            self._recorder.finish(handling.described(named["response"]))


def _receiver(recorder: Recorder, path: str) -> Callable[..., None]:
    @_quietly
    def receive(sender: object = None, /, **arguments: Any) -> None:
        # A path would call the app.
        recorder.signal(path, {**arguments, "sender": type(sender).__name__})

    return receive


def _watch_rows(recorder: Recorder) -> None:
    try:
        from sqlalchemy import event  # noqa: PLC0415 - only where the host has it
        from sqlalchemy.orm import Session  # noqa: PLC0415
    except ImportError:
        return

    @_quietly
    def flushed(session: Session, _: object) -> None:
        for row in session.new:
            _row(recorder, row, created=True)
        for row in session.dirty:
            _row(recorder, row, created=False)

    event.listen(Session, "after_flush", flushed)


def _row(recorder: Recorder, row: Any, *, created: bool) -> None:
    from sqlalchemy import inspect  # noqa: PLC0415 - only where the host has it

    state: Any = inspect(row)
    old: dict[str, Any] = {}
    new: dict[str, Any] = {}
    for column in state.mapper.column_attrs:
        history = state.attrs[column.key].history
        new[column.key] = state.dict.get(column.key)
        if history.deleted:
            old[column.key] = history.deleted[0]
        elif not history.added:
            old[column.key] = new[column.key]
    cls = type(row)
    recorder.row(
        discovery.name_of(cls),
        lambda: row,
        created=created,
        old=old,
        new=new,
        is_user=discovery.is_user(cls),
    )
