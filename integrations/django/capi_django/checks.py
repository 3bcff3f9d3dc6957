"""System checks: what ``manage.py check`` says about ``settings.CAPI``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from django.conf import settings
from django.core import checks
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils.module_loading import import_string

from capi_django import conf, views
from capi_django.model_triggers import find_model, watched_fields
from capi_django.signals import find_signal
from capi_plugins import Client, Trigger
from capi_plugins.settings import suggest

TAG = "capi"
MIDDLEWARE = "capi_django.middleware.CapiMiddleware"
AUTHENTICATION = "django.contrib.auth.middleware.AuthenticationMiddleware"


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
        for rule in (_signals, _models, _purchases, _routes, _tasks, _mounted):
            found += rule(client)
    return found


def check_deployment(**_: Any) -> list[checks.CheckMessage]:
    """Check what matters in production only."""
    client = conf.client()
    if client is None or settings.DEBUG:
        return []
    return [*_test_events(client), *_tables(client)]


def _test_events(client: Client) -> list[checks.CheckMessage]:
    return [
        checks.Warning(
            f"CAPI['DESTINATIONS'][{name!r}]['TEST_EVENT_CODE'] is set, and DEBUG is off.",
            hint="Real conversions go to Meta's test page only; take TEST_EVENT_CODE out.",
            id="capi_django.W004",
        )
        for name, destination in client.destinations.items()
        if destination.options.get("TEST_EVENT_CODE")
    ]


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


def _is_ours(name: str) -> bool:
    if name == MIDDLEWARE:
        return True
    try:
        found = import_string(name)
    except ImportError:
        return False
    return isinstance(found, type) and issubclass(found, import_string(MIDDLEWARE))


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
        missing = [name for name in ("value", "currency") if name not in trigger.custom_data]
        if trigger.event == "Purchase" and missing:
            yield checks.Error(
                f"{trigger.where}: a Purchase without {' and '.join(missing)} is refused by Meta.",
                hint="Add it to CUSTOM_DATA; a literal is {'VALUE': 'EUR'}.",
                id="capi_django.E005",
            )


def _routes(client: Client) -> Iterator[checks.CheckMessage]:
    wanted = [trigger for trigger in client.triggers.all if trigger.route is not None]
    patterns = _patterns() if wanted else None
    if patterns is None:
        return
    known = set(_view_names(patterns, ()))
    for trigger in wanted:
        if trigger.route not in known:
            yield _unknown_route(trigger, known)


def _mounted(client: Client) -> Iterator[checks.CheckMessage]:
    patterns = _patterns() if client.sources else None
    if patterns is None or _is_mounted(patterns):
        return
    yield checks.Warning(
        f"Nobody can send to {', '.join(client.sources)}: the URLconf has no place for it.",
        hint="Add path('capi/', include('capi_django.urls')) to it.",
        id="capi_django.W008",
    )


def _is_mounted(patterns: Iterable[URLPattern | URLResolver]) -> bool:
    return any(
        _is_mounted(pattern.url_patterns)
        if isinstance(pattern, URLResolver)
        else pattern.callback is views.receive
        for pattern in patterns
    )


def _patterns() -> Sequence[URLPattern | URLResolver] | None:
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
