"""The groups of fields of an event: who, what, and in which app.

The values hold what they are given. Whether a value can be used is the destination's question,
because a bad field must cost the field and never the event.

A value keeps what it is given and nothing else: of forty fields an event has a dozen, and what is
not there need not be stored, copied, asked for or passed over. The rest are the class's own Nones.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Self, TypeVar

import attrs

T = TypeVar("T")

Text = str | Sequence[str] | None
"""A match key: one value, or several of the same person."""
Number = int | float | str | None
"""Strings hold decimals; ``decimal.Decimal`` is taken too."""
Flag = bool | int | None

_MOST_PROPERTIES = 1000
_NO_PROPERTIES: Mapping[str, Any] = MappingProxyType({})
_SIZED = (str, Sequence, Mapping)


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
    """Names and filling, shared by the groups of fields below."""

    @classmethod
    @functools.cache
    def names(cls) -> tuple[str, ...]:
        """The names of the fields, in order."""
        return tuple(field.name for field in attrs.fields(cls))  # type: ignore[arg-type]

    def fill(self, other: Self | Mapping[str, Any]) -> Self:
        """Return a copy with the values of ``other`` where there are none; in mappings too.

        Args:
            other: Another one, or values by the names of the fields.

        Raises:
            TypeError: A name is no field's.
        """
        changes: dict[str, Any] = {}
        values = self.__dict__
        given = other if isinstance(other, Mapping) else other.__dict__
        if given is other and (unknown := given.keys() - self.names()):
            raise TypeError(f"{min(unknown)} is not a field")
        for name, theirs in given.items():
            if theirs is None or is_empty(theirs):
                continue
            mine = values.get(name)
            if mine is None or is_empty(mine):
                changes[name] = theirs
            elif isinstance(mine, Mapping) and isinstance(theirs, Mapping):
                held = {key: value for key, value in mine.items() if not is_empty(value)}
                changes[name] = {**theirs, **held}
        return changed(self, changes) if changes else self


def keeping_what_is_given(cls: type[T]) -> type[T]:
    """Let instances of an attrs class hold what they are given, and the class the other defaults.

    Defaults that a factory makes or a converter reads are held too; validators see what is given.
    """
    fields = attrs.fields(cls)  # type: ignore[arg-type]
    names = frozenset(field.name for field in fields)
    converted = [
        (field.name, field.converter, _default(field)) for field in fields if field.converter
    ]
    validated = [field for field in fields if field.validator]
    hold = object.__setattr__

    @functools.wraps(cls.__init__)
    def init(self: T, /, **given: Any) -> None:
        if not names.issuperset(given):
            raise TypeError(f"{min(given.keys() - names)} is not a field of {cls.__name__}")
        for name, convert, default in converted:
            given[name] = convert(given[name] if name in given else default())
        for field in validated:
            if field.name in given:
                field.validator(self, field, given[field.name])
        hold(self, "__dict__", given)

    for field in fields:
        if not field.converter:
            setattr(cls, field.name, field.default)
    setattr(cls, "__init__", init)  # noqa: B010 - type checkers are to see attrs' own
    return cls


def _default(field: attrs.Attribute[Any]) -> Callable[[], Any]:
    make: Callable[[], Any] | None = getattr(field.default, "factory", None)
    if make is not None:
        return make

    def default() -> Any:
        if field.default is attrs.NOTHING:
            raise TypeError(f"{field.name} is missing")
        return field.default

    return default


def changed(value: T, changes: Mapping[str, Any]) -> T:
    """Return a copy of a value of this module or an event, with other values in some fields.

    What ``attrs.evolve`` does, without running converters over fields that have been through them:
    every event is copied a few times on its way.

    Args:
        value: The value.
        changes: Field names and values, in the form in which the class keeps them.
    """
    copy = object.__new__(type(value))
    copy.__dict__.update(value.__dict__)
    copy.__dict__.update(changes)
    return copy


def is_empty(value: object) -> bool:
    """Whether a field holds nothing: None, or an empty string, list or mapping."""
    if type(value) is str:
        return not value
    return value is None or (isinstance(value, _SIZED) and not value)


@keeping_what_is_given
@attrs.frozen(kw_only=True, slots=False)
class UserData(_Fields):
    """Who: the match keys. Nothing here is ever part of a ``repr``.

    Each of the fields Meta wants hashed may be a list of values of one person, and a value that
    already is a SHA-256 in hex passes as it is. ``fbclid`` is the click id of the landing URL, for
    hosts that have it without the ``_fbc`` cookie; ``fbclid_time`` is when it was seen (seconds,
    milliseconds or ISO 8601).

    Source: Meta's page *Customer Information Parameters*; ``f5first``, ``f5last``, ``fi``,
    ``dobd``, ``dobm`` and ``doby`` are known from Meta's Business SDK only.
    """

    # In the order of the wire: the Meta destination reads them in one pass.
    country: Text = _private()
    email: Text = _private()
    first_name: Text = _private()
    last_name: Text = _private()
    date_of_birth: Text = _private()
    gender: Text = _private()
    city: Text = _private()
    state: Text = _private()
    zip: Text = _private()
    external_id: Text = _private()
    phone: Text = _private()
    client_ip_address: str | None = _private()
    client_user_agent: str | None = _private()
    fbp: str | None = _private()
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
    partner_id: str | None = _private()
    partner_name: str | None = _private()
    f5first: str | None = _private()
    f5last: str | None = _private()
    fi: str | None = _private()
    dobd: str | None = _private()
    dobm: str | None = _private()
    doby: str | None = _private()
    fbc: str | None = _private()
    fbclid: str | None = _private()
    fbclid_time: int | float | str | None = _private()


NOBODY = UserData()
"""Whom nothing is known of."""


@keeping_what_is_given
@attrs.frozen(kw_only=True, slots=False)
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


@keeping_what_is_given
@attrs.frozen(kw_only=True, slots=False)
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
        """Build from a flat mapping; keys that are no field become ``properties``.

        Of more than a thousand such keys the first thousand are taken: a request must not wait for
        the copy of a million, and no destination takes as many.
        """
        names = cls.names()
        known = {name: data[name] for name in names if name in data}
        given = known.pop("properties", None)
        most = _MOST_PROPERTIES + len(names)
        first = itertools.islice(data.items(), most)
        rest = {str(key): value for key, value in first if key not in _OF_CUSTOM_DATA}
        if isinstance(given, Mapping):
            first = itertools.islice(given.items(), most)
            rest = {**{str(key): value for key, value in first}, **rest}
        return cls(**known, properties=rest)


_OF_CUSTOM_DATA = frozenset(CustomData.names())


@keeping_what_is_given
@attrs.frozen(kw_only=True, slots=False)
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
