"""A call of PostHog's client as a Segment message.

Source: PostHog's *Python* library; the properties are those of its event schema.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from capi_plugins.segment.message import mapping, text

_PAGE, _SCREEN = "$pageview", "$screen"
_PERSON = ("$set", "$set_once")


def posthog_message(
    method: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any
) -> dict[str, Any] | None:
    """Return the message of a call of ``capture``, or None for PostHog's own events.

    Args:
        method: ``Client.capture``, whose arguments changed places between versions.
        args: The arguments given by place, without the client.
        kwargs: Those given by name.
        result: The event's id; in old versions whether it was taken, and the message.
    """
    if result is None or result is False:
        # Switched off, or kept back by the host's own before_send.
        return None
    bound = inspect.signature(method).bind_partial(None, *args, **kwargs).arguments
    given = {**bound, **bound.get("kwargs", {})}
    event = text(given.get("event"))
    if event is None or (event.startswith("$") and event not in (_PAGE, _SCREEN)):
        return None
    properties = dict(mapping(given.get("properties")))
    names = {key: value for key, value in properties.items() if not str(key).startswith("$")}
    message: dict[str, Any] = {
        "type": {_PAGE: "page", _SCREEN: "screen"}.get(event, "track"),
        "event": event,
        "messageId": _id(given, result),
        "properties": names,
        "context": _context(properties),
    }
    if (timestamp := given.get("timestamp")) is not None:
        message["timestamp"] = getattr(timestamp, "isoformat", lambda: timestamp)()
    person = given.get("distinct_id")
    if person is None:
        person = _of_context()
    named = properties.get("$process_person_profile") is not False
    message["userId" if named else "anonymousId"] = person
    return message


def _id(given: Mapping[str, Any], result: Any) -> str | None:
    if isinstance(result, tuple):
        return text(mapping(result[-1]).get("uuid")) or text(str(given.get("uuid") or ""))
    return text(str(result))


def _context(properties: Mapping[str, Any]) -> dict[str, Any]:
    traits: dict[str, Any] = {}
    for name in reversed(_PERSON):
        traits |= mapping(properties.get(name))
    page = {
        "url": properties.get("$current_url"),
        "referrer": properties.get("$referrer"),
    }
    return {
        "ip": properties.get("$ip"),
        "userAgent": properties.get("$raw_user_agent") or properties.get("$useragent"),
        "page": {name: value for name, value in page.items() if value},
        "traits": traits,
        "library": {"name": "posthog-python"},
    }


def _of_context() -> str | None:
    """Return the person that PostHog's own context names."""
    try:
        from posthog.contexts import get_context_distinct_id  # noqa: PLC0415 - the host's library

        return text(get_context_distinct_id())
    except Exception:
        return None
