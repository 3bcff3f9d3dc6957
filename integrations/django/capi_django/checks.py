"""System checks: what ``manage.py check`` says about ``settings.CAPI``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.urls import URLPattern, URLResolver
from django.utils.module_loading import import_string

from capi_django import conf, views
from capi_django.trigger_checks import check_triggers, patterns
from capi_plugins import Client, sending_off
from capi_plugins.outbox import sqlite_version
from capi_plugins.trigger_rules import counts_pages_twice

TAG = "capi"
MIDDLEWARE = "capi_django.middleware.CapiMiddleware"
AUTHENTICATION = "django.contrib.auth.middleware.AuthenticationMiddleware"
ANSWERS_FIRST = (
    "django.middleware.cache.FetchFromCacheMiddleware",
    "django.middleware.cache.CacheMiddleware",
)
"""Middleware that answers requests which then reach nobody behind it."""


def register() -> None:
    """Register the checks with Django."""
    checks.register(check, TAG)
    checks.register(check_deployment, TAG, deploy=True)


def check(**_: Any) -> list[checks.CheckMessage]:
    """Check the settings, the triggers and the place of the middleware."""
    found: list[checks.CheckMessage] = [
        checks.Error(problem, hint="Correct settings.CAPI.", id="capi_django.E001")
        for problem in conf.problems()
    ]
    found += _middleware()
    client = conf.client()
    if client is not None:
        for rule in (check_triggers, _tasks, _mounted, _pages, _proxies, _sending):
            found += rule(client)
    return found


def check_deployment(**_: Any) -> list[checks.CheckMessage]:
    """Check what matters in production only."""
    client = conf.client()
    if client is None or settings.DEBUG:
        return []
    rules = (_nowhere, _test_events, _sandboxes, _tables, _memory, _sqlite)
    return [message for rule in rules for message in rule(client)]


def _nowhere(client: Client) -> Iterator[checks.CheckMessage]:
    configured = hasattr(settings, "CAPI")
    if not configured or (client.settings.enabled and not client.has_destinations):
        missing = "CAPI['DESTINATIONS']" if configured else "settings.CAPI"
        yield checks.Warning(
            f"{missing} is missing, and DEBUG is off: nothing is captured.",
            hint="Name a dataset in CAPI['DESTINATIONS'], or set CAPI['ENABLED'] to False.",
            id="capi_django.W018",
        )


def _test_events(client: Client) -> Iterable[checks.CheckMessage]:
    return [
        checks.Warning(
            f"CAPI['DESTINATIONS'][{name!r}]['TEST_EVENT_CODE'] is set, and DEBUG is off.",
            hint="Real conversions go to Meta's test page only; take TEST_EVENT_CODE out.",
            id="capi_django.W004",
        )
        for name, destination in client.destinations.items()
        if destination.options.get("TEST_EVENT_CODE")
    ]


def _sandboxes(client: Client) -> Iterator[checks.CheckMessage]:
    for name, destination in client.destinations.items():
        url = destination.options.get("API_URL")
        if isinstance(url, str) and sending_off.is_loopback(urlsplit(url).hostname or ""):
            yield checks.Warning(
                f"CAPI['DESTINATIONS'][{name!r}]['API_URL'] is this machine, and DEBUG is off.",
                hint="Real conversions go to a sandbox; take API_URL out.",
                id="capi_django.W014",
            )


def _memory(client: Client) -> Iterator[checks.CheckMessage]:
    outbox = client.settings.delivery.outbox
    if outbox in ("memory", "immediate"):
        yield checks.Warning(
            f"CAPI['DELIVERY']['OUTBOX'] is {outbox!r}, and DEBUG is off.",
            hint="Each process has a memory of its own: what waits there ends with it, and what "
            "another one knows of duplicates and of shoppers is not known. 'database' is shared.",
            id="capi_django.W012",
        )


def _sqlite(client: Client) -> Iterator[checks.CheckMessage]:
    if not client.settings.delivery.outbox.startswith("sqlite:"):
        return
    for each in sqlite_version.troubles():
        text, hint = f"{each.text}.", f"{each.hint}."
        if each.useless:
            yield checks.Error(text, hint=hint, id="capi_django.E006")
        else:
            yield checks.Warning(text, hint=hint, id="capi_django.W017")


def _proxies(client: Client) -> Iterator[checks.CheckMessage]:
    trusting = [
        name
        for name in ("USE_X_FORWARDED_HOST", "USE_X_FORWARDED_PORT", "SECURE_PROXY_SSL_HEADER")
        if getattr(settings, name, None)
    ]
    if trusting and not client.settings.trusted_proxies:
        yield checks.Warning(
            f"{' and '.join(trusting)} tells of a proxy, and CAPI['TRUSTED_PROXIES'] of none.",
            hint="Every visitor has the proxy's address. Set TRUSTED_PROXIES to the number of "
            "proxies, or to their networks. If something of yours corrects REMOTE_ADDR, silence "
            "this check.",
            id="capi_django.W010",
        )


def _sending(_: Client) -> Iterator[checks.CheckMessage]:
    why = sending_off.why_off()
    if why and sending_off.test_runner() is None:
        yield checks.Warning(
            f"Nothing is sent: {why}.",
            hint=f"Take {sending_off.VARIABLE} out of the environment: it is for tests.",
            id="capi_django.W013",
        )


def _tables(client: Client) -> Iterator[checks.CheckMessage]:
    alias = conf.outbox_database(client)
    if alias is None:
        return
    from capi_django.database import missing_tables  # noqa: PLC0415 - models are not loaded before

    try:
        missing = missing_tables(alias)
        if not missing:
            return
        problem = f"lacks {', '.join(sorted(missing))}"
    except Exception as error:
        problem = f"cannot be reached ({type(error).__name__})"
    yield checks.Warning(
        f"Events are to be stored in the database {alias!r}, which {problem}.",
        hint=f"Run 'manage.py migrate capi_django --database {alias}'. While there is no table "
        "for what waits, events are in memory and end with their process; "
        "CAPI['DELIVERY']['OUTBOX'] 'memory' says that this is meant.",
        id="capi_django.W006",
    )


def _middleware() -> Iterator[checks.CheckMessage]:
    places = {name: place for place, name in reversed(list(enumerate(settings.MIDDLEWARE)))}
    ours = min((place for name, place in places.items() if _is_ours(name)), default=None)
    if ours is None:
        yield checks.Warning(
            "The middleware of capi_django is not in MIDDLEWARE.",
            hint=f"Add {MIDDLEWARE!r} after {AUTHENTICATION!r}: without it requests make no "
            "events, and events know nothing of the visitor.",
            id="capi_django.W001",
        )
    elif ours < places.get(AUTHENTICATION, -1):
        yield checks.Warning(
            f"{MIDDLEWARE!r} stands before {AUTHENTICATION!r} in MIDDLEWARE.",
            hint="Move it after AuthenticationMiddleware.",
            id="capi_django.W002",
        )
    if ours is not None:
        for name, place in places.items():
            if name in ANSWERS_FIRST and place < ours:
                yield checks.Warning(
                    f"{MIDDLEWARE!r} stands after {name!r} in MIDDLEWARE.",
                    hint="Move it before: pages from the cache make no events.",
                    id="capi_django.W015",
                )


def _is_ours(name: str) -> bool:
    if name == MIDDLEWARE:
        return True
    try:
        found = import_string(name)
    except ImportError:
        return False
    return isinstance(found, type) and issubclass(found, import_string(MIDDLEWARE))


def _tasks(client: Client) -> Iterator[checks.CheckMessage]:
    delivery = client.settings.delivery
    if delivery.worker != "tasks":
        return
    from capi_django.tasks_nudge import workless  # noqa: PLC0415 - Django 5.2 may have no tasks

    name = workless(delivery)
    if name is not None:
        yield checks.Warning(
            f"CAPI['DELIVERY']['WORKER'] is 'tasks', and TASKS[{delivery.task_backend!r}] is a "
            f"{name}, which has no workers.",
            hint="Name a backend with workers in CAPI['DELIVERY']['TASK_BACKEND']. This one is "
            "given nothing, and events wait until somebody runs 'manage.py capi deliver'.",
            id="capi_django.W007",
        )


def _mounted(client: Client) -> Iterator[checks.CheckMessage]:
    known = patterns() if client.sources else None
    if known is None or _is_mounted(known):
        return
    yield checks.Warning(
        f"Nobody can send to {', '.join(client.sources)}: the URLconf has no place for it.",
        hint="Add path('capi/', include('capi_django.urls')) to it.",
        id="capi_django.W008",
    )


def _pages(client: Client) -> Iterator[checks.CheckMessage]:
    if counts_pages_twice(client.settings):
        yield checks.Warning(
            "CAPI['PAGE_VIEW'] is on, and analytics.js tells of page views too.",
            hint="A page with analytics.page() makes two PageViews. Set CAPI['PAGE_VIEW'] to "
            "False, or say in CAPI['SEGMENT']['EVENTS'] what 'page' becomes: None is nothing.",
            id="capi_django.W016",
        )


def _is_mounted(known: Iterable[URLPattern | URLResolver]) -> bool:
    return any(
        _is_mounted(pattern.url_patterns)
        if isinstance(pattern, URLResolver)
        else pattern.callback is views.receive
        for pattern in known
    )
