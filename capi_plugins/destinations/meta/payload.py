"""One event as Meta wants it: the server event around ``user_data`` and ``custom_data``.

A field that cannot be used costs the field and leaves a note. What Meta would refuse raises
`InvalidEvent`, because it would take the whole batch with it.

Source: Meta's page *Server Event Parameters*.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

import orjson

from capi_plugins.consent import Consent
from capi_plugins.destinations.base import Payload
from capi_plugins.destinations.meta import (
    app_data,
    checks,
    custom_data,
    delayed,
    limited_data_use,
    user_data,
)
from capi_plugins.destinations.meta.fields import (
    ACTION_SOURCES,
    MESSAGING_CHANNELS,
)
from capi_plugins.destinations.meta.members import Readers, read_members
from capi_plugins.destinations.meta.scalars import (
    Unusable,
    flag,
    one_of,
    sendable,
    text,
)
from capi_plugins.events import Event, FieldNote
from capi_plugins.exceptions import InvalidEvent

MAX_EVENT_NAME = 200
MAX_SHORT_TEXT = 500
MAX_URL = 2000
MAX_EVENT_BYTES = 256_000
"""Largest encoded event; thousands of contents stay below."""

_URL = re.compile(
    r"(https?://)(?:[^/?#\s@]*@)?([^/?#\s@]+)((?:[/?][^#\s]*)?)(?:#.*)?", re.IGNORECASE | re.DOTALL
)
# What needs no second look: no fragment, no credentials, no spaces.
_PLAIN_URL = bytes(code for code in range(0x21, 0x7F) if chr(code) not in "#@")
# More than a clock may be wrong by.
_FUTURE_NOTED_FROM = 60
# Meta's page on messaging has none of them, and others leave them out as well.
_NOT_IN_MESSAGING = ("client_ip_address", "client_user_agent", "fbc", "fbp")
_BROWSER_KEYS = frozenset(["client_user_agent", "fbc", "fbp"])

Notes = list[FieldNote]


def build(
    event: Event, consent: Consent, *, now: float, default_country: str | None = None
) -> Payload:
    """Normalise, hash, check and encode one event.

    Args:
        event: The event.
        consent: GRANTED, or LIMITED for Limited Data Use.
        now: Seconds since the epoch.
        default_country: Alpha-2 code for phone numbers without a country code.

    Raises:
        InvalidEvent: Meta would refuse the event; the text says why.
    """
    notes: Notes = []
    event_time = _event_time(event.event_time, now, notes)
    who = user_data.build(
        event.user_data, notes, event_time=event_time, default_country=default_country
    )
    app = app_data.build(event.app_data, notes) if event.app_data is not None else {}
    action_source = _action_source(event, who, app, notes)
    expires_at = checks.expires_at(event_time, action_source, now=now)
    what = custom_data.build(
        event.custom_data, notes, customer_segmentation=event.customer_segmentation
    )
    wire: dict[str, Any] = {
        "event_name": _event_name(event.event_name),
        "event_time": event_time,
        "action_source": action_source,
        "user_data": who,
    }
    read_members(wire, event.__dict__, _READERS, notes)
    if what:
        wire["custom_data"] = what
    if app:
        wire["app_data"] = app
    if action_source == "business_messaging":
        _to_messaging(event, wire, notes)
    elif event.messaging_channel is not None:
        notes.append(FieldNote("messaging_channel", "belongs to business_messaging only"))
    if event.data_processing_options is not None or consent is not Consent.GRANTED:
        limited_data_use.put(wire, event, consent, notes)
    if event.original_event_data is not None or event.attribution_data is not None:
        delayed.put(wire, event, notes)
    checks.check(wire)
    body = orjson.dumps(wire)
    if len(body) > MAX_EVENT_BYTES:
        # It would crowd others out of a request.
        raise InvalidEvent(f"the event is larger than {MAX_EVENT_BYTES // 1000} kB")
    return Payload(body=body, expires_at=expires_at, notes=tuple(notes))


def _event_time(event_time: int, now: float, notes: Notes) -> int:
    if event_time <= now:
        return event_time
    if event_time > now + _FUTURE_NOTED_FROM:
        notes.append(FieldNote("event_time", "was in the future and is sent as now"))
    return int(now)


def url(value: object) -> str:
    """Read the URL of a page, without fragment and credentials.

    Raises:
        Unusable: It is not an http(s) URL, or too long even without its query.
    """
    given = (value if type(value) is str else text(value)).strip()
    if (
        given[:8] == "https://"
        and len(given) <= MAX_URL
        and given[8:9].isalnum()
        and given.isascii()
        and not given.encode().translate(None, _PLAIN_URL)
    ):
        return given
    match = _URL.fullmatch(given) if len(given) < 4 * MAX_URL else None
    if match is None or not given.isprintable():
        raise Unusable("is not an http or https URL, or too long")
    scheme, host, path = match.groups()
    result: str = scheme.lower() + host + path
    if len(result) > MAX_URL:
        result = result.partition("?")[0]
    if len(result) > MAX_URL:
        raise Unusable(f"is longer than {MAX_URL} characters")
    return result


def _event_name(value: str) -> str:
    try:
        return sendable(value, MAX_EVENT_NAME)
    except Unusable as problem:
        raise InvalidEvent(f"event_name {problem}") from None


def _short(value: object) -> str:
    return sendable(value, MAX_SHORT_TEXT)


_READERS: Readers = {
    "event_id": _short,
    "event_source_url": url,
    "referrer_url": url,
    "opt_out": flag,
    "advanced_measurement_table": _short,
}
_MESSAGING_READERS: Readers = {"messaging_channel": functools.partial(one_of, MESSAGING_CHANNELS)}


def _action_source(
    event: Event, who: Mapping[str, Any], app: Mapping[str, Any], notes: Notes
) -> str:
    given = event.action_source
    if given is not None and (type(given) is not str or given):
        if type(given) is str and given in ACTION_SOURCES:
            return given
        try:
            return one_of(ACTION_SOURCES, text(given).strip().replace("-", "_").replace(" ", "_"))
        except Exception:
            notes.append(FieldNote("action_source", "is not one Meta knows; it was derived"))
    if app:
        return "app"
    if event.messaging_channel is not None:
        return "business_messaging"
    if event.event_source_url is not None or not _BROWSER_KEYS.isdisjoint(who):
        return "website"
    return "other"


def _to_messaging(event: Event, wire: dict[str, Any], notes: Notes) -> None:
    channel = {"messaging_channel": event.messaging_channel}
    read_members(wire, channel, _MESSAGING_READERS, notes)
    who = wire["user_data"]
    for key in _NOT_IN_MESSAGING:
        if who.pop(key, None) is not None:
            notes.append(FieldNote(f"user_data.{key}", "is not sent with business_messaging"))
    for name in ("event_source_url", "referrer_url"):
        if wire.pop(name, None) is not None:
            notes.append(FieldNote(name, "is not sent with business_messaging"))
    account = who.get("instagram_business_account_id")
    if account is not None:
        # Meta's sample has this name, its parameter page and its answers the other.
        who.setdefault("ig_account_id", account)
        del who["instagram_business_account_id"]
