"""The client: what an adapter talks to, and the wall behind which nothing can reach the host."""

from __future__ import annotations

import atexit
import contextlib
import contextvars
import logging
import os
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs

from capi_plugins import signals
from capi_plugins._paths import Lookup
from capi_plugins._pipeline import Pipeline, Processed
from capi_plugins._plugins import Plugins
from capi_plugins._triggers import Triggers
from capi_plugins._worker import Worker
from capi_plugins.context import NO_REQUEST, FinishedRequest, RequestContext
from capi_plugins.destinations.base import Destination
from capi_plugins.events import Event, UserData
from capi_plugins.exceptions import InvalidEvent, UnknownSource
from capi_plugins.outbox.base import Delivery, Outbox, OutboxStats
from capi_plugins.settings import Settings
from capi_plugins.sources.base import Source, SourceRequest

_log = logging.getLogger("capi_plugins.client")
_PENDING_MOST = 100
_scope: contextvars.ContextVar[RequestScope | None] = contextvars.ContextVar(
    "capi_plugins_scope", default=None
)
Build = Callable[[], Event | None]
OnCommit = Callable[[Callable[[], None]], None]


class Pending:
    """An event that was noted, and is captured at the end of the request if it is confirmed."""

    __slots__ = ("build", "confirmed")

    def __init__(self, build: Build, *, confirmed: bool) -> None:
        self.build = build
        self.confirmed = confirmed


class RequestScope:
    """One request of the host: what was noted in it, and its context, made when it is needed."""

    def __init__(self, client: Client, context_factory: Callable[[], RequestContext]) -> None:
        self.client = client
        self.pending: list[Pending] = []
        self.open = True
        self._factory = context_factory
        self._context: RequestContext | None = None

    @property
    def context(self) -> RequestContext:
        """The request in neutral words; empty when the adapter cannot tell."""
        if self._context is None:
            try:
                self._context = self._factory()
            except Exception as error:
                self.client.failed("context", error)
                self._context = NO_REQUEST
        return self._context


@attrs.frozen(kw_only=True)
class FlushResult:
    """What is left after a flush; true when nothing is.

    Attributes:
        waiting: Deliveries that still wait.
    """

    waiting: int

    def __bool__(self) -> bool:
        return self.waiting == 0


class _Process:
    """Outbox and worker of one process: a fork gets its own, and never the parent's events."""

    def __init__(self, outbox: Outbox, worker: Worker) -> None:
        self.outbox = outbox
        self.worker = worker


class Client:
    """Takes events in and gets them to their destinations.

    Made by ``configure``. All methods may be called from any thread.

    Args:
        settings: The settings, read and checked.
        plugins: The hooks.
        destinations: The configured destinations, by name.
        triggers: The triggers in force.
        sources: The sources, by name.
        outbox: Makes the outbox of a process.
        user_lookups: Match keys and where they are on the signed-in user.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        plugins: Plugins,
        destinations: Mapping[str, Destination],
        triggers: Triggers,
        sources: Mapping[str, Source],
        outbox: Callable[[], Outbox],
        user_lookups: Mapping[str, Lookup],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self.plugins = plugins
        self.destinations = destinations
        self.triggers = triggers
        self.sources = sources
        self._outbox = outbox
        self._user_lookups = user_lookups
        self._clock = clock
        self._pipeline = Pipeline(settings, plugins, destinations, clock)
        self._active = settings.enabled and bool(destinations)
        self._processes: dict[int, _Process] = {}
        self._closed = False
        self._at_exit = _close_at_exit(self)

    # ------------------------------------------------------------------ a request of the host

    @contextlib.contextmanager
    def request(self, context_factory: Callable[[], RequestContext]) -> Iterator[RequestScope]:
        """Open the scope of one request.

        Args:
            context_factory: Makes the context; called once, and only if the request has an event.
        """
        scope = RequestScope(self, context_factory)
        token = _scope.set(scope)
        try:
            yield scope
        finally:
            scope.open = False
            with contextlib.suppress(ValueError):
                # A generator-based host may leave in another context than it came in.
                _scope.reset(token)

    def current_scope(self) -> RequestScope | None:
        """Return the scope of the request being handled, if it is this client's."""
        scope = _scope.get()
        return scope if scope is not None and scope.client is self and scope.open else None

    def track(self, event: Event | str, /, **fields: Any) -> None:
        """Note an event; never raises.

        Inside a request it is captured when the request ends, elsewhere at once.

        Args:
            event: The event, or its name.
            **fields: The event's other attributes, when a name is given; groups may be mappings.
        """
        self.note(lambda: self._made(event, fields))

    def note(self, build: Build, *, on_commit: OnCommit | None = None) -> None:
        """Note an event that is built later; never raises.

        Args:
            build: Makes the event, or None for none. Called at the end of the request, or after
                the commit where there is no request.
            on_commit: Registers a function to be called when the host's transaction commits. The
                event is forgotten unless that happens. None: there is nothing to wait for.
        """
        if not self._active:
            return
        try:
            scope = self.current_scope()
            if on_commit is not None:
                pending = Pending(build, confirmed=False)
                if scope is not None:
                    self._keep(scope, pending)
                on_commit(lambda: self._confirm(scope, pending))
            elif scope is not None:
                self._keep(scope, Pending(build, confirmed=True))
            else:
                self._capture_built(build, NO_REQUEST)
        except Exception as error:
            self.failed("note", error)

    def finish(self, scope: RequestScope, finished: FinishedRequest) -> None:
        """End a request: capture what was noted and what triggers match; never raises.

        Args:
            scope: What ``request`` gave.
            finished: How the request ended.
        """
        scope.open = False
        if not self._active:
            return
        try:
            builds = [pending.build for pending in scope.pending if pending.confirmed]
            builds += self.triggers.for_request(finished)
            for build in builds:
                self._capture_built(build, scope.context)
        except Exception as error:
            self.failed("finish", error)

    def _keep(self, scope: RequestScope, pending: Pending) -> None:
        if len(scope.pending) < _PENDING_MOST:
            scope.pending.append(pending)
        else:
            self._dropped(None, None, f"more than {_PENDING_MOST} events in one request")

    def _confirm(self, scope: RequestScope | None, pending: Pending) -> None:
        try:
            pending.confirmed = True
            if scope is None:
                self._capture_built(pending.build, NO_REQUEST)
            elif not scope.open:
                self._capture_built(pending.build, scope.context)
        except Exception as error:
            self.failed("confirm", error)

    def user_data(self, user: object) -> UserData:
        """Read the match keys of a signed-in user, as ``CAPI["USER_DATA"]`` says; never raises.

        Args:
            user: The framework's user object.
        """
        offer = {"user": user}
        return UserData(
            **{name: lookup.find(offer, []) for name, lookup in self._user_lookups.items()}
        )

    # ------------------------------------------------------------------ events

    def capture(self, event: Event, context: RequestContext = NO_REQUEST) -> list[Processed]:
        """Take one event to the outbox; never raises.

        Args:
            event: The event.
            context: The request it happened in.

        Returns:
            What became of it, for each destination.
        """
        if not self._active:
            return []
        try:
            return self._capture(event, context)
        except Exception as error:
            self.failed("capture", error)
            return []

    def dry_run(self, event: Event, context: RequestContext = NO_REQUEST) -> list[Processed]:
        """Take one event through every stage and queue nothing."""
        return self._pipeline.process(event, context)

    def receive(self, source: str, request: SourceRequest) -> int:
        """Take the events of a request to a source.

        Args:
            source: Name of the source.
            request: What arrived.

        Returns:
            How many events there were.

        Raises:
            UnknownSource: There is no such source.
            WebhookError: The source refused the request.
        """
        found = self.sources.get(source)
        if found is None:
            raise UnknownSource(f"there is no source {source!r}")
        events = list(found.events(request))
        for event in events:
            self.capture(event)
        return len(events)

    def _made(self, event: Event | str, fields: Mapping[str, Any]) -> Event:
        if isinstance(event, Event):
            return event
        return Event.from_dict({**fields, "event_name": event}, now=self._clock())

    def _capture_built(self, build: Build, context: RequestContext) -> None:
        try:
            event = build()
        except InvalidEvent as error:
            self._dropped(None, None, str(error))
            return
        except Exception as error:
            self.failed("building an event", error)
            return
        if event is not None:
            self.capture(event, context)

    def _capture(self, event: Event, context: RequestContext) -> list[Processed]:
        signals.tell(signals.event_captured, self, event=event, context=context)
        results = self._pipeline.process(event, context)
        deliveries = []
        for result in results:
            if result.payload is None:
                self._dropped(result.event, result.destination, result.reason or "")
                continue
            notes = result.event.notes + result.payload.notes
            if notes:
                signals.tell(
                    signals.field_dropped,
                    self,
                    event=result.event,
                    destination=result.destination,
                    notes=notes,
                )
            deliveries.append(
                Delivery(
                    destination=result.destination or "",
                    event_name=result.event.event_name,
                    event_id=result.event.event_id,
                    payload=result.payload.body,
                    expires_at=result.payload.expires_at,
                )
            )
        if deliveries:
            self._queue(event, deliveries)
        return results

    def _queue(self, event: Event, deliveries: list[Delivery]) -> None:
        process = self._process()
        stored = process.outbox.put(deliveries)
        for duplicate in stored.duplicates:
            self._dropped(event, duplicate.destination, "duplicate: its event_id was queued before")
        if stored.refused:
            _log.error("outbox is full: %d deliveries lost", len(stored.refused))
            signals.tell(signals.outbox_full, self, deliveries=stored.refused)
        if len(stored.duplicates) + len(stored.refused) == len(deliveries):
            return
        if process.outbox.inline:
            process.worker.run_inline()
        elif self.settings.delivery.worker == "thread":
            process.worker.wake({delivery.destination for delivery in deliveries})

    def _dropped(self, event: Event | None, destination: str | None, reason: str) -> None:
        _log.debug(
            "%s dropped for %s: %s", event.event_name if event else "event", destination, reason
        )
        signals.tell(
            signals.event_dropped, self, event=event, destination=destination, reason=reason
        )

    def failed(self, where: str, error: Exception) -> None:
        """Log that something of ours went wrong; the host never sees it.

        Args:
            where: What was being done.
            error: What was raised; its text is not logged, it may hold personal data.
        """
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        file = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else "?"
        _log.error("%s failed with %s at %s", where, type(error).__name__, file)

    # ------------------------------------------------------------------ delivery

    def flush(self, timeout: float = 10.0) -> FlushResult:
        """Wait until everything is delivered.

        Args:
            timeout: Most seconds to wait.
        """
        process = self._process()
        if process.outbox.inline:
            process.worker.run_inline(timeout=timeout)
            return FlushResult(waiting=process.outbox.stats().waiting)
        return FlushResult(waiting=process.worker.flush(timeout))

    def stats(self) -> OutboxStats:
        """Count what the outbox of this process holds."""
        return self._process().outbox.stats()

    def close(self, timeout: float | None = None) -> FlushResult:
        """Deliver what can be delivered in time, end the worker, tell the plugins.

        Args:
            timeout: Most seconds; None: ``CAPI["DELIVERY"]["EXIT_TIMEOUT"]``.
        """
        if self._closed:
            return FlushResult(waiting=0)
        self._closed = True
        atexit.unregister(self._at_exit)
        limit = self.settings.delivery.exit_timeout if timeout is None else timeout
        waiting = 0
        process = self._processes.get(os.getpid())
        if process is not None:
            waiting = process.worker.close(limit)
            process.outbox.close()
        if waiting:
            _log.warning("%d deliveries were not made before the process ended", waiting)
        self.plugins.shutdown()
        return FlushResult(waiting=waiting)

    def _process(self) -> _Process:
        pid = os.getpid()
        process = self._processes.get(pid)
        if process is None:
            outbox = self._outbox()
            worker = Worker(
                outbox,
                self.settings.delivery,
                destination=self._pipeline.destination,
                send=self.plugins.send,
                tell=lambda signal, **arguments: signals.tell(signal, self, **arguments),
                clock=self._clock,
            )
            # setdefault is atomic, so that no lock is needed that a fork could leave locked.
            process = self._processes.setdefault(pid, _Process(outbox, worker))
        return process


def _close_at_exit(client: Client) -> Callable[[], None]:
    reference = weakref.ref(client)

    def close() -> None:
        alive = reference()
        if alive is not None:
            alive.close()

    return atexit.register(close)
