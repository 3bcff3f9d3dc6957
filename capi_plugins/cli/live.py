"""One real test event for each destination: ``capi check --live``."""

from __future__ import annotations

import email.utils
import uuid
from collections.abc import Iterator

import attrs

from capi_plugins import CapiError, Client, Consent, Event, TransportError, UserData
from capi_plugins.cli.doors import Problem
from capi_plugins.cli.outcomes import advice
from capi_plugins.destinations.base import Destination, Response, Verdict
from capi_plugins.outbox.base import Delivery

EVENT_NAME = "CapiCheck"
_CLOCK_OFF = 60.0


def try_destinations(client: Client, now: float) -> Iterator[Problem]:
    """Send a test event to every destination, past outbox and consent.

    Args:
        client: Whose destinations to try.
        now: Seconds since the epoch.
    """
    for destination in client.destinations.values():
        try:
            yield from _try(client, destination, now)
        except TransportError as error:
            hint = "look at the network between here and there: DNS, proxy, firewall"
            yield Problem("error", f"destination {destination.name}: {error}", hint)
        except CapiError as error:
            yield Problem("error", f"destination {destination.name}: {error}")


def _try(client: Client, destination: Destination, now: float) -> Iterator[Problem]:
    event = Event(
        event_name=EVENT_NAME,
        event_time=int(now),
        event_id=str(uuid.uuid4()),
        action_source="system_generated",
        user_data=UserData(email="capi-check@example.com", external_id="capi-check"),
    )
    payload = destination.payload(event, Consent.GRANTED, now=now)
    delivery = Delivery(
        destination=destination.name,
        event_name=event.event_name,
        event_id=event.event_id,
        payload=payload.body,
    )
    timeout = client.settings.delivery.timeout
    request = attrs.evolve(destination.request([delivery]), timeout=timeout)
    response = client.plugins.send(request, destination)
    outcome = destination.outcome(response, [delivery])
    name = f"destination {destination.name}"
    if outcome.verdict is Verdict.DELIVERED:
        trace = f", fbtrace_id {outcome.trace}" if outcome.trace else ""
        text = f"{name}: accepted a test event {EVENT_NAME!r} (HTTP {response.status}{trace})"
        yield Problem("ok", text)
    else:
        text = f"{name}: HTTP {response.status}, {outcome}"
        yield Problem("error", text, advice(outcome))
    yield from _clocks(name, response, now)


def _clocks(name: str, response: Response, now: float) -> Iterator[Problem]:
    try:
        theirs = email.utils.parsedate_to_datetime(response.headers["date"]).timestamp()
    except (KeyError, TypeError, ValueError, OverflowError):
        return
    if abs(theirs - now) > _CLOCK_OFF:
        text = f"{name}: its clock and ours are {abs(theirs - now):,.0f} seconds apart"
        yield Problem("error", text, "set the clock: event times would be wrong")
