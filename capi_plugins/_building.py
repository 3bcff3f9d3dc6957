"""From what was noted to events, each with the request it is taken for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import attrs

from capi_plugins._capturing import Built, Capturing
from capi_plugins._kept import KeptContexts
from capi_plugins._once import is_told_twice, once_a_visit
from capi_plugins._pipeline import Processed
from capi_plugins._remembering import Remembering
from capi_plugins._restoring import Restoring
from capi_plugins._scope import About, Build, Pending, RequestScope
from capi_plugins._subjects import Subject, subject_of_event
from capi_plugins.context import NO_REQUEST, RequestContext
from capi_plugins.events import BROWSING, Event
from capi_plugins.exceptions import InvalidEvent
from capi_plugins.outbox.base import Delivery

if TYPE_CHECKING:
    from capi_plugins._client import Client

_TOLD_TWICE = "duplicate: another trigger made the same event"
_UNSEEN = "the request failed: the visitor was shown an error in place of the page"


class Building:
    """Builds events and has them captured; never raises.

    Args:
        client: In whose name failures are told.
        capturing: Takes the events.
        kept: What is kept of shoppers, for events that fire elsewhere.
    """

    def __init__(self, client: Client, capturing: Capturing, kept: KeptContexts) -> None:
        self._client = client
        self._capturing = capturing
        self._restoring = Restoring(client, kept)
        self._remembering = Remembering(client, kept)

    def hold(
        self, build: Build, scope: RequestScope | None, database: str, about: About | None
    ) -> Sequence[Delivery]:
        """Have the outbox hold an event in an open transaction, as far as it is known.

        Args:
            build: Makes the event.
            scope: The request.
            database: Name of the database whose transaction it is.
            about: What the event is about.
        """

        def make() -> Built | None:
            try:
                event = build()
            except InvalidEvent:
                return None
            if event is None:
                return None
            context = scope.context_now() if scope else NO_REQUEST
            return Built(*self._for_shopper(event, self._subject(about), context))

        return self._capturing.hold(make, database)

    def capture_noted(
        self,
        noted: Sequence[Pending],
        context: RequestContext,
        created: Sequence[About] = (),
    ) -> list[Processed]:
        """Build events, have them captured, and remember whose request that was.

        Args:
            noted: What makes the events, and what the outbox holds of them.
            context: The request they happened in.
            created: What the request made that may have events later.

        Returns:
            What became of them.
        """
        subjects = [subject for about in created if (subject := self._subject(about))]
        made = {key for subject in subjects for key in subject.known_as}
        told: list[tuple[Event, Subject]] = []
        ready: list[Built] = []
        withdrawn: list[Delivery] = []
        for pending in noted:
            try:
                built = self._built(pending, context, made, told)
            except Exception as error:
                # What is held of it is sent after the grace period.
                self._client.failed("building an event", error)
                continue
            if built is None:
                withdrawn += pending.held
            else:
                ready.append(built)
        results: list[Processed] = []
        if ready or withdrawn:
            results = self._capturing.capture(ready, withdrawn)
        self._remembering.remember([*subjects, *(subject for _, subject in told)], context)
        return results

    def _built(
        self,
        pending: Pending,
        context: RequestContext,
        made: Collection[str],
        told: list[tuple[Event, Subject]],
    ) -> Built | None:
        """Build one event, and tell whoever asks why there is none.

        Args:
            pending: What makes it.
            context: The request it happened in.
            made: The keys of what the request made.
            told: The events built before, and what they are about; this one is added.
        """
        try:
            event = pending.build()
        except InvalidEvent as error:
            self._capturing.dropped(None, None, str(error))
            return None
        if event is None:
            return None
        if pending.unseen and event.event_name in BROWSING:
            self._capturing.dropped(event, None, _UNSEEN)
            return None
        subject = self._subject(pending.subject) or subject_of_event(event)
        if any(key in made for key in subject.known_as):
            subject = attrs.evolve(subject, fresh=True)
        if is_told_twice(event, subject, told):
            self._capturing.dropped(event, None, _TOLD_TWICE)
            return None
        told.append((event, subject))
        return Built(*self._for_shopper(event, subject, context), pending.held)

    def _for_shopper(
        self, event: Event, subject: Subject | None, context: RequestContext
    ) -> tuple[Event, RequestContext]:
        """Return the event and the request it is taken for."""
        context = self._restoring.restored(event, subject, context)
        try:
            return once_a_visit(event, context), context
        except Exception as error:
            self._client.failed("telling a look from another", error)
            return event, context

    def _subject(self, about: About | None) -> Subject | None:
        try:
            return about() if about else None
        except Exception as error:
            self._client.failed("telling what an event is about", error)
            return None
