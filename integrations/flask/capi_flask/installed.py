"""What ``app.extensions["capi"]`` holds: the client of one app, and where its events are noted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from capi_flask import models, rows, transactions
from capi_flask.handling import Handling
from capi_flask.models import ModelTriggers
from capi_flask.signals import SignalTriggers
from capi_plugins import Client, Event, Trigger

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from capi_flask.lifecycle import Lifecycle

_log = logging.getLogger("capi_plugins.flask")
About = Callable[[], Any]
OnCommit = Callable[[Callable[[], None]], None]


class Installed:
    """The extension's state for one app.

    Attributes:
        client: The client.
        active: Whether anything can leave: there are destinations, and ``ENABLED`` is not False.
        signals: The triggers on signals.
        models: The triggers on SQLAlchemy models.
        lifecycle: What listens to the app; blinker holds it weakly.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self.active = client.settings.enabled and bool(client.destinations)
        self.lifecycle: Lifecycle | None = None
        self.signals = SignalTriggers(client.triggers.on_signal, self)
        self.models = ModelTriggers(client.triggers.on_model, self)
        self._prepared = False

    def prepare(self) -> list[str]:
        """Do what has to wait until the host was imported, and say what went wrong."""
        self._prepared = True
        self.watch_database()
        self.client.browser.prepare()
        self.signals.connect(import_modules=True)
        return [*self.signals.problems(), *self.models.problems()]

    def prepare_once(self) -> bool:
        """Prepare as the first request begins; what went wrong goes to the log.

        Returns:
            Whether this was the first time.
        """
        if self._prepared:
            return False
        for problem in self.prepare():
            _log.error("%s", problem)
        return True

    def watch_database(self) -> None:
        """Follow SQLAlchemy's transactions, if a trigger may need them and the host has it."""
        if self.active and (self.signals.triggers or self.models.triggers):
            transactions.watch()
            if self.models.triggers:
                models.watch()

    def track(self, event: Event | str, fields: Mapping[str, Any]) -> None:
        """Note an event the host made itself; never raises.

        Args:
            event: The event, or its name.
            fields: The event's other attributes, when a name is given.
        """
        handling = Handling.of(self)
        if handling is None or not handling.finished:
            self.client.track(event, **fields)
        else:
            made = event if isinstance(event, Event) else None
            self.note(lambda: made or Event.from_dict({**fields, "event_name": event}))

    def note(
        self,
        build: Callable[[], Event | None],
        *,
        on_commit: OnCommit | None = None,
        about: About | None = None,
    ) -> None:
        """Note an event; never raises.

        Args:
            build: Makes the event, at the end of the request or after the commit.
            on_commit: Registers what is to be called when the transaction commits.
            about: Tells what the event is about; see ``Client.note``.
        """
        handling = Handling.of(self)
        if handling is None or not handling.finished:
            self.client.note(build, on_commit=on_commit, about=about)
            return
        # A streamed body goes on after the request was finished; it is still its visitor's.
        context = handling.scope.context

        def late() -> None:
            event = build()
            if event is not None:
                self.client.capture(event, context)

        self.client.note(late, on_commit=on_commit)

    def remember(self, trigger: Trigger, offered: Mapping[str, Any]) -> None:
        """Have the shopper remembered who made a row that has its event later.

        Args:
            trigger: The rule that watches the row.
            offered: What the trigger's own paths may start at.
        """
        handling = Handling.of(self)
        late = rows.remember(offered)
        if handling is not None and not late.is_async:
            self.client.created(self._about(trigger, handling, late, fresh=True))

    def note_trigger(
        self,
        trigger: Trigger,
        offered: Mapping[str, Any],
        session: Session | None,
        *,
        fresh: bool = False,
    ) -> None:
        """Note the event of a trigger; its fields are read late.

        Args:
            trigger: The rule.
            offered: What the trigger's own paths may start at.
            session: The SQLAlchemy session whose commit makes it true; None: it is true already.
            fresh: Whether the row it is about was made just now.
        """
        handling = Handling.of(self)
        late = rows.remember(offered)

        def build() -> Event | None:
            around = {} if handling is None else handling.offer()
            with late.readable() as values:
                return trigger.build({**around, **_not_called(values)})

        about = self._about(trigger, handling, late, fresh=fresh)
        on_commit = None if session is None else transactions.on_commit(session)
        if on_commit is not None and late.is_async:
            build, on_commit = _built_at_commit(trigger, late, on_commit)
        self.note(build, on_commit=on_commit, about=about)

    def _about(
        self, trigger: Trigger, handling: Handling | None, late: rows.Late, *, fresh: bool
    ) -> About:
        def about() -> Any:
            around = {} if handling is None else handling.offer()
            with late.readable() as values:
                offer = {**around, **_not_called(values)}
                return self.client.subject(trigger, offer, fresh=fresh)

        return about


def _built_at_commit(
    trigger: Trigger, late: rows.Late, on_commit: OnCommit
) -> tuple[Callable[[], Event | None], OnCommit]:
    """Read rows while ``AsyncSession.commit()`` is awaited: nobody awaits at the request's end.

    The visitor's session is not looked at that early, so nothing of the request is offered.
    """
    made: list[Event | None] = []

    def register(confirm: Callable[[], None]) -> None:
        def committed() -> None:
            with late.readable() as values:
                made.append(trigger.build(_not_called(values)))
            confirm()

        on_commit(committed)

    return made.pop, register


def _not_called(offered: dict[str, Any]) -> dict[str, Any]:
    """Keep paths from calling the sender: it is often the app, which is callable."""
    if "sender" in offered:
        sender = offered["sender"]
        return {**offered, "sender": lambda: sender}
    return offered
