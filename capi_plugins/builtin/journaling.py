"""Writes down what becomes of events, for ``capi explain``; on when ``JOURNAL`` names a folder.

Of an event that nobody receives there is its name, its id and the reason, nothing of its person.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from capi_plugins import signals
from capi_plugins.context import RequestContext
from capi_plugins.destinations.base import Outcome
from capi_plugins.events import Event, FieldNote
from capi_plugins.hookspecs import hookimpl
from capi_plugins.journal import Journal, redacted
from capi_plugins.outbox.base import Delivery
from capi_plugins.settings import Settings

_log = logging.getLogger("capi_plugins.journal")


class Journaling:
    """The plugin; blinker holds its methods weakly, and the client holds it."""

    def __init__(self) -> None:
        self._settings: Settings | None = None
        self._journal: Journal | None = None
        self._failed = False

    @hookimpl
    def capi_configure(self, settings: Settings) -> None:
        """Listen, if there is a folder to write to."""
        if settings.journal is None:
            return
        self._settings, self._journal = settings, Journal(Path(settings.journal))
        for signal, receiver in self._receivers():
            signal.connect(receiver)

    @hookimpl
    def capi_shutdown(self) -> None:
        """Listen no more."""
        for signal, receiver in self._receivers():
            signal.disconnect(receiver)

    def _receivers(self) -> tuple[tuple[Any, Any], ...]:
        return (
            (signals.event_captured, self._captured),
            (signals.event_dropped, self._dropped),
            (signals.field_dropped, self._field_dropped),
            (signals.delivered, self._delivered),
            (signals.delivery_retried, self._retried),
            (signals.delivery_dead, self._dead),
        )

    def _captured(self, sender: Any, *, event: Event, context: RequestContext) -> None:
        url = context.url or event.event_source_url
        self._write(
            sender,
            [
                {
                    **_of(event),
                    "stage": "captured",
                    "trigger": event.trigger,
                    "method": context.method,
                    "path": urlsplit(url).path if url else None,
                    "order": event.custom_data.order_id,
                }
            ],
        )

    def _dropped(
        self, sender: Any, *, event: Event | None, destination: str | None, reason: str
    ) -> None:
        said = {"stage": "dropped", "destination": destination, "reason": reason}
        self._write(sender, [{**_of(event), **said}])

    def _field_dropped(
        self, sender: Any, *, event: Event, destination: str, notes: Sequence[FieldNote]
    ) -> None:
        fields = {note.field: note.reason for note in notes}
        said = {"stage": "fields left out", "destination": destination, "fields": fields}
        self._write(sender, [{**_of(event), **said}])

    def _delivered(self, sender: Any, *, deliveries: Sequence[Delivery], outcome: Outcome) -> None:
        said = {"stage": "delivered", **_answer(outcome)}
        self._write(sender, [{**_sent(item), **said} for item in deliveries])

    def _retried(
        self, sender: Any, *, deliveries: Sequence[Delivery], outcome: Outcome, at: float
    ) -> None:
        said = {"stage": "tried again later", "due": round(at), **_answer(outcome)}
        self._write(sender, [{**_sent(item), **said} for item in deliveries])

    def _dead(self, sender: Any, *, deliveries: Sequence[Delivery], reason: str) -> None:
        said = {"stage": "given up", "reason": reason}
        self._write(sender, [{**_sent(item), **said} for item in deliveries])

    def _write(self, sender: Any, lines: Sequence[Mapping[str, Any]]) -> None:
        journal = self._journal
        if journal is None or getattr(sender, "settings", None) is not self._settings:
            return
        now = round(time.time(), 3)
        try:
            told = [
                {"at": now, **{k: v for k, v in line.items() if v is not None}} for line in lines
            ]
            journal.write(told)
        except OSError as error:
            if not self._failed:
                self._failed = True
                _log.warning("CAPI['JOURNAL'] cannot be written: %s", error.strerror)


def _of(event: Event | None) -> dict[str, Any]:
    return {} if event is None else {"event_name": event.event_name, "event_id": event.event_id}


def _sent(delivery: Delivery) -> dict[str, Any]:
    return {
        "event_name": delivery.event_name,
        "event_id": delivery.event_id,
        "destination": delivery.destination,
        "payload": redacted(delivery.payload),
    }


def _answer(outcome: Outcome) -> dict[str, Any]:
    return {"reason": outcome.reason or None, "code": outcome.code, "trace": outcome.trace}
