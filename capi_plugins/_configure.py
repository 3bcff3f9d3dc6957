"""From a ``CAPI`` dictionary to a client; every mistake is found and told at once."""

from __future__ import annotations

import importlib.util
import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from capi_plugins import nudging, signals
from capi_plugins._client import Client
from capi_plugins._delivery import Nudger
from capi_plugins._outbox_choice import OutboxFactory, choose_outbox
from capi_plugins._paths import parse_lookup
from capi_plugins._plugins import Plugins
from capi_plugins._triggers import Trigger, Triggers, parse_trigger, parse_user_data
from capi_plugins.builtin import builtin_plugins
from capi_plugins.context_store import Identify
from capi_plugins.delivery_settings import IN_PROCESSES, WORKERS
from capi_plugins.destinations.base import Destination, Option
from capi_plugins.exceptions import ConfigurationError, PluginError
from capi_plugins.settings import (
    DestinationSettings,
    Section,
    Settings,
    suggest,
)

if TYPE_CHECKING:
    from capi_plugins.segment.plugin import SegmentPlugin

_log = logging.getLogger("capi_plugins.configure")
_NO_RECIPES = ("page_view",)  # has a setting of its own, PAGE_VIEW
Nudging = Callable[[Settings, list[str]], Callable[[], Nudger] | None]
"""Reads how workers elsewhere are told that something waits, and receives a sentence for each
mistake. Returns what makes a nudger; None: nobody can be told."""


def configure(
    raw: object,
    *,
    environ: Mapping[str, str] | None = None,
    outboxes: Mapping[str, OutboxFactory] | None = None,
    nudgings: Mapping[str, Nudging] | None = None,
    recipes: Mapping[str, object] | None = None,
    user_data: Mapping[str, Any] | None = None,
    identify: Identify = lambda _: None,
    clock: Callable[[], float] = time.time,
) -> Client:
    """Make a client from settings.

    Args:
        raw: The ``CAPI`` dictionary.
        environ: Where secrets may stand (``CAPI_META_ACCESS_TOKEN``); default: the environment.
        outboxes: What an adapter adds to the values of ``CAPI["DELIVERY"]["OUTBOX"]``.
        nudgings: What an adapter adds to the values of ``CAPI["DELIVERY"]["WORKER"]``.
        recipes: Plugins that an adapter adds, by name; ``CAPI["RECIPES"]`` chooses among them.
        user_data: What an adapter reads from a user when ``CAPI["USER_DATA"]`` says nothing.
        identify: How an adapter tells rows of the host's database from other values.
        clock: Seconds since the epoch.

    Raises:
        ConfigurationError: Settings are wrong, with one sentence for each mistake.
        PluginError: A plugin cannot be used, and nothing else is wrong.
    """
    problems: list[str] = []
    settings = Settings.read(raw, problems)
    if not settings.user_data:
        settings = attrs.evolve(settings, user_data=user_data or {})
    made: list[Client] = []

    def failed(plugin: str, hook: str, error: Exception) -> None:
        for client in made:
            signals.tell(signals.plugin_failed, client, plugin=plugin, hook=hook, error=error)

    segment = _segment(settings, clock, problems)
    own = {"segment": segment} if segment else {}
    offered = recipes or {}
    chosen = {name: recipe for name, recipe in offered.items() if _is_chosen(name, settings)}
    try:
        loaded = Plugins(settings, {**chosen, **builtin_plugins(), **own}, failed)
        loaded.configure(settings, problems)
        types = loaded.destination_types()
        sources = loaded.sources()
    except PluginError as error:
        if not problems:
            raise
        raise ConfigurationError([*problems, str(error)]) from error
    destinations = _destinations(
        settings, types, os.environ if environ is None else environ, problems
    )
    triggers = _triggers(settings, loaded, offered, clock, problems)
    user_lookups = parse_user_data(settings, problems)
    make_nudger = _nudger(settings, nudgings or {}, problems)
    make_outbox = choose_outbox(settings, outboxes or {}, clock, problems)
    if problems:
        raise ConfigurationError(problems)
    client = Client(
        settings=settings,
        plugins=loaded,
        destinations=destinations,
        triggers=Triggers(triggers),
        sources=sources,
        outbox=make_outbox,
        user_lookups=user_lookups,
        identify=identify,
        clock=clock,
    )
    made.append(client)
    if make_nudger is not None:
        client.delivering.nudge_with(make_nudger)
        nudging.serve(client.delivering)
    if segment:
        segment.tap(client)
    return client


def _is_chosen(recipe: str, settings: Settings) -> bool:
    return settings.recipes == "auto" or recipe in settings.recipes


def _nudger(
    settings: Settings, offered: Mapping[str, Nudging], problems: list[str]
) -> Callable[[], Nudger] | None:
    worker = settings.delivery.worker
    if worker in IN_PROCESSES:
        return None
    known: dict[str, Nudging] = {"celery": _celery, **offered}
    read = known.get(worker)
    if read is not None:
        return read(settings, problems)
    if worker in WORKERS:
        problems.append(
            f"CAPI['DELIVERY']['WORKER'] {worker!r} is Django's, and this is not Django"
        )
    return None


def _celery(settings: Settings, problems: list[str]) -> Callable[[], Nudger] | None:
    path, app = "CAPI['DELIVERY']", settings.delivery.celery_app or ""
    if importlib.util.find_spec("celery") is None:
        needs = "needs Celery: pip install 'capi-plugins[celery]'"
        problems.append(f"{path}['WORKER'] 'celery' {needs}")
        return None
    if "." not in app:
        wanted = "the dotted path of your Celery app, such as 'shop.celery.app'"
        problems.append(f"{path}['CELERY_APP'] is required with the WORKER 'celery': {wanted}")
        return None
    # Only those who use it pay for Celery.
    from capi_plugins.celery_nudge import nudges  # noqa: PLC0415

    return lambda: nudges(app)


def _segment(
    settings: Settings, clock: Callable[[], float], problems: list[str]
) -> SegmentPlugin | None:
    if not settings.segment:
        return None
    # Most hosts have no such messages, and it would be an eighth of their import.
    from capi_plugins.segment import read_options  # noqa: PLC0415
    from capi_plugins.segment.plugin import SegmentPlugin  # noqa: PLC0415

    return SegmentPlugin(read_options(settings.segment, problems, parse_lookup), clock)


def _destinations(
    settings: Settings,
    types: Mapping[str, type[Destination]],
    environ: Mapping[str, str],
    problems: list[str],
) -> dict[str, Destination]:
    found = {}
    for name, wanted in settings.destinations.items():
        path = f"CAPI['DESTINATIONS'][{name!r}]"
        cls = types.get(wanted.kind)
        if cls is None:
            problems.append(
                f"{path}['KIND']: {wanted.kind!r} is not a kind of destination; "
                f"{suggest(wanted.kind, types)}"
            )
            continue
        before = len(problems)
        options = _options(cls, wanted, path, environ, problems)
        if len(problems) > before:
            continue
        try:
            found[name] = cls(name, options)
        except ConfigurationError as error:
            problems.extend(error.problems)
    return found


def _options(
    cls: type[Destination],
    wanted: DestinationSettings,
    path: str,
    environ: Mapping[str, str],
    problems: list[str],
) -> dict[str, Any]:
    section = Section(path, wanted.options, problems)
    section.take("KIND", str)
    section.take("EVENTS", (list, tuple))
    options = {
        option.name: _option(option, wanted.name, section, environ) for option in cls.OPTIONS
    }
    section.done()
    return options


def _option(option: Option, name: str, section: Section, environ: Mapping[str, str]) -> Any:
    value = section.take(option.name, option.types)
    written = section.data.get(option.name)
    absent = written is None or (isinstance(written, str) and not written)
    if absent and option.env:
        value = environ.get(_variable(name, option))
    if value is None or value == "":
        if option.required and absent:
            also = f", or set {_variable(name, option)} in the environment" if option.env else ""
            section.wrong(option.name, f"is required{also}")
        return option.default
    return value


def _variable(name: str, option: Option) -> str:
    plain = "".join(char if char.isalnum() else "_" for char in name).upper()
    return f"CAPI_{plain}_{option.name}"


def _triggers(
    settings: Settings,
    plugins: Plugins,
    offered: Iterable[str],
    clock: Callable[[], float],
    problems: list[str],
) -> list[Trigger]:
    found = []
    for number, data in enumerate(settings.triggers):
        trigger = parse_trigger(data, f"CAPI['TRIGGERS'][{number}]", problems, clock)
        if trigger is not None:
            found.append(trigger)
    recipes = plugins.triggers(settings)
    if settings.recipes != "auto":
        names = {plugin for plugin, _ in recipes} | set(offered)
        problems.extend(
            f"CAPI['RECIPES'] names {name!r}, which is not a recipe for what is installed; "
            f"{suggest(name, names)}"
            for name in settings.recipes
            if name not in names
        )
        recipes = [item for item in recipes if item[0] in (*settings.recipes, *_NO_RECIPES)]
    taken = {trigger.moment for trigger in found} - {None}
    for plugin, rules in recipes:
        mistakes: list[str] = []
        parsed = [
            parse_trigger(data, f"{plugin}[{number}]", mistakes, clock)
            for number, data in enumerate(rules)
        ]
        if mistakes:
            _log.error("recipe %s is left out: %s", plugin, "; ".join(mistakes))
        else:
            found += [item for item in parsed if item is not None and item.moment not in taken]
    return [trigger for trigger in found if trigger.enabled]
