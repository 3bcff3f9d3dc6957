"""What happens to one event between capture and outbox: route, consent, enrich, filter, payload."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence

import attrs

from capi_plugins._plugins import Plugins
from capi_plugins._visitors import holder_keys, look_of
from capi_plugins.consent import Consent
from capi_plugins.context import RequestContext
from capi_plugins.destinations.base import Destination, Payload
from capi_plugins.events import Event
from capi_plugins.exceptions import DropEvent, InvalidEvent
from capi_plugins.leaving import is_failure
from capi_plugins.request_owner import Owner, owner_of
from capi_plugins.settings import Settings

_log = logging.getLogger("capi_plugins.pipeline")
_HELD = "held until the visitor decides"


@attrs.frozen
class Processed:
    """What one destination gets of one event.

    Attributes:
        event: The event as this destination sees it.
        destination: Name of the destination; None: no destination wants or may have the event.
        payload: What is to be sent, or None when the event was dropped.
        reason: Why it was dropped, or is not sent yet.
        held: What is to be sent if the visitor consents, and what if the visitor limits the use of
            data; None unless the event has to wait for that.
    """

    event: Event
    destination: str | None
    payload: Payload | None = None
    reason: str | None = None
    held: tuple[Payload, Payload] | None = None


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
        allowed: list[tuple[Destination, Consent | None]] = []
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

    def allows(self, context: RequestContext, name: str) -> bool:
        """Whether a destination may know the visitor; asked as for a page view.

        Args:
            context: The visitor's request.
            name: Name of the destination.
        """
        consent, _ = self._consent(look_of(context), context, name)
        return consent in (Consent.GRANTED, Consent.LIMITED)

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
        allowed = [pair for pair in found if pair[1] in (Consent.GRANTED, Consent.LIMITED)]
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

    def _consent(
        self, event: Event, context: RequestContext, name: str
    ) -> tuple[Consent | None, str]:
        """Return what holds, and why it is a refusal; None: what the visitor will decide."""
        answer, by = self._plugins.consent(event, context, name)
        if answer is Consent.DENIED:
            return answer, f"no consent ({by})"
        if answer is not None:
            return answer, ""
        default = self._settings.consent.default
        if default == "granted":
            return Consent.GRANTED, ""
        if default == "denied":
            return Consent.DENIED, (
                "no consent (nothing was decided, and CAPI['CONSENT']['DEFAULT'] is 'denied')"
            )
        staff_are_visitors = not self._settings.exclude.staff
        if owner_of(context, staff_are_visitors=staff_are_visitors) is not Owner.SHOPPER:
            return Consent.DENIED, (
                "no consent (nothing was decided, and it is not the visitor's own request, so "
                "there is nobody to hold it for)"
            )
        if not holder_keys(context):
            return Consent.DENIED, (
                "no consent (nothing was decided, and nothing tells this visitor from others, so "
                "it cannot be held)"
            )
        return None, ""

    def _for_one(
        self,
        event: Event,
        context: RequestContext,
        destination: Destination,
        consent: Consent | None,
    ) -> Processed:
        name = destination.name
        try:
            event = self._plugins.filter(event, context, name)
            now = self._clock()
            payload = destination.payload(event, consent or Consent.GRANTED, now=now)
            if consent is None:
                limited = destination.payload(event, Consent.LIMITED, now=now)
                return Processed(event, name, reason=_HELD, held=(payload, limited))
        except DropEvent as decision:
            return Processed(event, name, reason=decision.reason)
        except InvalidEvent as error:
            return Processed(event, name, reason=str(error))
        except BaseException as error:
            if not is_failure(error):
                raise
            _log.error(
                "destination %s failed on %s with %s", name, event.event_name, type(error).__name__
            )
            return Processed(event, name, reason=f"destination failed: {type(error).__name__}")
        return Processed(event, name, payload=payload)
