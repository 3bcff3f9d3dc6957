"""From an HTTP request to a source and back: what the URLs of every framework do.

Adapters mount two places and hand over what follows their prefix: ``v1/...``, where Segment's
libraries send to, and ``webhooks/<source>``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import attrs

from capi_plugins.context import RequestContext
from capi_plugins.exceptions import UnknownSource, WebhookError
from capi_plugins.sources.base import Source, SourceRequest, SourceResponse, error_response

if TYPE_CHECKING:
    from capi_plugins._client import Client

TRACKING = "v1"
"""Where the source ``tracking`` is; its libraries know no other place."""
WEBHOOKS = "webhooks"
"""Where the other sources are, each under its name."""
MOST_SECONDS = 20.0
"""Longest time a body may take to arrive, as far as a server lets us see it arrive."""

_PIECE = 16_384
Read = Callable[[int], bytes]


def respond(
    client: Client,
    path: str,
    context: RequestContext,
    read: Read,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> SourceResponse:
    """Answer a request; never raises.

    Args:
        client: Who has the sources.
        path: What follows the place where this library is mounted.
        context: The request.
        read: Reads up to so many bytes of its body; empty at the end.
        clock: Seconds, for the time that the body takes.
    """
    try:
        return _respond(client, path, context, read, clock)
    except WebhookError as error:
        return error_response(error)
    except Exception as error:
        client.failed("receiving", error)
        broken = "something is wrong on this side, send it again later"
        return error_response(WebhookError(broken, status=500, code="internal_error"))


def _respond(
    client: Client, path: str, context: RequestContext, read: Read, clock: Callable[[], float]
) -> SourceResponse:
    name, rest = _place(path)
    source = client.sources.get(name)
    if source is None:
        raise UnknownSource("there is nothing here: no source of this name is configured")
    request = SourceRequest(
        method=context.method or "",
        path=rest,
        headers=context.headers,
        query=context.query,
        context=context,
    )
    try:
        body = _body(request, read, source, clock)
    except WebhookError as error:
        return client.answer(name, request, problem=error)
    return client.answer(name, attrs.evolve(request, body=body))


def _place(path: str) -> tuple[str, str]:
    place, _, rest = path.strip("/").partition("/")
    if place == TRACKING:
        return "tracking", rest
    if place == WEBHOOKS:
        name, _, rest = rest.partition("/")
        return name, rest
    return "", ""


def _body(request: SourceRequest, read: Read, source: Source, clock: Callable[[], float]) -> bytes:
    if request.method not in source.METHODS:
        allowed = ", ".join(source.METHODS)
        raise WebhookError(f"the method must be {allowed}", status=405, code="not_allowed")
    if request.method not in ("POST", "PUT", "PATCH"):
        return b""
    return read_body(request.headers, read, source.MOST_BYTES, clock=clock)


def read_body(
    headers: Mapping[str, str],
    read: Read,
    most: int,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> bytes:
    """Read the body of a request.

    Args:
        headers: Header names in lower case and their values.
        read: Reads up to so many bytes of the body; empty at the end.
        most: Longest body that is taken, bytes.
        clock: Seconds, for the time that it takes.

    Raises:
        WebhookError: It is too large, it took too long, or it broke off.
    """
    announced = headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced[:12]) > most:
        raise _too_large(most)
    deadline = clock() + MOST_SECONDS
    pieces, size = [], 0
    while piece := _read(read, min(_PIECE, most + 1 - size)):
        pieces.append(piece)
        size += len(piece)
        if size > most:
            raise _too_large(most)
        if clock() > deadline:
            raise WebhookError("the body took too long", status=408, code="timeout")
    return b"".join(pieces)


def _read(read: Read, size: int) -> bytes:
    try:
        return read(size)
    except Exception:
        # Whoever sent it went away, or the server's own limit was reached.
        said = "the body could not be read to its end"
        raise WebhookError(said, code="incomplete") from None


def _too_large(most: int) -> WebhookError:
    said = f"the body is larger than {most:,} bytes"
    return WebhookError(said, status=413, code="too_large")
