"""The settings: one dictionary, ``CAPI``, the same in every framework.

``Settings.read`` finds every mistake at once, with its path and a suggestion. Secrets stay inside
the destinations' own options and are never shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from types import MappingProxyType
from typing import Any, Self

import attrs

from capi_plugins.delivery_settings import DeliverySettings, read_delivery
from capi_plugins.place_settings import read_proxies, read_url_prefix
from capi_plugins.section import Section, suggest

__all__ = ["DeliverySettings", "Section", "Settings", "suggest"]

_EMPTY: Mapping[str, Any] = MappingProxyType({})
CONSENT_DEFAULTS = ("granted", "denied", "hold")
LONGEST_HOLD = 1440
"""Most minutes for which an event is held until the visitor decides."""
NEVER_COLLECTED = frozenset({"Purchase"})
"""Events that a page must not send: who can open it could make up sales."""
_GENERAL = ("KIND", "EVENTS")


@attrs.frozen(kw_only=True)
class DestinationSettings:
    """One entry of ``DESTINATIONS``.

    Attributes:
        name: Its key.
        kind: Which class of destination it is.
        events: Only these event names, or None for all.
        options: The options of that class, as written.
    """

    name: str
    kind: str
    events: frozenset[str] | None = None
    options: Mapping[str, Any] = attrs.field(default=_EMPTY, repr=False)


@attrs.frozen(kw_only=True)
class ConsentSettings:
    """``CONSENT``: what holds when no source answers, and which banners to read.

    Attributes:
        default: ``granted``, ``denied`` or ``hold``.
        sources: Names of consent sources, or dictionaries describing one.
        hold_minutes: How long an event is held until the visitor decides, minutes.
    """

    default: str = "denied"
    sources: tuple[str | Mapping[str, Any], ...] = ()
    hold_minutes: int = 30


@attrs.frozen(kw_only=True)
class ExcludeSettings:
    """``EXCLUDE``: whose requests make no events."""

    staff: bool = True
    bots: bool = True
    prefetch: bool = True
    paths: tuple[re.Pattern[str], ...] = ()
    emails: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class BrowserSettings:
    """``BROWSER``: what goes to the visitor's browser, where the visitor has consented.

    Attributes:
        cookies: Whether the cookies are set by which a destination knows a visitor.
        pixel: Whether the destinations' code is put into pages.
        collect: Whether pages may send events: the names, or True for the usual ones.
    """

    cookies: bool = True
    pixel: bool = False
    collect: bool | tuple[str, ...] = False


@attrs.frozen(kw_only=True)
class Settings:
    """The whole configuration, read and checked.

    Attributes:
        destinations: By name.
        consent: What holds when no source answers, and the sources.
        exclude: Whose requests make no events.
        page_view: Whether every page makes a PageView.
        triggers: The host's own triggers, as written.
        recipes: ``auto``, or the names of the recipes to use.
        user_data: ``UserData`` fields and where they are on the signed-in user.
        browser: What goes to the visitor's browser.
        delivery: Where deliveries wait and how they leave.
        context_days: How long the context store remembers a shopper; 0: it is off.
        trusted_proxies: Number of proxies, or their networks; see ``client_address``.
        plugins: Modules, objects or dotted paths, in order.
        disabled_plugins: Names of plugins that are not to be loaded.
        autoload: Whether installed plugins are loaded by themselves.
        plugin_options: Options by plugin name, as written.
        segment: How Segment messages become events, as written; see ``capi_plugins.segment``.
        journal: Folder in which is written down what becomes of events; ``auto``: where deliveries
            wait; None: nowhere.
        url_prefix: Below which path the sources are mounted where no URLconf says so: ``/capi``.
        enabled: False: everything is accepted and nothing leaves.
    """

    destinations: Mapping[str, DestinationSettings] = attrs.field(factory=dict)
    consent: ConsentSettings = attrs.field(factory=ConsentSettings)
    exclude: ExcludeSettings = attrs.field(factory=ExcludeSettings)
    page_view: bool = True
    triggers: tuple[Mapping[str, Any], ...] = ()
    recipes: str | tuple[str, ...] = "auto"
    user_data: Mapping[str, Any] = attrs.field(factory=dict)
    browser: BrowserSettings = attrs.field(factory=BrowserSettings)
    delivery: DeliverySettings = attrs.field(factory=DeliverySettings)
    context_days: float = 7.0
    trusted_proxies: int | tuple[str, ...] = 0
    plugins: tuple[Any, ...] = ()
    disabled_plugins: frozenset[str] = frozenset()
    autoload: bool = True
    plugin_options: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict, repr=False)
    segment: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    journal: str | None = "auto"
    url_prefix: str = "/capi"
    enabled: bool = True

    def options_for(self, plugin: str) -> Mapping[str, Any]:
        """Return the options the host wrote for a plugin below ``PLUGIN_OPTIONS``."""
        return self.plugin_options.get(plugin, _EMPTY)

    def user_paths(self, start: str) -> dict[str, Any]:
        """Return ``USER_DATA`` as paths from where a user is, for a trigger of a recipe.

        Args:
            start: Where the user is: ``user``, ``order.customer``.
        """
        return {name: _below(start, value) for name, value in self.user_data.items()}

    @classmethod
    def read(cls, raw: object, problems: list[str]) -> Self:
        """Read a ``CAPI`` dictionary.

        Args:
            raw: The dictionary; None counts as an empty one.
            problems: Receives one sentence for each mistake.

        Returns:
            The settings, with defaults where a value was wrong.
        """
        top = Section("CAPI", raw, problems)
        destinations = _destinations(top)
        settings = cls(
            destinations=destinations,
            consent=_consent(top, required=bool(destinations)),
            exclude=_exclude(top),
            page_view=top.take("PAGE_VIEW", bool, default=True),
            triggers=tuple(_mappings(top, "TRIGGERS")),
            recipes=_recipes(top),
            user_data=dict(top.take("USER_DATA", Mapping, _EMPTY)),
            browser=_browser(top),
            delivery=read_delivery(top),
            context_days=_context_days(top),
            trusted_proxies=read_proxies(top),
            plugins=tuple(top.take("PLUGINS", (list, tuple), ())),
            disabled_plugins=frozenset(top.strings("DISABLED_PLUGINS")),
            autoload=top.take("AUTOLOAD", bool, default=True),
            plugin_options=_plugin_options(top),
            segment=dict(top.take("SEGMENT", Mapping, _EMPTY)),
            journal=_journal(top),
            url_prefix=read_url_prefix(top),
            enabled=top.take("ENABLED", bool, default=True),
        )
        top.done()
        return settings


def _journal(top: Section) -> str | None:
    value = top.take("JOURNAL", (str, PurePath, bool), "auto")
    if value is False or ("JOURNAL" in top.data and not top.data["JOURNAL"]):
        return None
    if value in (True, "auto"):
        return "auto"
    if not PurePath(value).is_absolute():
        top.wrong(
            "JOURNAL",
            "must be 'auto', False, or the absolute path of a folder, the same in all processes",
        )
    return str(value)


def _below(start: str, value: Any) -> Any:
    if isinstance(value, str):
        return f"{start}.{value}"
    return [_below(start, item) for item in value] if isinstance(value, list | tuple) else value


def _mappings(section: Section, key: str) -> list[Mapping[str, Any]]:
    items: Sequence[Any] = section.take(key, (list, tuple), ())
    for number, item in enumerate(items):
        if not isinstance(item, Mapping):
            section.problems.append(f"{section.at(key)}[{number}] must be a dictionary")
    return [item for item in items if isinstance(item, Mapping)]


def _destinations(top: Section) -> dict[str, DestinationSettings]:
    outer = Section(top.at("DESTINATIONS"), top.take("DESTINATIONS", Mapping), top.problems)
    found = {}
    for name, data in outer.data.items():
        if not isinstance(name, str) or not name:
            outer.wrong(name, "must have a name")
            continue
        section = Section(outer.at(name), data, top.problems)
        kind = section.take("KIND", str, name)
        events = section.strings("EVENTS") if section.data.get("EVENTS") is not None else None
        options = {key: value for key, value in section.data.items() if key not in _GENERAL}
        found[name] = DestinationSettings(
            name=name,
            kind=kind,
            events=None if events is None else frozenset(events),
            options=options,
        )
    return found


def _consent(top: Section, *, required: bool) -> ConsentSettings:
    section = Section(top.at("CONSENT"), top.take("CONSENT", Mapping), top.problems)
    default = section.take("DEFAULT", str)
    choices = ", ".join(repr(choice) for choice in CONSENT_DEFAULTS)
    if default is None and "DEFAULT" not in section.data and required:
        section.wrong(
            "DEFAULT", f"is required: say what holds while the visitor has not decided ({choices})"
        )
    elif default is not None and default not in CONSENT_DEFAULTS:
        section.wrong("DEFAULT", f"must be one of {choices}")
        default = None
    sources = section.take("SOURCES", (list, tuple), ())
    for number, source in enumerate(sources):
        if not isinstance(source, str | Mapping):
            section.problems.append(
                f"{section.at('SOURCES')}[{number}] must be a name or a dictionary"
            )
    minutes = section.take("HOLD_MINUTES", int, 30)
    if not 1 <= minutes <= LONGEST_HOLD:
        section.wrong("HOLD_MINUTES", f"must be between 1 and {LONGEST_HOLD}")
        minutes = 30
    section.done()
    return ConsentSettings(
        default=default or "denied",
        hold_minutes=minutes,
        sources=tuple(source for source in sources if isinstance(source, str | Mapping)),
    )


def _exclude(top: Section) -> ExcludeSettings:
    section = Section(top.at("EXCLUDE"), top.take("EXCLUDE", Mapping), top.problems)
    lower = {str(key).lower(): key for key in section.data}
    # Lower case is what the documentation writes here; both are taken, so none is silently ignored.
    section.data = {name: section.data[key] for name, key in lower.items()}
    patterns = []
    for number, text in enumerate(section.strings("paths")):
        try:
            patterns.append(re.compile(text))
        except re.error as error:
            section.problems.append(
                f"{section.at('paths')}[{number}] is not a regular expression: {error}"
            )
    result = ExcludeSettings(
        staff=section.take("staff", bool, default=True),
        bots=section.take("bots", bool, default=True),
        prefetch=section.take("prefetch", bool, default=True),
        paths=tuple(patterns),
        emails=tuple(section.strings("emails")),
    )
    section.done()
    return result


def _recipes(top: Section) -> str | tuple[str, ...]:
    value = top.take("RECIPES", (str, list, tuple), "auto")
    if isinstance(value, str):
        if value != "auto":
            top.wrong("RECIPES", "must be 'auto' or a list of recipe names")
        return "auto"
    return tuple(top.strings("RECIPES"))


def _browser(top: Section) -> BrowserSettings:
    section = Section(top.at("BROWSER"), top.take("BROWSER", Mapping), top.problems)
    result = BrowserSettings(
        cookies=section.take("COOKIES", bool, default=True),
        pixel=section.take("PIXEL", bool, default=False),
        collect=_collect(section),
    )
    section.done()
    return result


def _collect(section: Section) -> bool | tuple[str, ...]:
    value = section.take("COLLECT", (bool, list, tuple), default=False)
    if isinstance(value, bool):
        return value
    names = tuple(section.strings("COLLECT"))
    for name in sorted(NEVER_COLLECTED.intersection(names)):
        section.wrong(
            "COLLECT",
            f"names {name!r}, which anybody could send who can open a page; use a trigger or "
            "track() on the server",
        )
    return tuple(name for name in names if name not in NEVER_COLLECTED)


def _context_days(top: Section) -> float:
    section = Section(top.at("CONTEXT_STORE"), top.take("CONTEXT_STORE", Mapping), top.problems)
    days = section.take("DAYS", (int, float), 7.0)
    if not 0 <= days <= 30:  # noqa: PLR2004
        section.wrong("DAYS", "must be between 0 (off) and 30")
    section.done()
    return float(days)


def _plugin_options(top: Section) -> dict[str, Mapping[str, Any]]:
    section = Section(top.at("PLUGIN_OPTIONS"), top.take("PLUGIN_OPTIONS", Mapping), top.problems)
    for name, options in section.data.items():
        if not isinstance(options, Mapping):
            section.wrong(name, "must be a dictionary")
    return {str(k): v for k, v in section.data.items() if isinstance(v, Mapping)}
