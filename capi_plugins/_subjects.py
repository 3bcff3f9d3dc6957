"""What an event is about: the keys under which the context store knows its shopper."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from capi_plugins._paths import NOWHERE, Lookup, resolve, walk
from capi_plugins._triggers import Trigger
from capi_plugins.context_store import Identify, Row, key_of
from capi_plugins.event_data import NOBODY
from capi_plugins.events import Event, UserData

_RANDOM = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LONGEST = 200
_IDENTIFYING = ("external_id", "email", "phone")


def _keys(subject: Any) -> tuple[str, ...]:
    rows = [key_of("row", row.model, row.key) for row in subject.rows]
    return tuple(dict.fromkeys([*rows, *subject.others]))


@attrs.frozen(kw_only=True)
class Subject:
    """What an event is about.

    Attributes:
        rows: Rows of the host's database: the order, the subscription.
        others: Keys of what else tells it: the event's id, the order's number.
        user: Who it is about, as far as that identifies a person.
        trigger: Where the trigger stands that made it; None: no trigger did.
        fresh: Whether it came into being just now, so that nothing kept of it before is meant.
        known_as: The keys, the most certain ones first.
    """

    rows: tuple[Row, ...] = ()
    others: tuple[str, ...] = ()
    user: UserData = attrs.field(default=NOBODY, repr=False)
    trigger: str | None = None
    fresh: bool = False
    known_as: tuple[str, ...] = attrs.field(
        init=False, default=attrs.Factory(_keys, takes_self=True)
    )


def subject_of(
    trigger: Trigger, offer: Mapping[str, Any], identify: Identify, *, fresh: bool
) -> Subject:
    """Tell what the event of a trigger is about, whether there is one or not.

    That is every row on the way of ``EVENT_ID``'s path (``order.number`` passes the order), the
    ``instance`` of a model trigger, what ``CONTEXT`` leads to, the event's id and the order's.

    Args:
        trigger: The trigger.
        offer: What its paths may start at.
        identify: Tells rows from other values.
        fresh: Whether the row of a model trigger was just made.
    """
    passed: list[Any] = [offer.get("instance")] if trigger.on == "model" else []
    for path in trigger.event_id.paths if trigger.event_id else ():
        passed += walk(path, offer)[:-1]
    named = list(_values(trigger.context, offer))
    rows = [row for row in map(identify, [*passed, *named]) if row and row.key is not None]
    others: list[str] = []
    if text := _text(trigger.event_id, offer):
        others.append(key_of("event", f"{trigger.event}.{text}"))
    if text := _text(trigger.custom_data.get("order_id"), offer):
        others.append(key_of("order", text))
    for value in named:
        if issubclass(type(value), str | int) and 0 < len(str(value)) < _LONGEST:
            others += [key_of("value", value), key_of("session", value)]
    known = [name for name in _IDENTIFYING if name in trigger.user_data]
    found = {name: trigger.user_data[name].find(offer, []) for name in known}
    user = UserData(**found) if found else NOBODY
    return Subject(
        rows=tuple(rows), others=tuple(others), user=user, trigger=trigger.where, fresh=fresh
    )


def subject_of_event(event: Event) -> Subject:
    """Tell what an event is about that no trigger made.

    Args:
        event: The event.
    """
    others: list[str] = []
    if not is_random(event.event_id):
        others.append(key_of("event", event.event_id))
    order = event.custom_data.order_id
    if isinstance(order, str | int) and order:
        others.append(key_of("order", order))
    return Subject(others=tuple(others), user=event.user_data)


def is_random(event_id: str) -> bool:
    """Whether nobody chose an id, so that nothing else will ever have it."""
    return _RANDOM.fullmatch(event_id) is not None


def _text(lookup: Lookup | None, offer: Mapping[str, Any]) -> str | None:
    value = lookup.find(offer, []) if lookup else None
    return None if value is None else str(value)


def _values(lookup: Lookup | None, offer: Mapping[str, Any]) -> Iterator[Any]:
    for path in lookup.paths if lookup else ():
        value = resolve(path, offer)
        if value is not None and value is not NOWHERE:
            yield value
