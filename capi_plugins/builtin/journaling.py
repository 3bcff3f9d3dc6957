"""Writes down what becomes of events, for ``capi explain``.

A request only notes what is to be written; a thread makes the lines and writes them. Of an event
that nobody receives there is its name, its id and the reason, nothing of its person.
"""

from __future__ import annotations

import functools
import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from capi_plugins import signals
from capi_plugins.builtin.journal_writer import BackgroundWriter
from capi_plugins.context import RequestContext
from capi_plugins.destinations.base import Outcome
from capi_plugins.events import BROWSING, Event, FieldNote
from capi_plugins.hookspecs import hookimpl
from capi_plugins.journal import FolderJournal, Journal, redacted, redacted_path
from capi_plugins.outbox import diversion
from capi_plugins.outbox.base import Delivery, KeepsJournal
from capi_plugins.sending_off import why_off
from capi_plugins.settings import Settings

if TYPE_CHECKING:
    from capi_plugins import Client

_log = logging.getLogger("capi_plugins.journal")
_REST_AFTER_TROUBLE = 60.0
Line = dict[str, Any]
Make = Callable[[], Iterable[Line]]


def journal_of(client: Client) -> Journal | None:
    """Return the journal of a client; None: nothing is written down.

    Args:
        client: The client; where its deliveries wait there is room for a journal, if the outbox
            outlives the process.
    """
    place = client.settings.journal
    if place is None:
        return None
    if place != "auto":
        return FolderJournal(Path(place))
    outbox = client.delivering.outbox
    return outbox.journal if isinstance(outbox, KeepsJournal) else None


class Journaling:
    """The plugin; blinker holds its methods weakly, and the client holds it."""

    def __init__(self) -> None:
        self._settings: Settings | None = None
        self._writer = BackgroundWriter(self._write)
        # Of the process: an outbox is made in each, and a client that keeps none gets no thread.
        self._journal: Journal | None = None
        self._pid = 0
        self._rest_until = 0.0
        self._failed = False

    @hookimpl
    def capi_configure(self, settings: Settings) -> None:
        """Listen, unless nothing is to be written down."""
        if settings.journal is None:
            return
        self._settings = settings
        for signal, receiver in self._receivers():
            signal.connect(receiver)

    @hookimpl
    def capi_shutdown(self) -> None:
        """Listen no more, and write what waits."""
        for signal, receiver in self._receivers():
            signal.disconnect(receiver)
        self._writer.close()

    def _receivers(self) -> tuple[tuple[Any, Any], ...]:
        return (
            (signals.event_captured, self._captured),
            (signals.event_dropped, self._dropped),
            (signals.event_held, self._held),
            (signals.event_released, self._released),
            (signals.field_dropped, self._field_dropped),
            (signals.delivered, self._delivered),
            (signals.delivery_retried, self._retried),
            (signals.delivery_dead, self._dead),
            (signals.outbox_full, self._lost),
        )

    def _captured(self, sender: Any, *, event: Event, context: RequestContext) -> None:
        url, method = context.url or event.event_source_url, context.method
        self._note(sender, event.event_name, lambda: [_captured(event, url, method)])

    def _dropped(
        self, sender: Any, *, event: Event | None, destination: str | None, reason: str
    ) -> None:
        said = {"stage": "dropped", "destination": destination, "reason": reason}
        name = event.event_name if event else ""
        # An event is often dropped because of what its trigger did not find.
        fields = _fields(event.notes) if event and event.notes else {}
        self._note(sender, name, lambda: [{**_of(event), **said, **fields}])

    def _held(self, sender: Any, *, event: Event, destination: str) -> None:
        said = {"stage": "held", "destination": destination}
        self._note(sender, event.event_name, lambda: [{**_of(event), **said}])

    def _released(self, sender: Any, *, event: Event, destination: str) -> None:
        said = {"stage": "released", "destination": destination}
        self._note(sender, event.event_name, lambda: [{**_of(event), **said}])

    def _field_dropped(
        self, sender: Any, *, event: Event, destination: str, notes: Sequence[FieldNote]
    ) -> None:
        said = {"stage": "fields left out", "destination": destination, **_fields(notes)}
        self._note(sender, event.event_name, lambda: [{**_of(event), **said}])

    def _delivered(self, sender: Any, *, deliveries: Sequence[Delivery], outcome: Outcome) -> None:
        self._settled(sender, deliveries, {"stage": "delivered", **_answer(outcome)})

    def _retried(
        self, sender: Any, *, deliveries: Sequence[Delivery], outcome: Outcome, at: float
    ) -> None:
        said = {"stage": "tried again later", "due": round(at), **_answer(outcome)}
        self._settled(sender, deliveries, said)

    def _dead(self, sender: Any, *, deliveries: Sequence[Delivery], reason: str) -> None:
        self._settled(sender, deliveries, {"stage": "given up", "reason": reason})

    def _lost(self, sender: Any, *, deliveries: Sequence[Delivery]) -> None:
        self._settled(sender, deliveries, {"stage": "lost", "reason": "the outbox is full"})

    def _settled(
        self, sender: Any, deliveries: Sequence[Delivery], said: Mapping[str, Any]
    ) -> None:
        if not self._listens(sender):
            return
        now = time.time()
        for browsing in (False, True):
            noted = [
                (now, browsing, functools.partial(_settled, each, said))
                for each in deliveries
                if (each.event_name in BROWSING) is browsing
            ]
            self._writer.add(noted, browsing=browsing)

    def _note(self, sender: Any, event_name: str, make: Make) -> None:
        if self._listens(sender):
            browsing = event_name in BROWSING
            self._writer.add([(time.time(), browsing, make)], browsing=browsing)

    def _listens(self, sender: Any) -> bool:
        """Whether what a client tells is to be written down."""
        mine = getattr(sender, "settings", None) is self._settings
        if not mine or diversion.current() is not None:
            return False
        if self._pid != os.getpid():
            self._pid, self._journal = os.getpid(), None
            self._journal = journal_of(sender)
        return self._journal is not None

    # ------------------------------------------------------------------ in the writer's thread

    def _write(self, noted: Sequence[tuple[float, bool, Make]]) -> None:
        journal, settings = self._journal, self._settings
        if journal is None or settings is None or time.monotonic() < self._rest_until:
            return
        if settings.journal == "auto" and why_off():
            return
        try:
            for series in (False, True):
                lines = [
                    {"at": round(at, 3), **{k: v for k, v in line.items() if v is not None}}
                    for at, browsing, make in noted
                    if browsing is series
                    for line in make()
                ]
                if lines:
                    journal.write(lines, browsing=series)
        except Exception as error:
            self._rest_until = time.monotonic() + _REST_AFTER_TROUBLE
            if not self._failed:
                self._failed = True
                why = error.strerror if isinstance(error, OSError) else type(error).__name__
                _log.warning(
                    "the journal cannot be written, and 'capi explain' will know less: %s "
                    "(CAPI['JOURNAL'] says where it is, False turns it off)",
                    why,
                )


def _captured(event: Event, url: str | None, method: str | None) -> Line:
    return {
        **_of(event),
        "stage": "captured",
        "trigger": event.trigger,
        "method": method,
        "path": redacted_path(urlsplit(url).path) if url else None,
        "order": event.custom_data.order_id,
    }


def _of(event: Event | None) -> Line:
    return {} if event is None else {"event_name": event.event_name, "event_id": event.event_id}


def _fields(notes: Sequence[FieldNote]) -> Line:
    return {"fields": {note.field: note.reason for note in notes}}


def _sent(delivery: Delivery) -> Line:
    return {
        "event_name": delivery.event_name,
        "event_id": delivery.event_id,
        "destination": delivery.destination,
        "payload": redacted(delivery.payload),
    }


def _settled(delivery: Delivery, said: Mapping[str, Any]) -> list[Line]:
    return [{**_sent(delivery), **said}]


def _answer(outcome: Outcome) -> Line:
    return {"reason": outcome.reason or None, "code": outcome.code, "trace": outcome.trace}
