"""``CAPI["SEGMENT"]``: what of the conversion a project wants different, and what comes in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import urlsplit

import attrs

from capi_plugins.events import UserData
from capi_plugins.section import Section
from capi_plugins.segment.ingest_options import IngestOptions, read_ingest_options
from capi_plugins.segment.spec import INTEGRATIONS, fold

ACTION_SOURCES = (
    "website",
    "app",
    "physical_store",
    "email",
    "phone_call",
    "chat",
    "system_generated",
    "business_messaging",
    "other",
)
_COUNTS = ("quantity", "lines", "none")
_PLACE = ("EVENT_TIME", "ACTION_SOURCE", "EVENT_SOURCE_URL")
_PATH = (str, list, tuple, Mapping)
_USER_FIELDS = frozenset(UserData.names())
_EMPTY: Mapping[str, Any] = {}


class Finder(Protocol):
    """Finds a value in what is offered: a path of the settings, already read."""

    def find(self, offer: Mapping[str, Any], lost: list[str]) -> Any:
        """Return the value, or None; paths that lead nowhere are added to ``lost``."""
        ...


ReadPath = Callable[[Any, str, list[str]], Finder]
"""Reads a path: as written, where it stands, and where sentences about mistakes go."""


@attrs.frozen(kw_only=True)
class EventMapping:
    """What the settings make of one Segment event.

    Attributes:
        event: Meta's name.
        event_id: Where the business key is; the event's id is ``<event>.<key>``.
        when: Where values are, and those they must have.
        place: Where ``event_time``, ``action_source`` and ``event_source_url`` are, by these names.
        user_data: ``UserData`` fields and where their values are.
        custom_data: ``CustomData`` fields or custom properties and where their values are.
    """

    event: str
    event_id: Finder | None = None
    when: Sequence[tuple[Finder, Any]] = ()
    place: Mapping[str, Finder] = attrs.field(factory=dict)
    user_data: Mapping[str, Finder] = attrs.field(factory=dict)
    custom_data: Mapping[str, Finder] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Options:
    """How messages become events.

    Attributes:
        events: By folded name of the event, or type of the call: what it becomes. Empty: nothing.
        custom_events: Whether tracked events that are not in the spec of conversions are sent
            under their own names; or the folded names of those that are.
        properties: Whether properties without a meaning of their own are sent; or their names.
        product_id: Folded names of a product's id, the one of the catalogue first.
        value: Folded names of the amount of an order, and of events without products.
        product_value: Folded names of the amount of an event about one product.
        times_quantity: Whether that amount is multiplied by the quantity.
        num_items: ``quantity``: pieces; ``lines``: lines of the order; ``none``.
        currency: For amounts without a currency, None: those amounts are not sent.
        action_source: For events that do not tell where they happened.
        site_url: For events of the website that do not tell their page.
        consent_categories: Folded names of the consent categories that must all be given; empty:
            those that are about advertising, by their name.
        integrations: What ``integrations`` may call this destination, folded.
        limited_data_use: Whether every event is sent with Limited Data Use.
        ingest: Where messages come from besides files.
    """

    events: Mapping[str, tuple[EventMapping, ...]] = attrs.field(factory=dict)
    custom_events: bool | frozenset[str] = True
    properties: bool | frozenset[str] = True
    product_id: tuple[str, ...] = ("productid", "sku", "id", "itemid", "contentid")
    value: tuple[str, ...] = ("revenue", "value", "total")
    product_value: tuple[str, ...] = ("price", "value")
    times_quantity: bool = False
    num_items: str = "quantity"
    currency: str | None = None
    action_source: str = "other"
    site_url: str | None = None
    consent_categories: frozenset[str] = frozenset()
    integrations: frozenset[str] = INTEGRATIONS
    limited_data_use: bool = False
    ingest: IngestOptions = attrs.field(factory=IngestOptions)


def read_options(raw: object, problems: list[str], read_path: ReadPath) -> Options:
    """Read ``CAPI["SEGMENT"]``.

    Args:
        raw: As written.
        problems: Receives one sentence for each mistake.
        read_path: Reads the paths of ``EVENTS``; the engine is that of ``TRIGGERS``.
    """
    section = Section("CAPI['SEGMENT']", raw, problems)
    base = Options()
    options = Options(
        events=_events(section, read_path),
        custom_events=_names_or_bool(section, "CUSTOM_EVENTS"),
        properties=_names_or_bool(section, "PROPERTIES"),
        product_id=_names(section, "PRODUCT_ID") or base.product_id,
        value=_names(section, "VALUE") or base.value,
        product_value=_names(section, "PRODUCT_VALUE") or base.product_value,
        times_quantity=section.take("TIMES_QUANTITY", bool, default=False),
        num_items=_choice(section, "NUM_ITEMS", _COUNTS, base.num_items),
        currency=_currency(section),
        action_source=_choice(section, "ACTION_SOURCE", ACTION_SOURCES, base.action_source),
        site_url=_site_url(section),
        consent_categories=frozenset(_names(section, "CONSENT_CATEGORIES")),
        integrations=INTEGRATIONS | frozenset(_names(section, "INTEGRATIONS")),
        limited_data_use=section.take("LIMITED_DATA_USE", bool, default=False),
        ingest=read_ingest_options(section),
    )
    section.done()
    return options


def _texts(section: Section, key: str) -> tuple[str, ...]:
    value = section.take(key, (str, list, tuple), ())
    items = (value,) if isinstance(value, str) else tuple(value)
    if not all(isinstance(item, str) and item.strip() for item in items):
        section.wrong(key, "must be a text or a list of texts")
        return ()
    return items


def _names(section: Section, key: str) -> tuple[str, ...]:
    return tuple(fold(name) for name in _texts(section, key))


def _names_or_bool(section: Section, key: str) -> bool | frozenset[str]:
    value = section.take(key, (bool, str, list, tuple), default=True)
    return value if isinstance(value, bool) else frozenset(_names(section, key))


def _choice(section: Section, key: str, choices: tuple[str, ...], default: str) -> str:
    value: str = section.take(key, str, default)
    if value not in choices:
        section.wrong(key, f"must be one of {', '.join(map(repr, choices))}")
        return default
    return value


def _currency(section: Section) -> str | None:
    value: str | None = section.take("CURRENCY", str)
    if value is not None and not (value.isascii() and value.isalpha() and len(value) == 3):  # noqa: PLR2004 - ISO 4217
        section.wrong("CURRENCY", "must be an ISO 4217 code such as 'EUR'")
        return None
    return value


def _site_url(section: Section) -> str | None:
    value: str | None = section.take("SITE_URL", str)
    if value is None:
        return None
    try:
        parts = urlsplit(value)
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        good = False
    if not good:
        section.wrong("SITE_URL", "must be an absolute URL such as 'https://shop.example/'")
        return None
    return value


def _events(section: Section, read_path: ReadPath) -> dict[str, tuple[EventMapping, ...]]:
    found: dict[str, tuple[EventMapping, ...]] = {}
    outer = Section(section.at("EVENTS"), section.take("EVENTS", Mapping), section.problems)
    for name, written in outer.data.items():
        if written is None or written is False:
            found[fold(str(name))] = ()
            continue
        several = written if isinstance(written, list | tuple) else [written]
        mappings = []
        for number, item in enumerate(several):
            path = outer.at(name) + (f"[{number}]" if several is written else "")
            mappings.append(_mapping(Section(path, item, section.problems), read_path))
        found[fold(str(name))] = tuple(mappings)
    return found


def _mapping(section: Section, read_path: ReadPath) -> EventMapping:
    event = section.take("EVENT", str)
    if not event or not event.strip():
        section.wrong("EVENT", "is required: Meta's name of the event, such as 'Lead'")
    key = section.take("EVENT_ID", _PATH)
    mapped = EventMapping(
        event=event or "",
        event_id=None if key is None else read_path(key, section.at("EVENT_ID"), section.problems),
        when=[
            (read_path(path, section.at("WHEN"), section.problems), wanted)
            for path, wanted in section.take("WHEN", Mapping, _EMPTY).items()
        ],
        place={
            name.lower(): read_path(path, section.at(name), section.problems)
            for name in _PLACE
            if (path := section.take(name, _PATH)) is not None
        },
        user_data=section.named("USER_DATA", _USER_FIELDS, read_path),
        custom_data=section.named("CUSTOM_DATA", None, read_path),
    )
    section.done()
    return mapped
