"""The sandbox's own HTTP interface under ``/_sandbox/``, for its page and for other processes."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import attrs
import orjson
from werkzeug.wrappers import Request, Response

from capi_plugins.sandbox.case import Mode
from capi_plugins.sandbox.faults import GROUPS, Fault
from capi_plugins.sandbox.graph import Graph
from capi_plugins.sandbox.store import Store
from capi_plugins.sandbox.views import describe

PREFIX: Final = "/_sandbox/"
LOOPBACK: Final = frozenset(["localhost", "127.0.0.1", "::1"])
LONGEST_WAIT: Final = 60.0
HEARTBEAT: Final = 10.0
"""Seconds of silence on the stream before a comment is sent, which also notices readers gone."""
STREAM_CHUNK: Final = 200


class Control:
    """Answers the control interface."""

    def __init__(
        self,
        graph: Graph,
        store: Store,
        allowed_hosts: frozenset[str],
        alive: Callable[[], bool],
    ) -> None:
        """Serve what ``store`` holds to callers who use one of ``allowed_hosts``."""
        self._graph = graph
        self._store = store
        self._allowed_hosts = LOOPBACK | allowed_hosts
        self._alive = alive
        self._run = secrets.token_hex(8)
        self._routes: dict[tuple[str, str], Callable[[Request], Response]] = {
            ("GET", "events"): self._events,
            ("GET", "stream"): self._stream,
            ("GET", "status"): self._status,
            ("POST", "faults"): self._inject,
            ("DELETE", "faults"): self._clear_faults,
            ("POST", "clear"): self._clear,
            ("POST", "mode"): self._set_mode,
        }

    def handle(self, request: Request) -> Response:
        """Answer one request to a path under `PREFIX`."""
        if not self._is_local(request):
            return _problem(403, "This address is for pages and programs on this machine.")
        method = "GET" if request.method == "HEAD" else request.method
        name = request.path.removeprefix(PREFIX)
        route = self._routes.get((method, name))
        if route is not None:
            return route(request)
        if any(known == name for _, known in self._routes):
            return _problem(405, "Not with this method.")
        return _problem(404, "There is nothing here.")

    def _is_local(self, request: Request) -> bool:
        """Keep out other sites' pages: by their Origin, and by the Host of a rebound name."""
        host = request.environ.get("HTTP_HOST", "")
        if _hostname(f"//{host}") not in self._allowed_hosts:
            return False
        origin = request.headers.get("Origin")
        if origin is not None and origin != f"{request.scheme}://{host}":
            return False
        return request.headers.get("Sec-Fetch-Site", "none") in {"none", "same-origin"}

    def _events(self, request: Request) -> Response:
        after = _whole(request.args.get("after"))
        generation = self._store.generation
        wait = _seconds(request.args.get("wait"))
        if wait > 0:
            self._store.wait_for_news(after, generation, wait)
        events = [describe(*entry) for entry in self._store.entries(after)]
        return _json({"events": events, "seq": self._store.seq, **self._state()})

    def _state(self) -> dict[str, Any]:
        rules = self._graph.rules
        datasets = None if rules.datasets is None else sorted(rules.datasets)
        return {
            "run": self._run,
            "mode": rules.mode,
            "datasets": datasets,
            "generation": self._store.generation,
            "faults": [
                {"kind": fault.kind, "title": fault.title, "times": fault.times}
                for fault in self._graph.faults.pending
            ],
        }

    def _status(self, _request: Request) -> Response:
        return _json({"seq": self._store.seq, **self._state()})

    def _stream(self, request: Request) -> Response:
        seen = _whole(request.headers.get("Last-Event-ID") or request.args.get("after"))
        return Response(
            self._messages(seen),
            content_type="text/event-stream; charset=utf-8",
            headers={"Cache-Control": "no-store"},
        )

    def _messages(self, after: int) -> Iterator[bytes]:
        yield b"retry: 1000\n\n"
        if after > self._store.seq:  # the sandbox was started anew
            yield _message("reset", {}, 0)
            after = 0
        generation = self._store.generation
        yield _message("state", self._state(), after)
        while self._alive():
            version = self._store.version
            if self._store.generation != generation:
                generation = self._store.generation
                yield _message("reset", self._state(), after)
            entries = self._store.entries(after)
            for start in range(0, len(entries), STREAM_CHUNK):
                part = entries[start : start + STREAM_CHUNK]
                after = part[-1][0].seq
                yield _message("events", [describe(*entry) for entry in part], after)
            if self._store.version == version and not self._store.wait_for_change(
                version, HEARTBEAT
            ):
                yield b": still here\n\n"
            else:
                yield _message("state", self._state(), after)

    def _inject(self, request: Request) -> Response:
        try:
            fault = _fault(_object(request))
        except (TypeError, ValueError) as error:
            return _problem(400, f"This is no fault: {error}")
        self._graph.faults.inject(fault)
        self._store.touch()
        return _json(self._state(), 201)

    def _clear_faults(self, _request: Request) -> Response:
        self._graph.faults.clear()
        self._store.touch()
        return _json(self._state())

    def _clear(self, _request: Request) -> Response:
        self._store.clear()
        return _json(self._state())

    def _set_mode(self, request: Request) -> Response:
        modes: dict[Any, Mode] = {"strict": "strict", "meta": "meta"}
        try:
            mode = modes[_object(request).get("mode")]
        except (KeyError, TypeError, ValueError):
            return _problem(400, 'Send {"mode": "strict"} or {"mode": "meta"}.')
        self._graph.rules = attrs.evolve(self._graph.rules, mode=mode)
        self._store.touch()
        return _json(self._state())


def _fault(wanted: dict[str, Any]) -> Fault:
    kind = wanted.pop("kind", None)
    if not isinstance(kind, str) or kind not in {*GROUPS, "throttle", "server_error"}:
        raise ValueError("unknown kind")
    for name, value in wanted.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{name} is not a number")
    made = getattr(Fault, kind)(**wanted)
    if not isinstance(made, Fault):
        raise TypeError("unknown kind")
    return made


def _object(request: Request) -> dict[str, Any]:
    content = orjson.loads(request.get_data() or b"{}")
    if not isinstance(content, dict):
        raise TypeError("the body is not a JSON object")
    return content


def _hostname(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _whole(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else 0  # noqa: PLR2004


def _seconds(text: str | None) -> float:
    try:
        seconds = float(text or 0)
    except ValueError:
        return 0.0
    return min(max(seconds, 0.0), LONGEST_WAIT) if math.isfinite(seconds) else 0.0


def _message(kind: str, content: Any, seq: int) -> bytes:
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (seq, kind.encode(), orjson.dumps(content))


def _json(content: Any, status: int = 200) -> Response:
    return Response(
        orjson.dumps(content),
        status,
        content_type="application/json",
        headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"},
    )


def _problem(status: int, text: str) -> Response:
    return _json({"error": text}, status)
