"""The client: what an adapter talks to, and the wall behind which nothing can reach the host."""

from __future__ import annotations

import contextlib
import functools
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from capi_plugins import signals
from capi_plugins._browser import BrowserAnswer, BrowserHalf
from capi_plugins._building import Building
from capi_plugins._capturing import Built, Capturing
from capi_plugins._delivery import Delivering, FlushResult
from capi_plugins._holding import Holding
from capi_plugins._kept import KeptContexts
from capi_plugins._noting import Noting
from capi_plugins._paths import Lookup
from capi_plugins._pipeline import Pipeline, Processed
from capi_plugins._place import place
from capi_plugins._plugins import Plugins
from capi_plugins._receiving import Receiving
from capi_plugins._scope import MOST_PENDING, About, Build, OnCommit, Pending, RequestScope, current
from capi_plugins._shutdown import Shutdown
from capi_plugins._subjects import Subject, subject_of
from capi_plugins._triggers import Trigger, Triggers
from capi_plugins._worker import Worker
from capi_plugins.context import NO_REQUEST, FinishedRequest, RequestContext
from capi_plugins.context_store import Identify
from capi_plugins.destinations.base import Destination
from capi_plugins.events import Event, UserData
from capi_plugins.exceptions import WebhookError
from capi_plugins.leaving import pass_on
from capi_plugins.outbox.base import Outbox, OutboxStats
from capi_plugins.settings import Settings
from capi_plugins.sources.base import Source, SourceRequest, SourceResponse

_log = logging.getLogger("capi_plugins.client")


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
        identify: Tells rows of the host's database from other values.
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
        identify: Identify = lambda _: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self.plugins = plugins
        plugins.clients += 1
        self.destinations = destinations
        self.triggers = triggers
        self.sources = sources
        self._user_lookups = user_lookups
        self._clock = clock
        self._pipeline = Pipeline(settings, plugins, destinations, clock)
        self._delivering = Delivering(
            outbox,
            self._make_worker,
            threads=settings.delivery.worker == "thread",
            withdrawn=lambda deliveries: self._capturing.withdrawn(deliveries),  # noqa: PLW0108 - made below
            grace=settings.delivery.grace,
            clock=clock,
        )
        self.browser = BrowserHalf(settings.browser, self._pipeline, destinations, clock)
        self._identify = identify
        days = settings.context_days
        kept = KeptContexts(lambda: self._delivering.contexts, days, self.failed, clock)
        self.holding = Holding(self, lambda: self._delivering.held, clock)
        self._capturing = Capturing(self, self._pipeline, self._delivering, self.holding)
        building = Building(self, self._capturing, kept)
        self._noting = Noting(self, building, self._capturing, self.holding)
        self.active = settings.enabled and self.has_destinations
        store = self._capturing.store if self.active else None
        self._receiving = Receiving(self, store)
        self._shutdown = Shutdown(self)

    @property
    def has_destinations(self) -> bool:
        """Whether there may be one: in the settings, or known to a plugin (tenants)."""
        return bool(self.destinations) or any(
            "capi_lookup_destination" in plugin.hooks for plugin in self.plugins.loaded()
        )

    # ------------------------------------------------------------------ a request of the host

    @contextlib.contextmanager
    def request(self, context_factory: Callable[[], RequestContext]) -> Iterator[RequestScope]:
        """Open the scope of one request.

        Args:
            context_factory: Makes the context; called when the request is over, and only if it has
                an event. An outbox in the host's database asks for the context of the moment too.
        """
        scope = RequestScope(self, context_factory)
        token = current.set(scope)
        if self.active and not self._shutdown.begun:
            self._delivering.begin(self.destinations)
        try:
            yield scope
        finally:
            scope.open = False
            with contextlib.suppress(ValueError):
                # A generator-based host may leave in another context than it came in.
                current.reset(token)
            self._noting.finish(scope, [])

    def current_scope(self) -> RequestScope | None:
        """Return the scope of the request being handled, if it is this client's."""
        scope = current.get()
        return scope if scope is not None and scope.client is self and scope.open else None

    def track(self, event: Event | str, /, **fields: Any) -> None:
        """Note an event; never raises.

        Inside a request it is captured when the request ends, elsewhere at once.

        Args:
            event: The event, or its name.
            **fields: The event's other attributes, when a name is given; groups may be mappings.
        """
        self.note(self.tracked(event, **fields))

    def tracked(self, event: Event | str, /, **fields: Any) -> Build:
        """Return what ``track`` notes, for an adapter that says more about it to ``note``.

        Args:
            event: The event, or its name.
            **fields: As in ``track``.
        """
        if isinstance(event, Event):
            return lambda: event
        now = self._clock()

        @functools.cache
        def build() -> Event:
            return Event.from_dict({**fields, "event_name": event}, now=now)

        return build

    def note(
        self,
        build: Build,
        *,
        on_commit: OnCommit | None = None,
        database: str | None = None,
        early: Build | None = None,
        about: About | None = None,
        early_about: About | None = None,
    ) -> None:
        """Note an event that is built later; never raises.

        Args:
            build: Makes the event, or None for none. Called at the end of the request, or after
                the commit where there is no request.
            on_commit: Registers a function to be called when the host's transaction commits. The
                event is forgotten unless that happens. None: there is nothing to wait for.
            database: Name of the database whose transaction that is. An outbox in the same
                database stores what is known now in the transaction, so that the event is sent
                even if this process does not live to build it.
            early: Makes the event from what is known now; default: ``build``.
            about: Tells what the event is about; see ``subject``. Default: the event itself does.
            early_about: Tells it from what is known now; default: ``about``.
        """
        if self.active:
            self._noting.note(
                Pending(build, confirmed=on_commit is None, subject=about),
                on_commit=on_commit,
                database=database,
                early=early or build,
                early_about=early_about or about,
            )

    def subject(
        self, trigger: Trigger, offer: Mapping[str, Any], *, fresh: bool = False
    ) -> Subject:
        """Tell what the event of a trigger is about, for ``note`` and ``created``.

        Args:
            trigger: The trigger.
            offer: What its paths may start at.
            fresh: Whether the row it is about was made just now.
        """
        return subject_of(trigger, offer, self._identify, fresh=fresh)

    def created(self, about: About) -> None:
        """Say that the current request made something that may have events later.

        Args:
            about: Tells what it made, at the end of the request.
        """
        scope = self.current_scope() if self.active else None
        if scope is not None and len(scope.created) < MOST_PENDING:
            scope.created.append(about)

    def joins(self, database: str) -> bool:
        """Whether an event noted now would be stored in an open transaction of a database.

        Args:
            database: The adapter's name for the database.
        """
        return self.active and self._delivering.joins(database)

    def finish(self, scope: RequestScope, finished: FinishedRequest) -> list[Processed]:
        """End a request: capture what was noted and what triggers match; never raises.

        Args:
            scope: What ``request`` gave.
            finished: How the request ended.

        Returns:
            What became of its events.
        """
        matched: list[Pending] = []
        if self.active:
            try:
                found = self.triggers.for_request(finished)
                matched = [Pending.of_trigger(*pair, self._identify) for pair in found]
            except Exception as error:
                self.failed("matching triggers", error)
        return self._noting.finish(scope, matched, finished)

    def browser_answer(
        self, scope: RequestScope, processed: Sequence[Processed], *, page: bool
    ) -> BrowserAnswer:
        """Decide what goes to the browser with the answer of the host; never raises.

        Args:
            scope: What ``request`` gave; the request is over.
            processed: What ``finish`` gave.
            page: Whether the answer is a page that may have code in it.
        """
        try:
            if self.active:
                given = (scope.context, scope.lacking, processed, scope.released)
                return self.browser.answer(*given, page=page, by=scope.sent_by)
        except Exception as error:
            self.failed("the browser half", error)
        return BrowserAnswer()

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
        return self._capturing.capture([Built(event, context)]) if self.active else []

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
            WebhookError: The source refused the request, or the outbox did not take its events.
        """
        return len(self._receiving.receive(source, request).events)

    def answer(
        self, source: str, request: SourceRequest, *, problem: WebhookError | None = None
    ) -> SourceResponse:
        """Take the events of a request to a source and return what it is answered; never raises.

        It is a success only when the events are in the outbox.

        Args:
            source: Name of the source.
            request: What arrived.
            problem: What is wrong with it already; then it has no events.
        """
        return self._receiving.answer(source, request, problem)

    def failed(self, where: str, error: Exception) -> None:
        """Log that something of ours went wrong; the host sees its own alone, see ``pass_on``.

        Args:
            where: What was being done.
            error: What was raised; its text is not logged, it may hold personal data.
        """
        pass_on(error)
        with contextlib.suppress(Exception):  # of a log handler of the host's
            _log.error("%s failed with %s at %s", where, type(error).__name__, place(error))

    # ------------------------------------------------------------------ delivery

    def flush(self, timeout: float = 10.0) -> FlushResult:
        """Have everything delivered, by this process whatever ``WORKER`` says, and wait for it.

        Args:
            timeout: Most seconds to wait.
        """
        return FlushResult(waiting=self._delivering.flush(timeout))

    @property
    def delivering(self) -> Delivering:
        """Outbox and worker of this process, for those who look after them."""
        return self._delivering

    def stats(self) -> OutboxStats:
        """Count what the outbox of this process holds."""
        return self._delivering.stats()

    def stopped(self) -> list[str]:
        """Names of the destinations stopped because of their configuration."""
        return self._delivering.stopped()

    def close(self, timeout: float | None = None) -> FlushResult:
        """Deliver what can be delivered in time, end the worker, tell the plugins.

        Args:
            timeout: Most seconds; None: ``CAPI["DELIVERY"]["EXIT_TIMEOUT"]``.
        """
        return self._shutdown.run(timeout)

    def _make_worker(self, outbox: Outbox) -> Worker:
        return Worker(
            outbox,
            self.settings.delivery,
            destination=self._pipeline.destination,
            send=self.plugins.send,
            tell=lambda signal, **arguments: signals.tell(signal, self, **arguments),
            clock=self._clock,
        )
