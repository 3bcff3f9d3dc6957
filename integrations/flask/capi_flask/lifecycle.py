"""The life of a request, told by Flask's own signals.

Signals, not ``before_request``: a handler of the host that answers by itself cannot hide the
request from them, and they can be connected to an app that has already served requests.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import flask

from capi_flask.handling import Handling
from capi_flask.views import exempt

if TYPE_CHECKING:
    from capi_flask.installed import Installed


def _fenced(method: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(method)
    def receiver(self: Lifecycle, _app: object = None, /, **arguments: Any) -> None:
        try:
            method(self, **arguments)
        except Exception as error:
            self.installed.client.failed(method.__name__, error)

    return receiver


class Lifecycle:
    """Listens to the signals of one app.

    blinker holds the methods weakly and ``app.extensions`` holds this object, so that it lives as
    long as the app: a test suite that makes a thousand apps keeps none of them.

    Args:
        installed: The app's state.
    """

    def __init__(self, installed: Installed) -> None:
        self.installed = installed

    def connect(self, app: flask.Flask) -> None:
        """Listen to an app."""
        for signal, receiver in self._receivers():
            signal.connect(receiver, sender=app)

    def disconnect(self, app: flask.Flask) -> None:
        """Listen no more."""
        for signal, receiver in self._receivers():
            signal.disconnect(receiver, sender=app)

    def _receivers(self) -> tuple[tuple[Any, Callable[..., None]], ...]:
        return (
            (flask.appcontext_pushed, self.context_pushed),
            (flask.request_started, self.request_started),
            (flask.before_render_template, self.template_begun),
            (flask.template_rendered, self.template_rendered),
            (flask.message_flashed, self.message_flashed),
            (flask.request_finished, self.request_finished),
            (flask.got_request_exception, self.request_failed),
            (flask.request_tearing_down, self.request_ended),
        )

    @_fenced
    def context_pushed(self, **_: Any) -> None:
        """Connect the triggers that were not connected before; commands have no request."""
        self.installed.watch_database()
        self.installed.signals.connect(import_modules=False)

    @_fenced
    def request_started(self, **_: Any) -> None:
        """Open the request."""
        if self.installed.prepare_once():
            exempt(flask.current_app)
        Handling.begin(self.installed)

    @_fenced
    def template_begun(self, *, template: Any, context: Mapping[str, Any], **_: Any) -> None:
        """Remember a template; a streamed one is rendered after the request was finished."""
        if handling := Handling.of(self.installed):
            handling.pages.begun(template.name, context)

    @_fenced
    def template_rendered(self, *, template: Any, context: Mapping[str, Any], **_: Any) -> None:
        """Remember a rendered template."""
        if handling := Handling.of(self.installed):
            handling.pages.rendered(template.name, context)

    @_fenced
    def message_flashed(self, *, message: object, **_: Any) -> None:
        """Remember a message."""
        if handling := Handling.of(self.installed):
            handling.messages.append(message)

    @_fenced
    def request_finished(self, *, response: flask.Response, **_: Any) -> None:
        """Capture the events; the session is saved and the headers are made by now."""
        if handling := Handling.of(self.installed):
            handling.finish(response)

    @_fenced
    def request_failed(self, **_: Any) -> None:
        """Capture the events of a request whose exception goes on to the server.

        There will be no ``request_finished``, and teardown functions of the host may remove its
        database session before ``request_ended``.
        """
        handling = Handling.of(self.installed)
        if handling and _propagates(flask.current_app):
            handling.finish(None)

    @_fenced
    def request_ended(self, **_: Any) -> None:
        """Leave the request, however it ended."""
        if handling := Handling.of(self.installed):
            handling.end()


def _propagates(app: flask.Flask) -> bool:
    wanted = app.config["PROPAGATE_EXCEPTIONS"]
    return bool(app.testing or app.debug) if wanted is None else bool(wanted)
