"""What ``capi check`` looks at without sending anything."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence

from capi_plugins import Client, ConfigurationError, PluginError
from capi_plugins.cli.doors import Door, Problem
from capi_plugins.cli.health import look
from capi_plugins.cli.health_report import trouble
from capi_plugins.destinations.base import Destination
from capi_plugins.destinations.meta.destination import MetaDestination
from capi_plugins.destinations.meta.fields import GRAPH_VERSIONS
from capi_plugins.outbox import sqlite_version
from capi_plugins.outbox.sqlite import SqliteOutbox

_PAST = datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC)
"""An earlier clock is surely wrong, and Meta refuses its events."""
_SOON = datetime.timedelta(days=60)


def find(door: Door, now: float) -> tuple[Client | None, list[Problem]]:
    """Look at everything that can be looked at from here.

    Args:
        door: Where the settings are.
        now: Seconds since the epoch.

    Returns:
        The client, unless the settings are wrong, and what was found.
    """
    moment = datetime.datetime.fromtimestamp(now, datetime.UTC)
    try:
        client = door.client()
    except ConfigurationError as error:
        return None, [Problem("error", problem) for problem in error.problems]
    except PluginError as error:
        return None, [Problem("error", str(error))]
    found = [Problem("ok", f"{door.where} has no mistakes")]
    found += _settings(client)
    found += _plugins(client)
    found += _outbox(client, now)
    found += _celery(client)
    for destination in client.destinations.values():
        found += _destination(destination, moment.date())
    found.append(_clock(moment))
    found += _adapter(door)
    return client, found


def _settings(client: Client) -> Iterator[Problem]:
    settings = client.settings
    if not settings.enabled:
        yield Problem("warn", "CAPI['ENABLED'] is False: events are accepted and nothing leaves")
    if not client.has_destinations:
        yield Problem(
            "warn",
            "CAPI['DESTINATIONS'] is empty: events are accepted and nothing leaves",
            "add a destination: {'meta': {'DATASET_ID': ..., 'ACCESS_TOKEN': ...}}",
        )
        return
    if settings.consent.default != "granted" and not _consent_is_read(client):
        yield Problem(
            "warn",
            f"CAPI['CONSENT']['DEFAULT'] is {settings.consent.default!r} and no banner is read: "
            "only events that bring their own consent are sent",
            "name your consent banner in CAPI['CONSENT']['SOURCES'], or write a capi_consent hook",
        )


def _consent_is_read(client: Client) -> bool:
    return bool(client.settings.consent.sources) or any(
        "capi_consent" in plugin.hooks and plugin.source != "built-in"
        for plugin in client.plugins.loaded()
    )


def _plugins(client: Client) -> Iterator[Problem]:
    names = [plugin.name for plugin in client.plugins.loaded()]
    yield Problem("ok", f"plugins: {', '.join(names)}")
    events = sorted({trigger.event for trigger in client.triggers.all})
    yield Problem("ok", f"triggers for: {', '.join(events) or 'nothing'}")


def _outbox(client: Client, now: float) -> Iterator[Problem]:
    delivery = client.settings.delivery
    try:
        outbox = client.delivering.outbox
        stats = outbox.stats()
        health = look(client, outbox, now) if outbox.durable else None
    except Exception as error:
        yield Problem(
            "error",
            f"the outbox {delivery.outbox!r} cannot be opened: {type(error).__name__}",
            "look at CAPI['DELIVERY']['OUTBOX'], and run the migrations if it is a database",
        )
        return
    if stats.problem is None:
        counts = f"{stats.waiting:,} waiting, {stats.dead:,} dead"
        yield Problem("ok", f"outbox {delivery.outbox!r}, worker {delivery.worker!r}: {counts}")
    if health is not None:
        yield from trouble(client, health, now)
    if isinstance(outbox, SqliteOutbox):
        yield Problem("ok", sqlite_version.described())
        for each in sqlite_version.troubles():
            yield Problem("error" if each.useless else "warn", each.text, each.hint)


def _celery(client: Client) -> Iterator[Problem]:
    delivery = client.settings.delivery
    if delivery.worker != "celery":
        return
    from capi_plugins.celery_nudge import TASK, find_app  # noqa: PLC0415 - the extra may be missing

    try:
        tasks = find_app(delivery.celery_app or "").tasks
    except Exception as error:
        yield Problem(
            "error",
            f"CAPI['DELIVERY']['CELERY_APP'] cannot be imported: {type(error).__name__}",
            "until it can, events wait for the sweep",
        )
    else:
        if TASK not in tasks:
            yield Problem("error", f"CAPI['DELIVERY']['CELERY_APP'] has no task {TASK!r}")


def _destination(destination: Destination, today: datetime.date) -> Iterator[Problem]:
    name = f"destination {destination.name}"
    found: list[Problem] = []
    if isinstance(destination, MetaDestination):
        found += _version(destination, name, today)
    if destination.options.get("TEST_EVENT_CODE"):
        text = f"{name}: TEST_EVENT_CODE is set; Meta counts test events like any others"
        found.append(Problem("warn", text, "remove it in production"))
    defaults = {option.name: option.default for option in destination.OPTIONS}
    url = destination.options.get("API_URL")
    if url and url != defaults.get("API_URL"):
        found.append(Problem("warn", f"{name}: events go to {url}, not to Meta itself"))
    yield from found or [Problem("ok", f"{name}: options are in order")]


def _version(destination: MetaDestination, name: str, today: datetime.date) -> Iterator[Problem]:
    version = destination.api_version
    hint = f"remove API_VERSION, or set it to {next(iter(GRAPH_VERSIONS))!r}"
    if version not in GRAPH_VERSIONS:
        text = f"{name}: API_VERSION {version} is not one that this release knows"
        yield Problem("warn", text, hint)
        return
    ends = destination.api_version_ends
    if ends is None:
        return
    day = datetime.date.fromisoformat(ends)
    if day <= today:
        yield Problem("error", f"{name}: Meta stopped serving {version} on {ends}", hint)
    elif day - today <= _SOON:
        yield Problem("warn", f"{name}: Meta stops serving {version} on {ends}", hint)


def _clock(moment: datetime.datetime) -> Problem:
    shown = moment.isoformat(timespec="seconds")
    if moment < _PAST:
        text = f"the clock says {shown}, which cannot be"
        return Problem("error", text, "set it: Meta refuses events that are too old")
    return Problem("ok", f"the clock says {shown}")


def _adapter(door: Door) -> Sequence[Problem]:
    try:
        return list(door.checks())
    except Exception as error:
        return [Problem("error", f"the checks of {door.where} failed: {type(error).__name__}")]
