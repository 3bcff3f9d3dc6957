"""An event: one thing a person did, in neutral words."""

from __future__ import annotations

import datetime
import random
import time
from collections.abc import Mapping, Sequence
from typing import Any, Self

import attrs

from capi_plugins.consent import Consent
from capi_plugins.event_data import (
    NOBODY,
    AppData,
    Content,
    CustomData,
    FieldNote,
    Flag,
    Number,
    Text,
    UserData,
    changed,
    is_empty,
    keeping_what_is_given,
)
from capi_plugins.exceptions import InvalidEvent

__all__ = [
    "AppData",
    "Content",
    "CustomData",
    "Event",
    "FieldNote",
    "Flag",
    "Number",
    "Text",
    "UserData",
    "is_empty",
    "parse_time",
]

BROWSING = frozenset(
    {
        "PageView",
        "ViewContent",
        "ViewCategory",
        "Search",
        "FindLocation",
        "CustomizeProduct",
        "AddToWishlist",
        "AddToCart",
        "InitiateCheckout",
        "AddPaymentInfo",
    }
)
"""Events that tell what somebody looks at or tries. All others tell that something came about."""

# Meta's oldest sensible second is 2001; anything above this is milliseconds (year 5138 in seconds).
_MILLISECONDS_FROM = 100_000_000_000


def parse_time(value: object) -> int | None:
    """Read a moment: seconds, milliseconds, ISO 8601 text or a ``datetime``; naive means UTC.

    Returns:
        Whole seconds since the epoch, or None when it cannot be read.
    """
    if type(value) is int and 0 <= value < _MILLISECONDS_FROM:
        return value
    try:
        if isinstance(value, bool) or value is None:
            return None
        if isinstance(value, str):
            value = value.strip()
            try:
                value = float(value)
            except ValueError:
                value = datetime.datetime.fromisoformat(str(value))
        if isinstance(value, datetime.datetime):
            aware = value if value.tzinfo else value.replace(tzinfo=datetime.UTC)
            return int(aware.timestamp())
        if isinstance(value, datetime.date):
            return None
        seconds = float(value)  # type: ignore[arg-type]
        if abs(seconds) >= _MILLISECONDS_FROM:
            seconds /= 1000
        return int(seconds)
    except Exception:
        # Whatever an object of the host raises when it is looked at, it is no time.
        return None


def _event_name(value: object) -> str:
    if isinstance(value, str) and (name := value.strip()):
        return name
    raise InvalidEvent("event_name is missing: an event needs a name such as 'Purchase'")


def _event_time(value: object) -> int:
    seconds = parse_time(value)
    if seconds is None:
        raise InvalidEvent(
            "event_time cannot be read: use seconds, milliseconds or ISO 8601 "
            "('2026-11-22T10:00:00Z')"
        )
    return seconds


def _event_id(value: object) -> str:
    text = ""
    try:
        if value is not None and not isinstance(value, bytes | bool):
            text = str(value).strip()
    except Exception:
        # Whatever an object of the host raises when it is looked at, it is no id.
        text = ""
    # Not os.urandom(): a system call for every event, for an id that nobody has to guess. This
    # generator is seeded anew in a forked child.
    return text or f"{random.getrandbits(128):032x}"


def _now() -> int:
    return int(time.time())


def _check_group(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    expected = _GROUPS[attribute.name]
    # Not isinstance(): that asks the value, which may be an object of the host that raises.
    given = type(value)
    if given is not expected and not issubclass(given, (expected, type(attribute.default))):
        raise InvalidEvent(
            f"{attribute.name} must be {expected.__name__}; Event.from_dict() takes plain mappings"
        )


@keeping_what_is_given
@attrs.frozen(kw_only=True, slots=False)
class Event:
    """One thing a person did.

    Attributes:
        event_name: Standard (``Purchase``) or custom; case matters, it is part of deduplication.
        event_time: When it happened. Taken as seconds, milliseconds, ISO 8601 or ``datetime``,
            kept as whole seconds since the epoch. Default: now.
        event_id: The key by which Meta drops the browser's copy. Default: random.
        action_source: Where it happened: ``website``, ``app``, ``physical_store``, ``email``,
            ``phone_call``, ``chat``, ``system_generated``, ``business_messaging``, ``other``.
        user_data: Who.
        custom_data: What.
        app_data: The app, for ``action_source`` ``app``.
        event_source_url: URL of the page, for ``website``.
        referrer_url: The referrer of that page.
        opt_out: True: attribution only, no delivery optimisation.
        data_processing_options: ``["LDU"]`` or ``[]``.
        data_processing_options_country: 1 (USA) or 0 (Meta geolocates).
        data_processing_options_state: 0 or one of 1000 to 1013.
        original_event_data: The event a delayed one belongs to: ``event_name``, ``event_time``,
            ``order_id``, ``event_id``.
        customer_segmentation: One of Meta's nine values.
        messaging_channel: ``messenger``, ``whatsapp``, ``instagram``, for ``business_messaging``.
        attribution_data: For ``AppendAttribution``.
        advanced_measurement_table: For private measurement partners.
        consent: What the event's own origin says of consent; it counts like a consent source.
        notes: Fields that were left out while the event was made.
        trigger: Where the rule stands that made it; None: it was made otherwise.

    Raises:
        InvalidEvent: There is no name, or the time cannot be read.

    Source: Meta's page *Server Event Parameters*.
    """

    event_name: str = attrs.field(converter=_event_name)
    event_time: int = attrs.field(factory=_now, converter=_event_time)
    event_id: str = attrs.field(default=None, converter=_event_id)
    action_source: str | None = None
    # The empty groups are frozen, so that all events may share them.
    user_data: UserData = attrs.field(default=NOBODY, validator=_check_group, repr=False)
    custom_data: CustomData = attrs.field(default=CustomData(), validator=_check_group, repr=False)
    app_data: AppData | None = attrs.field(default=None, validator=_check_group)
    event_source_url: str | None = attrs.field(default=None, repr=False)
    referrer_url: str | None = attrs.field(default=None, repr=False)
    opt_out: Flag = None
    data_processing_options: Sequence[str] | None = None
    data_processing_options_country: int | None = None
    data_processing_options_state: int | None = None
    original_event_data: Mapping[str, Any] | None = None
    customer_segmentation: str | None = None
    messaging_channel: str | None = None
    attribution_data: Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    advanced_measurement_table: str | None = None
    consent: Consent | None = None
    notes: tuple[FieldNote, ...] = attrs.field(default=(), eq=False)
    trigger: str | None = attrs.field(default=None, eq=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, now: float | None = None) -> Self:
        """Build from plain mappings, as JSON gives them.

        Args:
            data: The attributes by name. What cannot be used costs the field and is told in
                ``notes``.
            now: The clock for a missing ``event_time``, seconds since the epoch.

        Raises:
            InvalidEvent: There is no name, the time cannot be read, or ``data`` is no mapping.
        """
        if not isinstance(data, Mapping):
            raise InvalidEvent("an event is an object with an 'event_name'")
        notes: list[FieldNote] = []
        fields: dict[str, Any] = {}
        for key, value in data.items():
            name = str(key)
            if value is None:
                continue
            if name in _GROUPS:
                if isinstance(value, _GROUPS[name]):
                    fields[name] = value
                elif isinstance(value, Mapping):
                    fields[name] = _build_group(name, value, notes)
                else:
                    notes.append(FieldNote(name, "is not an object"))
            elif name == "consent":
                fields["consent"] = _consent(value)
            elif name in _EVENT_NAMES:
                fields[name] = value
            else:
                notes.append(FieldNote(name, "is not a field of an event"))
        if now is not None:
            fields.setdefault("event_time", now)
        fields.setdefault("event_name", None)
        fields["notes"] = tuple(notes)
        return cls(**fields)

    def fill(self, **fields: Any) -> Self:
        """Return a fuller copy; what is already there is never overwritten.

        Args:
            **fields: Attributes by name; ``user_data``, ``custom_data`` and ``app_data`` fill
                field by field and may be mappings.
        """
        changes: dict[str, Any] = {}
        for name, value in fields.items():
            current = getattr(self, name)
            if value is None:
                continue
            if name in _GROUPS:
                given = value
                if not isinstance(value, _GROUPS[name]) and (current is None or name in _SORTED):
                    given = _group(name, value)
                fuller = given if current is None else current.fill(given)
                if fuller is not current:
                    changes[name] = fuller
            elif is_empty(current) and not is_empty(value):
                changes[name] = value
        return changed(self, changes) if changes else self


_GROUPS: dict[str, type[UserData | CustomData | AppData]] = {
    "user_data": UserData,
    "custom_data": CustomData,
    "app_data": AppData,
}
# Groups whose mappings hold more than their fields.
_SORTED = frozenset({"custom_data"})
_EVENT_NAMES = frozenset(field.name for field in attrs.fields(Event)) - {"notes", "trigger"}


def _group(name: str, data: Mapping[str, Any]) -> UserData | CustomData | AppData:
    if name == "custom_data":
        return CustomData.from_dict(data)
    return _GROUPS[name](**data)


def _build_group(
    name: str, data: Mapping[Any, Any], notes: list[FieldNote]
) -> UserData | CustomData | AppData:
    known = {str(key): value for key, value in data.items()}
    if name != "custom_data":
        names = _GROUPS[name].names()
        for key in [key for key in known if key not in names]:
            del known[key]
            notes.append(FieldNote(f"{name}.{key}", f"is not a field of {name}"))
    return _group(name, known)


def _consent(value: object) -> Consent:
    try:
        return value if isinstance(value, Consent) else Consent(str(value).strip().lower())
    except Exception:
        # Whatever it says, it does not say yes.
        return Consent.DENIED
