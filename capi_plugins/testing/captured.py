"""`capture_events`: keep what happens in a block of code, and send nothing of it."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import attrs

from capi_plugins import signals
from capi_plugins.context import RequestContext
from capi_plugins.events import Event
from capi_plugins.outbox.base import Delivery, Stored
from capi_plugins.outbox.diversion import Diversion, divert
from capi_plugins.outbox.memory import MemoryOutbox

_MISSING = object()


@attrs.define(kw_only=True)
class CapturedEvent:
    """One event, and what became of it.

    Attributes:
        event: The event as it was captured: before plugins add to it or take from it.
        context: The request it was captured for.
        payloads: What each destination would get, by the destination's name: decoded JSON, or
            bytes where it is none.
        dropped: Why a destination gets nothing, by its name; the key None stands for all.
    """

    event: Event
    context: RequestContext = attrs.field(repr=False)
    payloads: dict[str, Any] = attrs.field(factory=dict, repr=False)
    dropped: dict[str | None, str] = attrs.field(factory=dict)

    @property
    def name(self) -> str:
        """The event's name."""
        return self.event.event_name


class CapturedEvents(Sequence[CapturedEvent]):
    """The events of a block, in order.

    Attributes:
        unbuilt: Reasons of the events that could not even be made: ``InvalidEvent`` and such.
    """

    def __init__(self) -> None:
        self._events: list[CapturedEvent] = []
        self._lock = threading.Lock()
        self.unbuilt: list[str] = []

    def __len__(self) -> int:
        return len(self._events)

    def __getitem__(self, place: Any) -> Any:
        return self._events[place]

    def __repr__(self) -> str:
        return f"<CapturedEvents {self.names}>"

    @property
    def names(self) -> list[str]:
        """The names of the events, in order."""
        return [each.name for each in self._events]

    def one(self, name: str) -> CapturedEvent:
        """Return the only event of a name.

        Args:
            name: The event's name.

        Raises:
            AssertionError: There is none, or more than one; the text shows what was captured.
        """
        found = [each for each in self._events if each.name == name]
        if len(found) != 1:
            raise AssertionError(f"{len(found) or 'no'} {name} captured, not one\n{self._shown()}")
        return found[0]

    def assert_event(self, name: str, **fields: Any) -> CapturedEvent:
        """Insist on an event with these fields that a destination gets.

        Args:
            name: The event's name.
            **fields: Attributes of the event, of its ``custom_data`` (custom properties too) or of
                its ``user_data``, in this order, and what they must be. Numbers are compared as
                numbers: ``42`` is ``Decimal("42.00")`` is ``"42.0"``.

        Returns:
            The first such event.

        Raises:
            AssertionError: There is none; the text shows what was captured.
        """
        found = [
            each
            for each in self._events
            if each.name == name
            and each.payloads
            and all(_same(_value(each.event, key), wanted) for key, wanted in fields.items())
        ]
        if not found:
            # A field that differs is named; its value is shown only if it says nothing of a person.
            wish = ", ".join(f"{key}={value!r}" for key, value in fields.items() if _open(key))
            more = ", ".join(key for key in fields if not _open(key))
            wished = "; ".join(part for part in (wish, more and f"and a certain {more}") if part)
            raise AssertionError(
                f"no {name} is sent{' with ' + wished if wished else ''}\n{self._shown()}"
            )
        return found[0]

    def _shown(self) -> str:
        if not self._events and not self.unbuilt:
            return (
                "nothing was captured: is CAPI['ENABLED'] False, or CAPI['DESTINATIONS'] empty? "
                "Does the transaction commit? (docs/testing.md)"
            )
        lines = ["captured:", *(_line(each) for each in self._events)]
        return "\n".join([*lines, *(f"  an event that cannot be: {why}" for why in self.unbuilt)])

    # ------------------------------------------------------------------ what signals tell

    def _captured(self, sender: object, *, event: Event, context: RequestContext) -> None:
        del sender
        with self._lock:
            self._events.append(CapturedEvent(event=event, context=context))

    def _dropped(
        self, sender: object, *, event: Event | None, destination: str | None, reason: str
    ) -> None:
        del sender
        with self._lock:
            found = event and self._find(event.event_name, event.event_id)
            if found:
                found.dropped[destination] = reason
            else:
                self.unbuilt.append(f"{event.event_name}: {reason}" if event else reason)

    def _queued(self, deliveries: Sequence[Delivery]) -> None:
        with self._lock:
            for delivery in deliveries:
                found = self._find(delivery.event_name, delivery.event_id)
                if found:
                    found.payloads[delivery.destination] = _decoded(delivery.payload)

    def _find(self, name: str, event_id: str) -> CapturedEvent | None:
        """Find the event that is under way: of several with one id the last."""
        return next(
            (
                each
                for each in reversed(self._events)
                if (each.event.event_name, each.event.event_id) == (name, event_id)
            ),
            None,
        )


class _Kept(MemoryOutbox):
    """An outbox of its own for each test: no test's events are another's duplicates."""

    def __init__(self, events: CapturedEvents) -> None:
        super().__init__()
        self._events = events

    def put(self, deliveries: Sequence[Delivery]) -> Stored:
        stored = super().put(deliveries)
        kept = {id(each) for each in (*stored.duplicates, *stored.refused)}
        self._events._queued([each for each in deliveries if id(each) not in kept])  # noqa: SLF001
        return stored


@contextlib.contextmanager
def capture_events() -> Iterator[CapturedEvents]:
    """Record what all clients of this process capture in a block; nothing of it is sent.

    The events take every stage up to the outbox: consent, plugins, payloads. They are put into a
    memory of the block's own, so nothing that was captured before is a duplicate. What is noted in
    a transaction is captured when it commits, as always.

    Yields:
        The events; they can be looked at during the block and after it.
    """
    events = CapturedEvents()
    with (
        divert(Diversion(lambda: _Kept(events))),
        signals.event_captured.connected_to(events._captured),  # noqa: SLF001
        signals.event_dropped.connected_to(events._dropped),  # noqa: SLF001
    ):
        yield events


def _value(event: Event, key: str) -> Any:
    for part in (event, event.custom_data, event.user_data):
        value = getattr(part, key, _MISSING)
        if value is not _MISSING:
            return value
    return event.custom_data.properties.get(key)


def _same(found: Any, wanted: Any) -> bool:
    if found == wanted:
        return True
    numbers = [_number(found), _number(wanted)]
    return None not in numbers and numbers[0] == numbers[1]


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None


_OPEN = ("value", "currency", "content_ids", "content_type", "order_id", "num_items")
"""What a message of a failed test may show: it ends in the logs of a CI."""


def _open(key: str) -> bool:
    return key in (*_OPEN, "event_id", "action_source", "event_time")


def _line(each: CapturedEvent) -> str:
    event = each.event
    data = [
        f"{name}={value!r}"
        for name in _OPEN
        if (value := getattr(event.custom_data, name)) not in (None, (), [])
    ]
    who = [name for name in event.user_data.names() if getattr(event.user_data, name)]
    fates = [f"to {name}" for name in each.payloads]
    fates += [f"not to {name or 'anybody'}: {reason}" for name, reason in each.dropped.items()]
    parts = [f"event_id={event.event_id!r}", *data]
    if who:
        parts.append(f"user_data: {', '.join(who)}")
    return f"  {event.event_name} {', '.join(parts)} ({'; '.join(fates)})"


def _decoded(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except ValueError:
        return payload
