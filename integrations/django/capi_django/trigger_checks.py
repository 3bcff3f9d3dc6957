"""System checks of the triggers: whether what they name is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from django.conf import settings
from django.core import checks
from django.urls import URLPattern, URLResolver, get_resolver

from capi_django import conf
from capi_django.model_triggers import find_model, watched_fields
from capi_django.signals import find_signal
from capi_plugins import Client, Trigger
from capi_plugins.settings import suggest
from capi_plugins.trigger_rules import doubles, lacking, lost_attributes


def check_triggers(client: Client) -> Iterator[checks.CheckMessage]:
    """Check the triggers in force.

    Args:
        client: The client that has them.
    """
    for rule in (_signals, _models, _purchases, _routes, _doubles):
        yield from rule(client)


def _signals(client: Client) -> Iterator[checks.CheckMessage]:
    for trigger in client.triggers.on_signal:
        problem = _problem(find_signal, trigger.signal or "")
        if problem:
            hint = "SIGNAL is the dotted path of a Django signal."
            yield _lost(trigger, problem, hint, "capi_django.E002")


def _models(client: Client) -> Iterator[checks.CheckMessage]:
    for trigger in client.triggers.on_model:
        problem = _problem(find_model, trigger.model or "")
        if problem:
            hint = "MODEL is 'app_label.Model', of an app in INSTALLED_APPS."
            yield _lost(trigger, problem, hint, "capi_django.E003")
            continue
        model = find_model(trigger.model or "")
        problem = _problem(watched_fields, model, trigger)
        if problem:
            columns = [field.name for field in model._meta.concrete_fields]
            hint = f"Its columns are {', '.join(columns)}."
            yield _lost(trigger, problem, hint, "capi_django.E004")
        for path in lost_attributes(trigger, model):
            name = path.split(".")[1]
            yield checks.Warning(
                f"{trigger.where}: {path!r} leads nowhere, {model._meta.label} has no {name!r}; "
                f"{suggest(name, [field.name for field in model._meta.get_fields()])}",
                hint="The event goes without it. If rows get this attribute when they are made, "
                "silence this check.",
                id="capi_django.W009",
            )


def _lost(trigger: Trigger, problem: str, hint: str, number: str) -> checks.CheckMessage:
    if conf.is_own(trigger):
        return checks.Error(f"{trigger.where}: {problem}", hint=hint, id=number)
    return checks.Warning(
        f"{trigger.where} is left out: {problem}",
        hint="The plugin or recipe that offers this trigger does not fit what is installed.",
        id="capi_django.W005",
    )


def _purchases(client: Client) -> Iterator[checks.CheckMessage]:
    for trigger in client.triggers.all:
        missing = lacking(trigger)
        if missing:
            yield checks.Error(
                f"{trigger.where}: a Purchase without {' and '.join(missing)} is refused by Meta.",
                hint="Add it to CUSTOM_DATA; a literal is {'VALUE': 'EUR'}.",
                id="capi_django.E005",
            )


def _routes(client: Client) -> Iterator[checks.CheckMessage]:
    wanted = [trigger for trigger in client.triggers.all if trigger.route is not None]
    found = patterns() if wanted else None
    if found is None:
        return
    known = set(_view_names(found, ()))
    for trigger in wanted:
        if trigger.route not in known:
            yield _unknown_route(trigger, known)


def _doubles(client: Client) -> Iterator[checks.CheckMessage]:
    for one, other in doubles(client.triggers.all):
        yield checks.Warning(
            f"{one.where} and {other.where} both make {one.event} of one moment.",
            hint="Take one of them out, or give both the same EVENT_ID: Meta may count two.",
            id="capi_django.W011",
        )


def patterns() -> Sequence[URLPattern | URLResolver] | None:
    """Return the URLconf, or None where there is none that can be read."""
    if not getattr(settings, "ROOT_URLCONF", None):
        return None
    try:
        return list(get_resolver().url_patterns)
    except Exception:
        # A URLconf that does not import is the subject of Django's own checks.
        return None


def _unknown_route(trigger: Trigger, known: set[str]) -> checks.CheckMessage:
    return checks.Warning(
        f"{trigger.where}: ROUTE {trigger.route!r} is not a view of the URLconf; "
        f"{suggest(trigger.route or '', known)}",
        hint="ROUTE is the name of a URL pattern with its namespaces, such as 'cart:add'. If the "
        "route belongs to another URLconf that requests choose, silence this check.",
        id="capi_django.W003",
    )


def _view_names(
    patterns: Iterable[URLPattern | URLResolver], namespaces: Sequence[str]
) -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            inner = [*namespaces, pattern.namespace] if pattern.namespace else namespaces
            yield from _view_names(pattern.url_patterns, inner)
        else:
            yield ":".join([*namespaces, pattern.name or pattern.lookup_str])


def _problem(find: Callable[..., object], *arguments: object) -> str | None:
    try:
        find(*arguments)
    except LookupError as error:
        return str(error.args[0])
    return None
