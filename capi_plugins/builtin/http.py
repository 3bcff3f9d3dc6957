"""Sends requests over connections that are kept, each within a time limit that holds for all of it.

httpcore is used below httpx because it takes a network backend: httpx limits every read and every
address of a host by itself, so that an answer that drips in byte by byte would never time out.
They are imported with the first request: they are the costliest imports.
"""

from __future__ import annotations

import codecs
import contextlib
import logging
import os
import socket
import time
from collections.abc import Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from capi_plugins import sending_off
from capi_plugins.destinations.base import Destination, Request, Response
from capi_plugins.exceptions import TransportError
from capi_plugins.forks import unforked
from capi_plugins.hookspecs import hookimpl
from capi_plugins.version import __version__

if TYPE_CHECKING:
    import ssl

    import httpcore
    import httpx

_log = logging.getLogger("capi_plugins.http")
_MOST_BYTES = 65_536
_PIECE = 65_536
_KEPT_SECONDS = 15.0
_HEADERS = {
    "Accept": "*/*",
    "Accept-Encoding": "identity",
    "User-Agent": f"capi-plugins/{__version__}",
}


class _Exchange:
    """One request on its way.

    Attributes:
        until: When it has to be over, on the monotonic clock.
        made: Connections that it has made.
        heard: Whether a byte of the answer has come.
    """

    def __init__(self, until: float) -> None:
        self.until = until
        self.made: list[_Stream] = []
        self.heard = False

    def left(self, timeout: float | None) -> float:
        """Return the seconds a wait may take."""
        # A socket without any time left is one that never waits; it has to time out instead.
        left = max(0.001, self.until - time.monotonic())
        return left if timeout is None else min(timeout, left)


# Not a threading.local: made before gevent patches it, all greenlets would share it.
_exchange: ContextVar[_Exchange] = ContextVar("capi_plugins_exchange")


class _Backend:
    """A network backend of httpcore whose every wait ends when the exchange has to."""

    def __init__(self, backend: httpcore.NetworkBackend) -> None:
        self._backend = backend

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, **more: Any) -> Any:
        """Try each address of a host, with a fair part of what is left of the time."""
        import httpcore  # noqa: PLC0415 - see the module's text

        exchange = _exchange.get()
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError("the name cannot be resolved") from error
        addresses = list(dict.fromkeys(address[0] for *_, address in found))
        for number, address in enumerate(addresses, start=1 - len(addresses)):
            part = exchange.left(timeout) / (1 - number)
            try:
                stream = self._backend.connect_tcp(str(address), port, timeout=part, **more)
                exchange.made.append(_Stream(stream))
                return exchange.made[-1]
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if number == 0:
                    raise
        raise httpcore.ConnectError("the name has no address")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)


class _Stream:
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> Any:
        data = self._stream.read(max_bytes, timeout=_exchange.get().left(timeout))
        if data:
            _exchange.get().heard = True
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        # In pieces: within a call the limit begins anew whenever the other side takes something.
        for start in range(0, len(buffer), _PIECE):
            piece = buffer[start : start + _PIECE]
            self._stream.write(piece, timeout=_exchange.get().left(timeout))

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> Any:
        exchange = _exchange.get()
        timeout = exchange.left(timeout)
        exchange.made.append(_Stream(self._stream.start_tls(ssl_context, server_hostname, timeout)))
        return exchange.made[-1]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class HttpSender:
    """The built-in ``capi_send``: keep-alive, no redirects, answers read to a cap.

    The environment may name a proxy (``HTTPS_PROXY``, ``NO_PROXY``) and certificates to trust
    (``SSL_CERT_FILE``, ``SSL_CERT_DIR``). In tests nothing leaves the machine:
    see ``capi_plugins.sending_off``.
    """

    def __init__(self) -> None:
        self._said_off = False
        self._over = False
        # A connection must not be shared with a forked child, so there are pools for each process.
        self._pools: dict[tuple[int, str | None], httpcore.ConnectionPool] = {}

    @hookimpl(trylast=True)
    def capi_send(self, request: Request, destination: Destination) -> Response:
        """Send one request; raise ``TransportError`` when no whole answer came in time."""
        with unforked():
            import urllib.request  # noqa: F401, PLC0415 - see the module's text

            import httpcore  # noqa: PLC0415
            import httpx  # noqa: PLC0415

            # Imported when a host is looked up.
            codecs.lookup("idna")

        until = time.monotonic() + request.timeout
        url = httpx.URL(request.url)
        self._stay_here(url, destination)
        while True:
            exchange = _Exchange(until)
            _exchange.set(exchange)
            try:
                return self._exchanged(request, url)
            except (httpcore.ReadError, httpcore.WriteError, httpcore.RemoteProtocolError) as error:
                # The other side may end a kept connection at any time, also in the moment it is
                # used again. That says nothing about the request, which goes out once more: on
                # the next kept connection, and when there are none left on a new one.
                if exchange.made or exchange.heard or self._over:
                    raise _no_answer(url, destination, error) from None
            except (
                httpcore.NetworkError,
                httpcore.ProtocolError,
                httpcore.ProxyError,
                httpcore.TimeoutException,
                httpcore.UnsupportedProtocol,
            ) as error:
                raise _no_answer(url, destination, error) from None
            finally:
                if self._over:
                    # Its pool was closed meanwhile, and knows nothing of what was made since.
                    for stream in exchange.made:
                        stream.close()

    def _exchanged(self, request: Request, url: httpx.URL) -> Response:
        import httpcore  # noqa: PLC0415 - see the module's text
        import httpx  # noqa: PLC0415

        with self._pool(url).stream(
            request.method,
            httpcore.URL(
                scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
            ),
            headers=[*{**_HEADERS, **request.headers}.items()],
            content=request.body,
            extensions={
                "timeout": dict.fromkeys(("connect", "read", "write", "pool"), request.timeout)
            },
        ) as answer:
            body = b"".join(_capped(answer.iter_stream()))
            headers = httpx.Headers(answer.headers)
            return Response(
                status=answer.status,
                headers={name.lower(): value for name, value in headers.items()},
                body=body,
            )

    def _stay_here(self, url: httpx.URL, destination: Destination) -> None:
        """Refuse to leave the machine while sending is off."""
        why = None if sending_off.is_loopback(url.host) else sending_off.why_off()
        if why is None:
            return
        if not self._said_off:
            self._said_off = True
            _log.warning(
                "nothing is sent to %s: %s; %s=on lets it out",
                url.host,
                why,
                sending_off.VARIABLE,
            )
        raise TransportError(f"nothing was sent to {url.host} for {destination.name}: {why}")

    @hookimpl
    def capi_shutdown(self) -> None:
        """Close the connections of this process; whoever still sends makes some of their own."""
        self._over = True
        for key in list(self._pools):
            if key[0] == os.getpid():
                with contextlib.suppress(Exception):
                    self._pools.pop(key).close()

    def _pool(self, url: httpx.URL) -> httpcore.ConnectionPool:
        proxy = _proxy(url)
        key = (os.getpid(), proxy)
        if self._over:
            return _make_pool(proxy)
        return self._pools.get(key) or self._pools.setdefault(key, _make_pool(proxy))


def _make_pool(proxy: str | None) -> httpcore.ConnectionPool:
    import httpcore  # noqa: PLC0415 - see the module's text
    import httpx  # noqa: PLC0415

    with unforked():
        secured = httpx.create_ssl_context()
    options: dict[str, Any] = {
        "ssl_context": secured,
        "keepalive_expiry": _KEPT_SECONDS,
        "max_connections": None,
        "network_backend": _Backend(httpcore.SyncBackend()),
    }
    if proxy is None:
        return httpcore.ConnectionPool(**options)
    named = httpx.Proxy(proxy)
    kind = httpcore.SOCKSProxy if named.url.scheme.startswith("socks") else httpcore.HTTPProxy
    return kind(proxy_url=str(named.url), proxy_auth=named.auth, **options)


def _proxy(url: httpx.URL) -> str | None:
    """Return what the environment names for a URL."""
    import urllib.request  # noqa: PLC0415 - see the module's text

    proxies = urllib.request.getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all")
    if not proxy or urllib.request.proxy_bypass(url.host):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _no_answer(url: httpx.URL, destination: Destination, error: Exception) -> TransportError:
    """Say what failed by its class: messages of libraries may hold the URL."""
    import ssl  # noqa: PLC0415 - see the module's text

    kinds = [type(error).__name__]
    # httpcore takes the cause away from what passes its pools.
    if isinstance(error.__context__, ssl.SSLError | socket.gaierror):
        kinds.append(type(error.__context__).__name__)
    return TransportError(f"no answer from {url.host} for {destination.name}: {', '.join(kinds)}")


def _capped(chunks: Iterator[bytes]) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        yield chunk[: _MOST_BYTES - size]
        size += len(chunk)
        if size >= _MOST_BYTES:
            return
