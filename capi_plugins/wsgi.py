"""The sources as a WSGI application of their own, for hosts that are neither Django nor Flask.

``capi serve`` runs it; so does any WSGI server: ``Application(configure({...}))``.
"""

from __future__ import annotations

import http
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from capi_plugins.http_context import request_context
from capi_plugins.receiving import respond
from capi_plugins.sources.base import SourceResponse, json_response

if TYPE_CHECKING:
    from capi_plugins._client import Client

HEALTH = "health"
"""Answers while the process serves; for whoever watches it."""


class Application:
    """A WSGI application.

    Args:
        client: Who has the sources.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., object]
    ) -> Iterable[bytes]:
        """Answer a request."""
        answer = self._answer(environ)
        status = http.HTTPStatus(answer.status)
        headers = {**answer.headers, "Content-Length": str(len(answer.body))}
        start_response(f"{status.value} {status.phrase}", list(headers.items()))
        return [] if environ.get("REQUEST_METHOD") == "HEAD" else [answer.body]

    def _answer(self, environ: dict[str, Any]) -> SourceResponse:
        path = environ.get("PATH_INFO", "").strip("/")
        if path == HEALTH:
            return json_response({"ok": True})
        settings = self._client.settings
        context = request_context(
            method=environ.get("REQUEST_METHOD", ""),
            url=_url(environ),
            headers=_headers(environ),
            remote_addr=environ.get("REMOTE_ADDR"),
            trusted_proxies=settings.trusted_proxies,
            received_at=time.time(),
        )
        prefix = settings.url_prefix.strip("/")
        inner = path.removeprefix(f"{prefix}/") if prefix else path
        with self._client.request(lambda: context):
            return respond(self._client, inner, context, environ["wsgi.input"].read)


def _url(environ: dict[str, Any]) -> str:
    host = environ.get("HTTP_HOST") or environ.get("SERVER_NAME", "")
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    query = environ.get("QUERY_STRING")
    return f"{environ['wsgi.url_scheme']}://{host}{path}" + (f"?{query}" if query else "")


def _headers(environ: dict[str, Any]) -> dict[str, str]:
    found = {
        key[5:].replace("_", "-").lower(): value
        for key, value in environ.items()
        if key.startswith("HTTP_") and isinstance(value, str)
    }
    for key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(key):
            found[key.replace("_", "-").lower()] = environ[key]
    return found
