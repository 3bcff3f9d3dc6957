"""What ``flask capi check`` looks at: whether what the settings name is in this app."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

from flask import Flask

from capi_flask.installed import Installed
from capi_plugins import Client, Trigger, sending_off
from capi_plugins.cli.doors import Problem
from capi_plugins.settings import suggest
from capi_plugins.trigger_rules import counts_pages_twice, doubles, lacking, lost_attributes


def check(app: Flask, installed: Installed) -> Iterator[Problem]:
    """Look at an app and its settings.

    Args:
        app: The app.
        installed: What the extension keeps of it.
    """
    yield from (Problem("error", problem) for problem in installed.prepare())
    client = installed.client
    for trigger in client.triggers.all:
        yield from _trigger(app, trigger)
    for one, other in doubles(client.triggers.all):
        yield Problem(
            "warn",
            f"{one.where} and {other.where} both make {one.event} of one moment",
            "take one of them out, or give both the same EVENT_ID: Meta may count two",
        )
    if counts_pages_twice(client.settings):
        yield Problem(
            "warn",
            "CAPI['PAGE_VIEW'] is on, and analytics.js tells of page views too",
            "a page with analytics.page() makes two PageViews: set CAPI['PAGE_VIEW'] to False, or "
            "say in CAPI['SEGMENT']['EVENTS'] what 'page' becomes: None is nothing",
        )
    yield from _proxies(app, client)
    outbox = client.settings.delivery.outbox
    if outbox in ("memory", "immediate") and not (app.debug or app.testing):
        yield Problem(
            "warn",
            f"CAPI['DELIVERY']['OUTBOX'] is {outbox!r}, and the app is not in debug mode",
            "each process has a memory of its own: what waits there ends with it, and what "
            "another one knows of duplicates and of shoppers is not known. 'auto' is shared",
        )
    why = sending_off.why_off()
    if why:
        yield Problem(
            "warn", f"nothing is sent: {why}", f"take {sending_off.VARIABLE} out: it is for tests"
        )


def _trigger(app: Flask, trigger: Trigger) -> Iterator[Problem]:
    missing = lacking(trigger)
    if missing:
        yield Problem(
            "error",
            f"{trigger.where}: a Purchase without {' and '.join(missing)} is refused by Meta",
            "add it to CUSTOM_DATA; a literal is {'VALUE': 'EUR'}",
        )
    if trigger.route is not None and trigger.route not in app.view_functions:
        yield Problem(
            "warn",
            f"{trigger.where}: ROUTE {trigger.route!r} is not an endpoint of the app; "
            f"{suggest(trigger.route, app.view_functions)}",
        )
    model = _model(trigger)
    for path in lost_attributes(trigger, model) if model else ():
        yield Problem("warn", f"{trigger.where}: {path!r} leads nowhere in {trigger.model}")
    for name in trigger.changed if model else ():
        if not hasattr(model, name):
            yield Problem(
                "error",
                f"{trigger.where}: CHANGED names {name!r}, which {trigger.model} has not; "
                f"{suggest(name, [each for each in dir(model) if not each.startswith('_')])}",
            )


def _model(trigger: Trigger) -> type | None:
    """Return the class of a model trigger that names it by its dotted path."""
    module, _, name = (trigger.model or "").rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name) if module else None
    except Exception:
        # It has its own message already.
        return None
    return found if isinstance(found, type) else None


def _proxies(app: Flask, client: Client) -> Iterator[Problem]:
    from werkzeug.middleware.proxy_fix import ProxyFix  # noqa: PLC0415 - few apps have it

    found: object = app.wsgi_app
    while found is not None and not isinstance(found, ProxyFix):
        found = getattr(found, "app", None)
    if isinstance(found, ProxyFix) and not found.x_for and not client.settings.trusted_proxies:
        yield Problem(
            "warn",
            "ProxyFix tells of a proxy and leaves the address alone, and "
            "CAPI['TRUSTED_PROXIES'] tells of none",
            "every visitor has the proxy's address: set x_for of ProxyFix, or TRUSTED_PROXIES",
        )
