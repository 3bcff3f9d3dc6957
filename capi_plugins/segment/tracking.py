"""The source ``tracking``: Segment's tracking API, so that an SDK needs another host and no more.

Source: Segment's *HTTP Tracking API*; the paths of one letter are those of analytics.js.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import attrs

from capi_plugins.context import RequestContext
from capi_plugins.events import Event
from capi_plugins.exceptions import UnknownSource, WebhookError
from capi_plugins.rate import Rate, sender
from capi_plugins.segment.arrival import complete, visitors_context
from capi_plugins.segment.body import (
    MOST_BYTES,
    MOST_MESSAGE_BYTES,
    batch_of,
    is_too_long,
    parse,
    too_large,
    unpack,
)
from capi_plugins.segment.convert import Converter
from capi_plugins.segment.cors import Origins
from capi_plugins.segment.library_settings import library_settings
from capi_plugins.segment.message import mapping
from capi_plugins.sources.base import (
    Received,
    Source,
    SourceRequest,
    SourceResponse,
    error_response,
    json_response,
)

CALLS: Mapping[str, str] = {
    **{name: name for name in ("track", "identify", "page", "screen", "group", "alias")},
    "t": "track",
    "i": "identify",
    "p": "page",
    "s": "screen",
    "g": "group",
    "a": "alias",
}
BATCHES = ("batch", "import", "b")
METRICS = "m"
"""Where the libraries tell how they fare; nobody wants to know it here."""

_PROJECT_PARTS = 3


class TrackingApi(Source):
    """Takes what Segment's libraries send.

    Args:
        converter: Turns messages into events; its options say who may send.
        rate: How much one sender may send; default: as the options say.
    """

    NAME: ClassVar[str] = "tracking"
    METHODS: ClassVar[tuple[str, ...]] = ("POST", "GET", "OPTIONS")
    MOST_BYTES: ClassVar[int] = MOST_BYTES

    def __init__(self, converter: Converter, *, rate: Rate | None = None) -> None:
        options = converter.options.ingest
        self._converter = converter
        self._keys = [key.encode() for key in options.write_keys]
        self._origins = Origins(options.origins)
        self._rate = rate or Rate(options.rate)

    def events(self, request: SourceRequest) -> Iterable[Event]:
        """Return the events of a request."""
        return self.receive(request).events

    def receive(self, request: SourceRequest) -> Received:
        """Take a request of a library, or answer what it asks."""
        context = request.context
        if not self._origins.allow(context):
            raise WebhookError(
                "pages of this origin may not send here: add it to CAPI['SEGMENT']['ORIGINS']",
                status=403,
                code="origin_not_allowed",
            )
        cors = self._origins.headers(context)
        if request.method == "OPTIONS":
            headers = {**cors, **self._origins.preflight(request.headers)}
            return Received(response=SourceResponse(status=204, headers=headers))
        path = request.path.strip("/").lower()
        if request.method == "GET":
            return Received(response=self._settings(request, cors))
        if path == METRICS:
            return Received(response=json_response({"success": True}, headers=cors))
        if path not in CALLS and path not in BATCHES:
            known = ", ".join(f"/v1/{name}" for name in (*list(CALLS)[:6], *BATCHES[:2]))
            raise UnknownSource(f"there is nothing here: the paths are {known}")
        received = self._take(request, path)
        answer = json_response({"success": True}, headers=cors)
        return attrs.evolve(received, response=answer)

    def refusal(self, request: SourceRequest, error: WebhookError) -> SourceResponse:
        """Say what is wrong, also to pages of other origins."""
        answer = error_response(error)
        # No WWW-Authenticate: a browser would ask the visitor for a password.
        headers = {**answer.headers, **self._origins.headers(request.context)}
        return attrs.evolve(answer, headers=headers)

    def _take(self, request: SourceRequest, path: str) -> Received:
        context = request.context
        key = _basic(request.headers.get("authorization", ""))
        known = key is not None and self._is_known(key)
        who = sender(key or "" if known else "", context.client_ip_address)
        wait = self._rate.wait(who)
        if wait:
            said = f"too many events from here: try again in {wait} seconds"
            raise WebhookError(said, status=429, code="rate_limited", retry_after=wait)
        found = 0
        try:
            if key is not None and not known:
                raise _unauthorized()
            body = unpack(request.body, request.headers.get("content-encoding", ""))
            data = parse(body)
            if not isinstance(data, Mapping):
                raise WebhookError("the body must be a JSON object", code="invalid_body")
            messages = batch_of(data) if path in BATCHES else [data]
            if not known and not self._is_known(_written(data, messages)):
                raise _unauthorized()
            if path in CALLS and len(body) > MOST_MESSAGE_BYTES:
                raise too_large("the message", MOST_MESSAGE_BYTES)
            found = len(messages)
            batch = data if path in BATCHES else {}
            measured = len(body) > MOST_MESSAGE_BYTES
            return self._convert(messages, batch, CALLS.get(path), context, measured=measured)
        finally:
            self._rate.spend(who, found)

    def _convert(
        self,
        messages: Iterable[object],
        batch: Mapping[str, Any],
        kind: str | None,
        context: RequestContext,
        *,
        measured: bool,
    ) -> Received:
        events: list[Event] = []
        reasons: list[str] = []
        now = self._converter.clock()
        for message in messages:
            if not isinstance(message, Mapping):
                reasons.append('not a Segment message: that is {"type": "track", ...}')
            elif measured and is_too_long(message):
                reasons.append(f"the message is larger than {MOST_MESSAGE_BYTES:,} bytes")
            else:
                whole = complete(message, context, batch=batch, kind=kind, now=now)
                result = self._converter.convert(whole, now=now)
                events += result.events
                if result.reason:
                    reasons.append(result.reason)
        return Received(
            events=tuple(events), reasons=tuple(reasons), context=visitors_context(context)
        )

    def _settings(self, request: SourceRequest, cors: Mapping[str, str]) -> SourceResponse:
        parts = request.path.strip("/").split("/")
        if len(parts) != _PROJECT_PARTS or parts[0] != "projects" or parts[2] != "settings":
            raise WebhookError("events are sent by POST", status=405, code="not_allowed")
        if not self._is_known(parts[1]):
            raise UnknownSource("there is no project with this write key")
        headers = {"Cache-Control": "public, max-age=300", **cors}
        return json_response(library_settings(parts[1], request.context), headers=headers)

    def _is_known(self, key: str) -> bool:
        given = key.encode(errors="replace")
        # All of them, so that the time it takes does not tell which one it was.
        return any([hmac.compare_digest(given, known) for known in self._keys])  # noqa: C419


def _basic(header: str) -> str | None:
    """Return the user name of Basic authentication: the write key; the password is empty."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
    return decoded.partition(":")[0]


def _written(data: Mapping[str, Any], messages: Iterable[object]) -> str:
    """Return the write key in a body: analytics.js writes it into messages."""
    for place in (data, *messages):
        key = mapping(place).get("writeKey")
        if isinstance(key, str):
            return key
    return ""


def _unauthorized() -> WebhookError:
    return WebhookError(
        "the write key is missing or wrong: it must be one of CAPI['SEGMENT']['WRITE_KEYS']",
        status=401,
        code="invalid_write_key",
    )
