"""Sends requests with httpx, which is imported on the first one: it is the costliest import."""

from __future__ import annotations

import contextlib
import email.utils
import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from capi_plugins.destinations.base import Destination, Request, Response
from capi_plugins.exceptions import TransportError
from capi_plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    import httpx

_MOST_BYTES = 65_536


class HttpSender:
    """The built-in ``capi_send``: keep-alive, no redirects, answers read to a cap."""

    def __init__(self) -> None:
        # A connection must not be shared with a forked child, so there is a client per process.
        self._clients: dict[int, httpx.Client] = {}

    @hookimpl(trylast=True)
    def capi_send(self, request: Request, destination: Destination) -> Response:
        """Send one request; raise ``TransportError`` when no whole answer came in time."""
        import httpx  # noqa: PLC0415 - see the module's text

        deadline = time.monotonic() + request.timeout
        host = httpx.URL(request.url).host
        try:
            with self._client().stream(
                request.method,
                request.url,
                headers={"Accept-Encoding": "identity", **request.headers},
                content=request.body,
                timeout=request.timeout,
                follow_redirects=False,
            ) as answer:
                body = b"".join(_capped(answer.iter_raw(), deadline))
                return Response(
                    status=answer.status_code,
                    headers={name.lower(): value for name, value in answer.headers.items()},
                    body=body,
                )
        except httpx.HTTPError as error:
            # httpx puts URLs into its messages; the class and the host say enough.
            raise TransportError(
                f"no answer from {host} for {destination.name}: {type(error).__name__}"
            ) from None

    @hookimpl
    def capi_shutdown(self) -> None:
        """Close the connections of this process."""
        client = self._clients.pop(os.getpid(), None)
        if client is not None:
            with contextlib.suppress(Exception):
                client.close()

    def _client(self) -> httpx.Client:
        import httpx  # noqa: PLC0415 - see the module's text

        client = self._clients.get(os.getpid())
        if client is None:
            client = self._clients.setdefault(os.getpid(), httpx.Client())
        return client


def _capped(chunks: Iterator[bytes], deadline: float) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        yield chunk[: _MOST_BYTES - size]
        size += len(chunk)
        if size >= _MOST_BYTES:
            return
        if time.monotonic() > deadline:
            raise TransportError("the answer did not end in time")


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Read a ``Retry-After`` header: seconds or an HTTP date.

    Args:
        value: The header.
        now: Seconds since the epoch.

    Returns:
        Seconds to wait, 0 to 3600; None when it cannot be read.
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - now
        except (TypeError, ValueError, OverflowError):
            return None
    return min(seconds, 3600.0) if seconds >= 0 else None
