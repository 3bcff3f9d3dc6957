"""What happens to one event between capture and outbox: route, consent, enrich, filter, payload."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence

import attrs

from capi_plugins._plugins import Plugins
from capi_plugins.consent import Consent
from capi_plugins.context import RequestContext
from capi_plugins.destinations.base import Destination, Payload
from capi_plugins.events import Event
from capi_plugins.exceptions import DropEvent, InvalidEvent
from capi_plugins.settings import Settings

_log = logging.getLogger("capi_plugins.pipeline")


@attrs.frozen
class Processed:
    """What one destination gets of one event.

    Attributes:
        event: The event as this destination sees it.
        destination: Name of the destination; None: no destination wants or may have the event.
        payload: What is to be sent, or None when the event was dropped.
        reason: Why it was dropped.
    """

    event: Event
    destination: str | None
    payload: Payload | None = None
    reason: str | None = None


class Pipeline:
    """The stages, in order.

    Args:
        settings: Consent default and the event names of each destination.
        plugins: The hooks.
        destinations: The configured destinations, by name.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        settings: Settings,
        plugins: Plugins,
        destinations: Mapping[str, Destination],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._plugins = plugins
        self._destinations = destinations
        self._clock = clock

    def destination(self, name: str) -> Destination | None:
        """Find a destination: configured, or known to a plugin."""
        return self._destinations.get(name) or self._plugins.lookup_destination(name)

    def process(self, event: Event, context: RequestContext) -> list[Processed]:
        """Take one event through all stages, for every destination."""
        results: list[Processed] = []
        allowed: list[tuple[Destination, Consent]] = []
        for name in self._route(event, context):
            destination = self.destination(name)
            if destination is None:
                results.append(Processed(event, name, reason="there is no such destination"))
                continue
            consent, reason = self._consent(event, context, name)
            if consent is Consent.DENIED:
                results.append(Processed(event, name, reason=reason))
            else:
                allowed.append((destination, consent))
        if allowed:
            fuller = self._plugins.enrich(event, context)
            results += [
                self._for_one(fuller, context, destination, consent)
                for destination, consent in allowed
            ]
        return results or [Processed(event, None, reason="no destination takes this event")]

    def visitor(self, context: RequestContext) -> list[Processed]:
        """Find out to which destinations the visitor may be known, and as whom.

        Asked as for a page view that all destinations want; it is sent to nobody.

        Args:
            context: The visitor's request.
        """
        event = Event(event_name="PageView")
        found = [
            (destination, self._consent(event, context, destination.name)[0])
            for destination in self._destinations.values()
        ]
        allowed = [(each, consent) for each, consent in found if consent is not Consent.DENIED]
        if not allowed:
            return []
        fuller = self._plugins.enrich(event, context)
        results = [self._for_one(fuller, context, each, consent) for each, consent in allowed]
        return [result for result in results if result.payload is not None]

    def _route(self, event: Event, context: RequestContext) -> Sequence[str]:
        takers = [
            name
            for name, settings in self._settings.destinations.items()
            if settings.events is None or event.event_name in settings.events
        ]
        chosen = self._plugins.route(event, context, takers)
        return takers if chosen is None else list(dict.fromkeys(chosen))

    def _consent(self, event: Event, context: RequestContext, name: str) -> tuple[Consent, str]:
        answer, by = self._plugins.consent(event, context, name)
        if answer is Consent.DENIED:
            return answer, f"no consent ({by})"
        if answer is not None:
            return answer, ""
        default = self._settings.consent.default
        if default == "granted":
            return Consent.GRANTED, ""
        return Consent.DENIED, (
            f"no consent (nothing was decided, and CAPI['CONSENT']['DEFAULT'] is {default!r})"
        )

    def _for_one(
        self, event: Event, context: RequestContext, destination: Destination, consent: Consent
    ) -> Processed:
        name = destination.name
        try:
            event = self._plugins.filter(event, context, name)
            payload = destination.payload(event, consent, now=self._clock())
        except DropEvent as decision:
            return Processed(event, name, reason=decision.reason)
        except InvalidEvent as error:
            return Processed(event, name, reason=str(error))
        except (Exception, SystemExit) as error:
            _log.error(
                "destination %s failed on %s with %s", name, event.event_name, type(error).__name__
            )
            return Processed(event, name, reason=f"destination failed: {type(error).__name__}")
        return Processed(event, name, payload=payload)
