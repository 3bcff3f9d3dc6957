"""From an event to the outbox: events are taken through the stages and queued together."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import attrs

from capi_plugins import signals
from capi_plugins._delivery import Delivering
from capi_plugins._holding import Holding, event_of
from capi_plugins._pipeline import Pipeline, Processed
from capi_plugins.context import RequestContext
from capi_plugins.events import Event
from capi_plugins.outbox.base import Delivery

if TYPE_CHECKING:
    from capi_plugins._client import Client

_log = logging.getLogger("capi_plugins.client")
_DUPLICATE = "duplicate: this event_id was queued within the last 48 hours"
_WITHDRAWN = "no consent (it was withdrawn while the event waited in the outbox)"


class Built(NamedTuple):
    """An event on its way to the outbox.

    Attributes:
        event: The event.
        context: The request it is taken for.
        held: What the outbox holds of it already.
    """

    event: Event
    context: RequestContext
    held: Sequence[Delivery] = ()


class Capturing:
    """Takes events to the outbox of the process; never raises.

    Args:
        client: In whose name signals are sent.
        pipeline: The stages.
        delivering: The outbox and the worker.
        holding: Holds what visitors have not decided about.
    """

    def __init__(
        self,
        client: Client,
        pipeline: Pipeline,
        delivering: Delivering,
        holding: Holding,
    ) -> None:
        self._client = client
        self._pipeline = pipeline
        self._delivering = delivering
        self._holding = holding

    def hold(self, make: Callable[[], Built | None], database: str) -> Sequence[Delivery]:
        """Have the outbox hold what there is of an event in an open transaction.

        Nobody is told of it: what counts is what is captured in the end.

        Args:
            make: Makes the event.
            database: Name of the database whose transaction it is.
        """

        def deliveries() -> list[Delivery]:
            built = make()
            processed = self._pipeline.process(built.event, built.context) if built else ()
            return [delivery for result in processed if (delivery := _delivery(result))]

        try:
            return self._delivering.hold(deliveries, database)
        except Exception as error:
            # It is captured at the end of the request, as it is with other outboxes.
            self._client.failed("holding an event", error)
            return ()

    def capture(
        self, built: Sequence[Built], withdrawn: Sequence[Delivery] = ()
    ) -> list[Processed]:
        """Take events to the outbox, all in one go: a request costs one commit at most.

        Args:
            built: The events.
            withdrawn: What the outbox holds besides and must not send.
        """
        return self._capture(built, withdrawn)[0]

    def store(
        self, events: Sequence[Event], context: RequestContext, reasons: Sequence[str]
    ) -> bool:
        """Take events to the outbox, and say whether it has all that is to be sent.

        Args:
            events: The events.
            context: The request they happened in.
            reasons: Why there are not more of them.
        """
        for reason in reasons:
            self.dropped(None, None, reason)
        return self._capture([Built(event, context) for event in events])[1]

    def _capture(
        self, built: Sequence[Built], withdrawn: Sequence[Delivery] = ()
    ) -> tuple[list[Processed], bool]:
        results: list[Processed] = []
        stored = True
        queued: list[tuple[Event, Delivery]] = []
        withdrawn = list(withdrawn)
        for event, context, held in built:
            try:
                signals.tell(signals.event_captured, self._client, event=event, context=context)
                processed = self._undecided(self._pipeline.process(event, context), context)
                results += processed
                waiting = {item.destination: item for item in held}
                for made, delivery in self._deliveries(processed):
                    early = waiting.pop(delivery.destination, None)
                    if early is not None:
                        delivery = attrs.evolve(delivery, key=early.key)  # noqa: PLW2901
                    queued.append((made, delivery))
                # It may not be sent any more, or not there.
                withdrawn += waiting.values()
            except Exception as error:
                self._client.failed("capture", error)
        try:
            if queued or withdrawn:
                stored, twice = self._queue(queued, withdrawn)
                results = _without(results, twice) if twice else results
        except Exception as error:
            self._client.failed("queueing", error)
            reason = f"the outbox failed: {type(error).__name__}"
            for event, delivery in queued:
                self.dropped(event, delivery.destination, reason)
            stored = False
        return results, stored

    def _undecided(
        self, processed: Sequence[Processed], context: RequestContext
    ) -> Sequence[Processed]:
        """Hold what the visitor has not decided about; what cannot be held is dropped."""
        numbers = [number for number, item in enumerate(processed) if item.held]
        if not numbers:
            return processed
        refused = self._holding.hold([(processed[number], context) for number in numbers])
        results = list(processed)
        for number, reason in refused.items():
            at = numbers[number]
            results[at] = attrs.evolve(results[at], held=None, reason=reason)
        return results

    def release(self, context: RequestContext) -> tuple[bool, Sequence[Delivery]]:
        """Queue what was held until the visitor of a request decided, or drop it.

        Args:
            context: The request.

        Returns:
            Whether nothing of that is left to be done, and what was queued.
        """
        decided = self._holding.decided(context)
        queued = [(event_of(held), delivery) for held, delivery in decided.released]
        gone = [held for held, _ in decided.dropped]
        for held, reason in decided.dropped:
            self.dropped(event_of(held), held.destination, reason)
        stored = not queued
        twice: Sequence[tuple[Event, Delivery]] = ()
        try:
            # First there, then not here: whoever dies in between has them in both.
            if queued:
                stored, twice = self._queue(queued, ())
        except Exception as error:
            self._client.failed("queueing", error)
        if stored:
            for held, _ in decided.released:
                signals.tell(
                    signals.event_released,
                    self._client,
                    event=event_of(held),
                    destination=held.destination,
                )
                gone.append(held)
        else:
            self._holding.ask_again(context)
        self._holding.remove(gone)
        known = {id(delivery) for _, delivery in twice}
        new = [delivery for _, delivery in queued if stored and id(delivery) not in known]
        return stored and decided.known, new

    def dropped(self, event: Event | None, destination: str | None, reason: str) -> None:
        """Tell that an event, or what one destination would have got of it, is not sent.

        Args:
            event: The event; None: it could not be built.
            destination: Name of the destination; None: all.
            reason: Why.
        """
        _log.debug(
            "%s dropped for %s: %s", event.event_name if event else "event", destination, reason
        )
        signals.tell(
            signals.event_dropped, self._client, event=event, destination=destination, reason=reason
        )

    def withdrawn(self, deliveries: Iterable[Delivery]) -> None:
        """Tell of what was removed from the outbox.

        Args:
            deliveries: What waited for somebody who withdrew consent.
        """
        for each in deliveries:
            event = Event(event_name=each.event_name, event_id=each.event_id)
            self.dropped(event, each.destination, _WITHDRAWN)

    def _deliveries(self, processed: Sequence[Processed]) -> Iterator[tuple[Event, Delivery]]:
        for result in processed:
            event, payload = result.event, result.payload
            delivery = _delivery(result)
            if result.held:
                signals.tell(
                    signals.event_held, self._client, event=event, destination=result.destination
                )
                continue
            if payload is None or delivery is None:
                self.dropped(event, result.destination, result.reason or "")
                continue
            if notes := event.notes + payload.notes:
                signals.tell(
                    signals.field_dropped,
                    self._client,
                    event=event,
                    destination=result.destination,
                    notes=notes,
                )
            yield event, delivery

    def _queue(
        self, queued: Sequence[tuple[Event, Delivery]], withdrawn: Sequence[Delivery]
    ) -> tuple[bool, Sequence[tuple[Event, Delivery]]]:
        """Queue deliveries; return whether all are stored, and those that were there already."""
        stored = self._delivering.put([delivery for _, delivery in queued], withdrawn)
        twice = []
        if stored.duplicates:
            found = {id(delivery) for delivery in stored.duplicates}
            twice = [each for each in queued if id(each[1]) in found]
        for event, delivery in twice:
            self.dropped(event, delivery.destination, _DUPLICATE)
        if stored.refused:
            signals.tell(signals.outbox_full, self._client, deliveries=stored.refused)
        return not (stored.refused or stored.in_memory), twice


def _without(
    results: Sequence[Processed], duplicates: Sequence[tuple[Event, Delivery]]
) -> list[Processed]:
    """Take the payload out of what is there already; of two in one request one stays."""
    twice = {(id(event), delivery.destination) for event, delivery in duplicates}
    return [
        attrs.evolve(result, payload=None, reason=_DUPLICATE)
        if (id(result.event), result.destination) in twice
        else result
        for result in results
    ]


def _delivery(result: Processed) -> Delivery | None:
    if result.payload is None:
        return None
    return Delivery(
        destination=result.destination or "",
        event_name=result.event.event_name,
        event_id=result.event.event_id,
        payload=result.payload.body,
        expires_at=result.payload.expires_at,
    )
