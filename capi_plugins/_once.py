"""One event for one thing a person did, where nothing of the host's business tells which it is.

Products are looked at again after every trip to the cart, and one login sends a signal of Django's
and one of the app that handles it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from capi_plugins._subjects import Subject, is_random
from capi_plugins._visitors import visitor_keys
from capi_plugins.context import RequestContext
from capi_plugins.context_store import key_of
from capi_plugins.event_data import changed
from capi_plugins.events import Event, is_empty

VISIT = 1800
"""Seconds in which looking at one product again is the same look; visits end after as long."""

_LOOKS = frozenset({"ViewContent"})

# Who stays the same longest comes first: sessions change when somebody signs in.
_KINDS = ("fbp", "user", "session", "address")


def once_a_visit(event: Event, context: RequestContext) -> Event:
    """Give a look at a product the id that all looks of the visitor at it have for a while.

    The id is the same in every process, and the outbox takes an id once.

    Args:
        event: The event; its id is replaced if nobody chose it.
        context: The request of the visitor.
    """
    if event.event_name not in _LOOKS or not is_random(event.event_id):
        return event
    what, who = _products(event), _visitor(context)
    if not what or who is None:
        return event
    digest = key_of("visit", who, what, event.event_time // VISIT)
    return changed(event, {"event_id": f"{event.event_name}.{digest}"})


def is_told_twice(event: Event, subject: Subject, others: Sequence[tuple[Event, Subject]]) -> bool:
    """Whether another trigger has made the same event of the same request.

    Same name, same person, same data, and ids that nobody chose. One trigger that fires twice, and
    code that tracks twice, mean two events.

    Args:
        event: The event.
        subject: What it is about, and which trigger made it.
        others: The events made before, and what they are about.
    """
    if subject.trigger is None or not others:
        return False
    person = _person(event)
    return bool(person) and any(
        other.event_name == event.event_name
        and about.trigger not in (None, subject.trigger)
        and is_random(event.event_id)
        and is_random(other.event_id)
        and _person(other) == person
        and other.custom_data == event.custom_data
        for other, about in others
    )


def _visitor(context: RequestContext) -> str | None:
    found = visitor_keys(context)
    address = (context.client_ip_address, context.client_user_agent)
    if None not in address:
        found["address"] = key_of("address", *address)
    return next((found[kind] for kind in _KINDS if kind in found), None)


def _person(event: Event) -> str | None:
    for name in ("external_id", "email"):
        value = getattr(event.user_data, name)
        if not is_empty(value):
            return f"{name} {value}"
    return None


def _products(event: Event) -> str:
    data = event.custom_data
    ids: Any = data.content_ids
    if is_empty(ids) and not is_empty(data.contents):
        ids = [_id_of(item) for item in data.contents or ()]
    if is_empty(ids):
        return ""
    several = ids if isinstance(ids, list | tuple) else [ids]
    return "\n".join(sorted(str(item) for item in several))


def _id_of(item: Any) -> object:
    return item.get("id") if isinstance(item, Mapping) else getattr(item, "id", None)
