"""A blueprint at ``CAPI["URL_PREFIX"]``: sources, ``bridge.js``, and what pages send."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from flask import Blueprint, Flask, Response, current_app, request
from werkzeug.wsgi import get_input_stream

from capi_flask.context import context_of
from capi_plugins.bridge import PATH, serve
from capi_plugins.builtin.consent import name_of
from capi_plugins.collecting import PATH as COLLECT
from capi_plugins.collecting import collect
from capi_plugins.receiving import TRACKING, WEBHOOKS, Read, respond
from capi_plugins.sources.base import SourceResponse

if TYPE_CHECKING:
    from capi_plugins import Client, RequestContext

_log = logging.getLogger("capi_plugins.flask")
_METHODS = ("GET", "POST", "PUT", "PATCH", "OPTIONS")
NAME = "capi"
"""Name of the blueprint."""


def mount(app: Flask, client: Client) -> None:
    """Mount the sources, what pages send to, and the script, as far as settings want them.

    Args:
        app: The app, before its first request.
        client: Who has the sources.
    """
    collecting = bool(client.browser.collecting.names)
    bridged = collecting or any(
        name_of(source) == "bridge" for source in client.settings.consent.sources
    )
    if not client.sources and not bridged:
        return
    if getattr(app, "_got_first_request", False):
        _log.error("nothing is mounted: Capi.init_app() came after the first request")
        return
    blueprint = Blueprint(NAME, __name__)

    def receive(path: str) -> Response:
        return _response(respond(client, f"{_place()}/{path}", *_taken(client)))

    def collect_event() -> Response:
        return _response(collect(client, *_taken(client)))

    def bridge() -> Response:
        given = {name.lower(): value for name, value in request.headers.items()}
        return _response(serve(request.method, given))

    if collecting:
        blueprint.add_url_rule(
            f"/{COLLECT}",
            "collect",
            collect_event,
            methods=_METHODS,
            provide_automatic_options=False,
        )
    if bridged:
        blueprint.add_url_rule(f"/{PATH}", "bridge", bridge)
    for place in (TRACKING, WEBHOOKS) if client.sources else ():
        blueprint.add_url_rule(
            f"/{place}/<path:path>",
            place,
            receive,
            methods=_METHODS,
            provide_automatic_options=False,
        )
    app.register_blueprint(blueprint, url_prefix=client.settings.url_prefix or None)


def exempt(app: Flask) -> None:
    """Tell Flask-WTF's protection of forms that senders here have no form, and no session.

    Args:
        app: The app; its extensions may have come after this one.
    """
    protection = app.extensions.get("csrf")
    blueprint = app.blueprints.get(NAME)
    if protection is None or blueprint is None or blueprint.import_name != __name__:
        return
    # Another extension of this name may have other ways.
    getattr(protection, "exempt", lambda _: None)(blueprint)


def _taken(client: Client) -> tuple[RequestContext, Read]:
    """The request in neutral words, and what reads its body."""
    taken = request._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001
    # The limits here are our own: MAX_CONTENT_LENGTH is for the host's forms.
    body = get_input_stream(request.environ)
    return context_of(taken, client, time.time()), body.read


def _response(answer: SourceResponse) -> Response:
    # In place of Flask's own headers, not beside them.
    response = current_app.response_class(answer.body, status=answer.status, mimetype=None)
    response.headers.pop("Content-Type", None)
    response.headers.update(answer.headers)
    return response


def _place() -> str:
    return (request.endpoint or "").rpartition(".")[2]
