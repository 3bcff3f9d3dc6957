"""An event: one thing a person did, in neutral words.

The values hold what they are given. Whether a value can be used is the destination's question,
because a bad field must cost the field and never the event.
"""

from __future__ import annotations

import datetime
import time
import uuid
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Self

import attrs

from capi_plugins.consent import Consent
from capi_plugins.exceptions import InvalidEvent

Text = str | Sequence[str] | None
"""A match key: one value, or several of the same person."""
Number = int | float | str | None
"""Strings hold decimals; ``decimal.Decimal`` is taken too."""
Flag = bool | int | None

_NO_PROPERTIES: Mapping[str, Any] = MappingProxyType({})
# Meta's oldest sensible second is 2001; anything above this is milliseconds (year 5138 in seconds).
_MILLISECONDS_FROM = 100_000_000_000


@attrs.frozen
class FieldNote:
    """A field that was left out, and why.

    Attributes:
        field: Dotted path, in neutral names: ``user_data.email``.
        reason: One clause that never contains the value.
    """

    field: str
    reason: str


def _private(default: Any = None) -> Any:
    return attrs.field(default=default, repr=False)


class _Fields:
    """Names, filling and emptiness shared by the groups of fields below."""

    __slots__ = ()

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The names of the fields, in order."""
        return tuple(field.name for field in attrs.fields(cls))  # type: ignore[arg-type]

    def fill(self, other: Self) -> Self:
        """Return a copy in which the empty fields have the values of ``other``."""
        missing = {
            name: value
            for name in _field_names(type(self))
            if is_empty(getattr(self, name)) and not is_empty(value := getattr(other, name))
        }
        return attrs.evolve(self, **missing) if missing else self  # type: ignore[misc]


_NAMES: dict[type, tuple[str, ...]] = {}


def _field_names(cls: type[_Fields]) -> tuple[str, ...]:
    names = _NAMES.get(cls)
    if names is None:
        names = _NAMES[cls] = cls.names()
    return names


def is_empty(value: object) -> bool:
    """Whether a field holds nothing: None, or an empty string, list or mapping."""
    return value is None or (isinstance(value, str | Sequence | Mapping) and not value)


@attrs.frozen(kw_only=True)
class UserData(_Fields):
    """Who: the match keys. Nothing here is ever part of a ``repr``.

    Each of the fields Meta wants hashed may be a list of values of one person, and a value that
    already is a SHA-256 in hex passes as it is. ``fbclid`` is the click id of the landing URL, for
    hosts that have it without the ``_fbc`` cookie; ``fbclid_time`` is when it was seen (seconds,
    milliseconds or ISO 8601).

    Source: Meta's page *Customer Information Parameters*; ``f5first``, ``f5last``, ``fi``,
    ``dobd``, ``dobm`` and ``doby`` are known from Meta's Business SDK only.
    """

    email: Text = _private()
    phone: Text = _private()
    first_name: Text = _private()
    last_name: Text = _private()
    date_of_birth: Text = _private()
    gender: Text = _private()
    city: Text = _private()
    state: Text = _private()
    zip: Text = _private()
    country: Text = _private()
    external_id: Text = _private()
    client_ip_address: str | None = _private()
    client_user_agent: str | None = _private()
    fbc: str | None = _private()
    fbp: str | None = _private()
    fbclid: str | None = _private()
    fbclid_time: int | float | str | None = _private()
    subscription_id: str | None = _private()
    fb_login_id: str | int | None = _private()
    lead_id: str | int | None = _private()
    anon_id: str | None = _private()
    madid: str | None = _private()
    page_id: str | None = _private()
    page_scoped_user_id: str | None = _private()
    ctwa_clid: str | None = _private()
    whatsapp_business_account_id: str | None = _private()
    ig_account_id: str | None = _private()
    instagram_business_account_id: str | None = _private()
    ig_sid: str | None = _private()
    f5first: str | None = _private()
    f5last: str | None = _private()
    fi: str | None = _private()
    dobd: str | None = _private()
    dobm: str | None = _private()
    doby: str | None = _private()
    partner_id: str | None = _private()
    partner_name: str | None = _private()


@attrs.frozen(kw_only=True)
class Content(_Fields):
    """One line of ``contents``. Source: Meta's page *Custom Data Parameters*."""

    id: str | int | None = None
    quantity: int | None = None
    item_price: Number = None
    delivery_category: str | None = None
    title: str | None = None
    description: str | None = None
    brand: str | None = None
    category: str | None = None
    price: Number = None


@attrs.frozen(kw_only=True)
class CustomData(_Fields):
    """What: value, currency, contents.

    ``properties`` holds every other key: Meta's fields for travel, property and cars, and custom
    properties. Amounts are in major units (``142.52``).

    Source: Meta's page *Custom Data Parameters*.
    """

    value: Number = None
    currency: str | None = None
    content_ids: Sequence[str | int] | None = None
    content_type: str | None = None
    contents: Sequence[Content | Mapping[str, Any]] | None = None
    content_name: str | None = None
    content_category: str | None = None
    order_id: str | int | None = None
    num_items: int | None = None
    search_string: str | None = None
    status: str | bool | None = None
    predicted_ltv: Number = None
    net_revenue: Number = None
    delivery_category: str | None = None
    item_number: str | int | None = None
    store_data: Mapping[str, Any] | None = None
    lead_event_source: str | None = None
    event_source: str | None = None
    product_catalog_id: str | None = None
    user_bucket: str | None = None
    description: str | None = None
    level: str | None = None
    max_rating_value: Number = None
    success: Flag = None
    properties: Mapping[str, Any] = _NO_PROPERTIES

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Build from a flat mapping; keys that are no field become ``properties``."""
        names = _field_names(cls)
        known = {key: value for key, value in data.items() if key in names and key != "properties"}
        rest = {str(key): value for key, value in data.items() if key not in names}
        given = data.get("properties")
        if isinstance(given, Mapping):
            rest = {**{str(key): value for key, value in given.items()}, **rest}
        return cls(**known, properties=rest)


@attrs.frozen(kw_only=True)
class AppData(_Fields):
    """The app an event happened in; required for ``action_source`` ``app``.

    ``extinfo`` is either the sixteen values in Meta's order or a mapping of their names
    (``version``, ``app_package_name``, ``os_version``, ...). ``version`` is ``a2`` or ``i2``.

    Source: Meta's page *App Data Parameters*.
    """

    advertiser_tracking_enabled: Flag = None
    application_tracking_enabled: Flag = None
    extinfo: Sequence[str | int | float | None] | Mapping[str, Any] | None = _private()
    campaign_ids: str | None = None
    install_referrer: str | None = None
    installer_package: str | None = None
    url_schemes: Sequence[str] | None = None
    vendor_id: str | None = _private()
    windows_attribution_id: str | None = _private()
    consider_views: bool | None = None
    include_dwell_data: bool | None = None
    include_video_data: bool | None = None
    receipt_data: str | None = _private()


def parse_time(value: object) -> int | None:
    """Read a moment: seconds, milliseconds, ISO 8601 text or a ``datetime``; naive means UTC.

    Returns:
        Whole seconds since the epoch, or None when it cannot be read.
    """
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
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _event_name(value: object) -> str:
    if isinstance(value, str) and value.strip():
        return value.strip()
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
    if isinstance(value, bytes | bool) or value is None:
        return str(uuid.uuid4())
    try:
        return str(value).strip() or str(uuid.uuid4())
    except Exception:
        return str(uuid.uuid4())


def _now() -> int:
    return int(time.time())


def _check_group(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    expected = _GROUPS[attribute.name]
    if not (isinstance(value, expected) or (value is None and attribute.default is None)):
        raise InvalidEvent(
            f"{attribute.name} must be {expected.__name__}; Event.from_dict() takes plain mappings"
        )


@attrs.frozen(kw_only=True)
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

    Raises:
        InvalidEvent: There is no name, or the time cannot be read.

    Source: Meta's page *Server Event Parameters*.
    """

    event_name: str = attrs.field(converter=_event_name)
    event_time: int = attrs.field(factory=_now, converter=_event_time)
    event_id: str = attrs.field(default=None, converter=_event_id)
    action_source: str | None = None
    user_data: UserData = attrs.field(factory=UserData, validator=_check_group, repr=False)
    custom_data: CustomData = attrs.field(factory=CustomData, validator=_check_group, repr=False)
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
            if name in _GROUPS:
                group = value if isinstance(value, _GROUPS[name]) else _group(name, value)
                fuller = group if current is None else current.fill(group)
                if fuller is not current:
                    changes[name] = fuller
            elif is_empty(current) and not is_empty(value):
                changes[name] = value
        return attrs.evolve(self, **changes) if changes else self


_GROUPS: dict[str, type[UserData | CustomData | AppData]] = {
    "user_data": UserData,
    "custom_data": CustomData,
    "app_data": AppData,
}
_EVENT_NAMES = frozenset(field.name for field in attrs.fields(Event)) - {"notes"}


def _group(name: str, data: Mapping[str, Any]) -> UserData | CustomData | AppData:
    if name == "custom_data":
        return CustomData.from_dict(data)
    return _GROUPS[name](**data)


def _build_group(
    name: str, data: Mapping[Any, Any], notes: list[FieldNote]
) -> UserData | CustomData | AppData:
    known = {str(key): value for key, value in data.items()}
    if name != "custom_data":
        names = _field_names(_GROUPS[name])
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
