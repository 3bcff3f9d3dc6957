"""The HTTP server: the Graph edge, the control interface and the page on one port."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterable
from importlib import resources
from typing import Any, Final

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from capi_plugins.sandbox.answers import as_answer, error_body
from capi_plugins.sandbox.control import PREFIX, Control
from capi_plugins.sandbox.graph import Graph, Reply
from capi_plugins.sandbox.refusals import Refusal

logger = logging.getLogger("capi_plugins.sandbox")

SCRIPTS: Final = ("app.js", "detail.js", "elements.js", "faults.js", "summary.js")
PAGE: Final = {
    "/": ("index.html", "text/html; charset=utf-8"),
    f"{PREFIX}style.css": ("style.css", "text/css; charset=utf-8"),
    **{f"{PREFIX}{name}": (name, "text/javascript; charset=utf-8") for name in SCRIPTS},
}
PAGE_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Application:
    """The WSGI application."""

    def __init__(self, graph: Graph, control: Control) -> None:
        """Send Graph paths to ``graph`` and the sandbox's own to ``control``."""
        self._graph = graph
        self._control = control

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request, whatever it is."""
        request = Request(environ)
        try:
            response = self._respond(request)
        except ConnectionError:
            raise
        except Exception as error:
            # The kind alone: the message and the request may hold personal data.
            logger.error("sandbox failed on a request: %s", type(error).__name__)
            refusal = Refusal(reason="internal", text="", code=1, message="The sandbox failed")
            made = as_answer(error_body(refusal), 500)
            response = Response(made.body, 500, content_type=made.content_type)
        return response(environ, start_response)

    def _respond(self, request: Request) -> Response:
        if request.path in PAGE and request.method in {"GET", "HEAD"}:
            name, media = PAGE[request.path]
            content = resources.files("capi_plugins.sandbox").joinpath("page", name).read_bytes()
            return Response(content, content_type=media, headers=PAGE_HEADERS)
        if request.path.startswith(PREFIX):
            return self._control.handle(request)
        return _response(self._graph.handle(request), request)


def _response(reply: Reply, request: Request) -> Response:
    if reply.answer is None:
        connection = request.environ.get("werkzeug.socket")
        if isinstance(connection, socket.socket):
            _shut(connection)
        raise ConnectionAbortedError
    headers = dict(reply.answer.headers)
    kind = reply.fault.kind if reply.fault else ""
    if kind == "slow_drip":
        headers["Content-Length"] = str(len(reply.answer.body))
    chunks: Any = reply.chunks()
    if kind not in {"slow_drip", "huge_body"}:
        chunks = b"".join(chunks)
    return Response(chunks, reply.answer.status, headers, content_type=reply.answer.content_type)


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        logger.debug("connection was already closed")


class _Handler(WSGIRequestHandler):
    """Answers requests quietly: paths may carry tokens, so nothing is logged."""

    timeout = 60

    def setup(self) -> None:
        super().setup()
        self.server.opened(self.connection)  # type: ignore[attr-defined]

    def finish(self) -> None:
        try:
            super().finish()
        except ConnectionError:
            logger.debug("the client left before its answer was sent")
        finally:
            self.server.closed(self.connection)  # type: ignore[attr-defined]

    def run_wsgi(self) -> None:
        try:
            super().run_wsgi()
        except ValueError:  # a request target that is no URL
            self.send_error(400)

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        """Say nothing."""


class Server:
    """A threaded HTTP server in the background that really ends when stopped."""

    def __init__(self, application: Application, host: str, port: int) -> None:
        """Bind ``host`` and ``port`` (0 picks a free one); nothing is served yet."""
        self._connections: set[socket.socket] = set()
        self._quiet = threading.Condition()
        # Bound here: werkzeug would end the process when the port is taken.
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.create_server((host, port), family=family, backlog=128) as listening:
            self._server: BaseWSGIServer = make_server(
                host,
                listening.getsockname()[1],
                application,
                threaded=True,
                request_handler=_Handler,
                fd=listening.fileno(),
            )
        self._server.log = lambda *_args, **_rest: None  # type: ignore[method-assign]
        self._server.opened = self._opened  # type: ignore[attr-defined]
        self._server.closed = self._closed  # type: ignore[attr-defined]
        self.port = self._server.port
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.02},
            name=f"capi-sandbox-{self.port}",
            daemon=True,
        )

    def start(self) -> None:
        """Serve in a daemon thread."""
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Close the port and every connection; return when the handlers have ended.

        Args:
            timeout: Seconds to wait for handlers.
        """
        self._server.shutdown()
        self._thread.join(timeout)
        self._server.server_close()
        with self._quiet:
            for connection in self._connections:
                _shut(connection)
            self._quiet.wait_for(lambda: not self._connections, timeout)

    def _opened(self, connection: socket.socket) -> None:
        with self._quiet:
            self._connections.add(connection)

    def _closed(self, connection: socket.socket) -> None:
        with self._quiet:
            self._connections.discard(connection)
            self._quiet.notify_all()
