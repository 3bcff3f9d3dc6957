"""`Sandbox`: a Graph API of one's own, for tests and for trying things out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Self

import attrs

from capi_plugins.sandbox.case import Dataset, Mode
from capi_plugins.sandbox.control import Control
from capi_plugins.sandbox.fault_queue import Faults
from capi_plugins.sandbox.faults import Fault
from capi_plugins.sandbox.gate import Rulebook
from capi_plugins.sandbox.graph import Graph
from capi_plugins.sandbox.server import Application, Server
from capi_plugins.sandbox.store import ReceivedEvent, ReceivedRequest, Store


class Sandbox:
    """A local, strict Graph API over real HTTP.

    Use it as a context manager, or call `start` and `stop`. It can be started once more after a
    stop, on the same port and with its memory intact: an outage that ends.

    Args:
        port: TCP port; 0 picks a free one.
        mode: ``strict`` enforces all that Meta documents; ``meta`` what Meta is known to enforce.
        datasets: The datasets there are, each with its token or a `Dataset`; None takes any id
            and any token that does not contain ``invalid`` or ``expired``.
        app_secret: When given, ``appsecret_proof`` is checked, and demanded in ``strict`` mode.
        clock: Tells the time in Unix seconds; tests pass their own.
        host: Address to listen on.
        allowed_hosts: Further host names under which the page and the control interface may be
            called; the loopback names always are.
        limit: How many events are remembered.

    Example:
        >>> with Sandbox() as sandbox:
        ...     sandbox.url.startswith("http://127.0.0.1:")
        True
    """

    def __init__(
        self,
        port: int = 0,
        mode: Mode = "strict",
        datasets: Mapping[str, str | Dataset] | None = None,
        app_secret: str | None = None,
        clock: Callable[[], float] = time.time,
        host: str = "127.0.0.1",
        *,
        allowed_hosts: Iterable[str] = (),
        limit: int = 10_000,
    ) -> None:
        if mode not in ("strict", "meta"):
            raise ValueError(f"mode is {mode!r}; it must be 'strict' or 'meta'")
        known = (
            None
            if datasets is None
            else {
                name: Dataset(token=found) if isinstance(found, str) else found
                for name, found in datasets.items()
            }
        )
        self._host = host
        self._port = port
        self._server: Server | None = None
        self._store = Store(limit)
        self._faults = Faults()
        rules = Rulebook(mode=mode, datasets=known, app_secret=app_secret)
        self._graph = Graph(rules, self._store, self._faults, clock)
        control = Control(
            self._graph,
            self._store,
            frozenset([host, *allowed_hosts]),
            lambda: self._server is not None,
        )
        self._application = Application(self._graph, control)

    def start(self) -> Self:
        """Listen and serve in a daemon thread.

        Returns:
            The sandbox itself.

        Raises:
            OSError: The port is taken.
            RuntimeError: It is running already.
        """
        if self._server is not None:
            raise RuntimeError("the sandbox is running already")
        self._server = Server(self._application, self._host, self._port)
        self._port = self._server.port
        self._server.start()
        return self

    def stop(self) -> None:
        """Close the port and all connections; what was received stays readable."""
        server, self._server = self._server, None
        if server is None:
            return
        self._faults.release()
        self._store.wake()
        server.stop()

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()

    def __repr__(self) -> str:
        """Name the address and the mode."""
        return f"<Sandbox {self.url} {self.mode}>"

    @property
    def url(self) -> str:
        """The base address: a destination's ``API_URL``, and the page when ``/`` is added."""
        host = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(self._host, self._host)  # noqa: S104
        return f"http://[{host}]:{self._port}" if ":" in host else f"http://{host}:{self._port}"

    @property
    def mode(self) -> Mode:
        """How much is enforced; may be set at any time."""
        return self._graph.rules.mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        self._graph.rules = attrs.evolve(self._graph.rules, mode=mode)
        self._store.touch()

    @property
    def events(self) -> list[ReceivedEvent]:
        """The accepted events in order, marked duplicates among them."""
        return self._store.events("accepted", "duplicate")

    @property
    def refused(self) -> list[ReceivedEvent]:
        """The events of refused requests in order, each with the refusal."""
        return self._store.events("refused")

    @property
    def requests(self) -> list[ReceivedRequest]:
        """Every request to the Graph API in order."""
        return self._store.requests

    def accepted(self, name: str | None = None) -> list[ReceivedEvent]:
        """Return the accepted events, duplicates left out.

        Args:
            name: Only events of this name.
        """
        found = self._store.events("accepted")
        return [event for event in found if name is None or event.name == name]

    def wait_for(
        self, count: int, timeout: float = 10, name: str | None = None
    ) -> list[ReceivedEvent]:
        """Wait until ``count`` events have been accepted, duplicates left out.

        Args:
            count: How many events since the start or the last `clear`.
            timeout: Seconds.
            name: Only events of this name.

        Returns:
            All accepted events (of that name) so far.

        Raises:
            TimeoutError: Fewer came in time; the text says what did arrive.
        """
        return self._store.wait_for(count, timeout, name)

    def wait_for_requests(self, count: int, timeout: float = 10) -> list[ReceivedRequest]:
        """Wait until ``count`` requests have come, whatever became of them.

        Args:
            count: How many requests since the start or the last `clear`.
            timeout: Seconds.

        Returns:
            All requests so far.

        Raises:
            TimeoutError: Fewer came in time; the text says what did arrive.
        """
        return self._store.wait_for_requests(count, timeout)

    def inject(self, *faults: Fault) -> None:
        """Show these faults to the coming requests, in order."""
        for fault in faults:
            self._faults.inject(fault)
        self._store.touch()

    def clear_faults(self) -> None:
        """Remove all faults; requests that hang are let go without an answer."""
        self._faults.clear()
        self._store.touch()

    def clear(self) -> None:
        """Forget what was received, deduplication included."""
        self._store.clear()
