"""Sends requests with httpx, which is imported on the first one: it is the costliest import."""

from __future__ import annotations

import contextlib
import email.utils
import os
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from capi_plugins.destinations.base import Destination, Request, Response
from capi_plugins.exceptions import TransportError
from capi_plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    import httpx

_MOST_BYTES = 65_536


class _Deadline(threading.local):
    """When the exchange of this thread has to be over, on the monotonic clock."""

    at = 0.0

    def left(self, timeout: float | None) -> float:
        # A socket without any time left is one that never waits; it has to time out instead.
        left = max(0.001, self.at - time.monotonic())
        return left if timeout is None else min(timeout, left)


_deadline = _Deadline()


class _Backend:
    """A network backend of httpcore whose every wait ends at the deadline.

    httpx limits each read, so an answer that drips in byte by byte would never time out.
    """

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, **more: Any) -> Any:
        timeout = _deadline.left(timeout)
        return _Stream(self._backend.connect_tcp(host, port, timeout=timeout, **more))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)


class _Stream:
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> Any:
        return self._stream.read(max_bytes, timeout=_deadline.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> Any:
        return self._stream.write(buffer, timeout=_deadline.left(timeout))

    def start_tls(self, *arguments: Any, timeout: float | None = None, **more: Any) -> Any:
        timeout = _deadline.left(timeout)
        return _Stream(self._stream.start_tls(*arguments, timeout=timeout, **more))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class HttpSender:
    """The built-in ``capi_send``: keep-alive, no redirects, answers read to a cap."""

    def __init__(self) -> None:
        # A connection must not be shared with a forked child, so there is a client per process.
        self._clients: dict[int, httpx.Client] = {}

    @hookimpl(trylast=True)
    def capi_send(self, request: Request, destination: Destination) -> Response:
        """Send one request; raise ``TransportError`` when no whole answer came in time."""
        import httpx  # noqa: PLC0415 - see the module's text

        _deadline.at = time.monotonic() + request.timeout
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
                body = b"".join(_capped(answer.iter_raw()))
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
            made = httpx.Client()
            for transport in (made._transport, *made._mounts.values()):  # noqa: SLF001
                # httpx has no public way to its backend; a test sees if this one ends.
                pool = getattr(transport, "_pool", None)
                if pool is not None:
                    pool._network_backend = _Backend(pool._network_backend)  # noqa: SLF001
            client = self._clients.setdefault(os.getpid(), made)
        return client


def _capped(chunks: Iterator[bytes]) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        yield chunk[: _MOST_BYTES - size]
        size += len(chunk)
        if size >= _MOST_BYTES:
            return


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
