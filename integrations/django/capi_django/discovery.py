"""What a Django project has, for ``capi discover``: its signals, models and routes."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from typing import Any

import attrs
from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.dispatch import Signal
from django.urls import URLPattern, URLResolver, get_resolver

from capi_plugins.cli.discovering.funnel import paid_change
from capi_plugins.cli.discovering.sent import signal_moments
from capi_plugins.cli.discovering.shapes import Shape
from capi_plugins.cli.discovering.survey import Moment, Survey
from capi_plugins.cli.discovering.words import (
    HOLDERS,
    PAID_WORDS,
    known_words,
    rank,
    snake,
    understood,
)

_NOT_THEIRS = ("django.", "capi_django", "rest_framework")
_DEPTH = 3
_KINDS: tuple[tuple[type[models.Field[Any, Any]], str], ...] = (
    (models.BooleanField, "flag"),
    (models.EmailField, "email"),
    (models.DateField, "moment"),
    (models.DecimalField, "number"),
    (models.FloatField, "number"),
    (models.IntegerField, "number"),
)
_CURRENCY_LENGTH = 3


def survey() -> Survey:
    """Look through the project's code; its URLconf, and with it its views, is imported."""
    routes = tuple(_routes(get_resolver()))
    found = {model: shape_of(model) for model in apps.get_models() if is_theirs(model)}
    rows = tuple(_row(model, shape) for model, shape in found.items())
    users = [model for model in found if is_user(model)]
    moments = signal_moments(signals(), found, users)
    return Survey(moments=(*moments, *rows, *routes), currency=_currency())


def is_theirs(model: type[models.Model]) -> bool:
    """Whether a model belongs to the project or one of its shops, not to Django itself."""
    return is_user(model) or not f"{model.__module__}.".startswith(_NOT_THEIRS)


def is_user(model: type[models.Model]) -> bool:
    """Whether a model is that of the people who sign in."""
    try:
        return issubclass(model, get_user_model())
    except ImproperlyConfigured:
        return False


def signals() -> dict[str, Signal]:
    """Find the signals of the installed apps by dotted path."""
    names = tuple(f"{config.name}." for config in apps.get_app_configs())
    names = tuple(name for name in names if not name.startswith(_NOT_THEIRS))
    for name in names:
        with contextlib.suppress(Exception):  # a module that cannot be imported has no signals
            if importlib.util.find_spec(f"{name}signals"):
                importlib.import_module(f"{name}signals")
    # What the project imports is not its own by that.
    djangos = {
        id(value)
        for name, module in list(sys.modules.items())
        if name.startswith(_NOT_THEIRS)
        for value in list(vars(module).values())
        if _is_signal(value)
    }
    found: dict[int, tuple[str, Signal]] = {}
    for module_name, module in sorted(sys.modules.items(), key=_signals_first):
        if not f"{module_name}.".startswith(names):
            continue
        for name, value in list(vars(module).items()):
            if _is_signal(value) and id(value) not in djangos:
                found.setdefault(id(value), (f"{module_name}.{name}", value))
    return dict(found.values())


def _is_signal(value: object) -> bool:
    # What is lazy would be set up by ``isinstance``, and may not be able to.
    return issubclass(type(value), Signal)


def _signals_first(item: tuple[str, Any]) -> tuple[bool, str]:
    # A signal is imported by others; the module that defines it is usually called so.
    return (not item[0].endswith("signals"), item[0])


def shape_of(model: type[models.Model], depth: int = _DEPTH) -> Shape:
    """Say what the rows of a model look like.

    Args:
        model: The model.
        depth: How many relations are followed.
    """
    fields: dict[str, Shape] = {"pk": Shape(kind="number")}
    for field in model._meta.get_fields():
        name, shape = _field(field, depth)
        if name and shape is not None:
            fields[name] = shape
    for name in dir(model):
        computed = rank("value", name) is not None or rank("price", name) is not None
        if computed and name not in fields:
            fields[name] = Shape(kind="number")
    return Shape(kind="object", type=model.__name__, fields=fields)


def _field(field: Any, depth: int) -> tuple[str | None, Shape | None]:
    if field.auto_created and not field.concrete:
        name = field.get_accessor_name()
        if depth == 0 or not name or not understood(name):
            return None, None
        below = shape_of(field.related_model, depth - 1)
        if field.one_to_one:
            return name, below
        rows = Shape(kind="list", item=below)
        return name, Shape(kind="object", fields={"all": rows})
    if field.is_relation:
        return _related(field, depth)
    for cls, kind in _KINDS:
        if isinstance(field, cls):
            return field.name, Shape(kind=kind)
    if rank("currency", field.name) is not None and field.max_length == _CURRENCY_LENGTH:
        return field.name, Shape(kind="currency")
    return field.name, Shape(kind="number" if isinstance(field, models.AutoField) else "text")


def _related(field: Any, depth: int) -> tuple[str | None, Shape | None]:
    related = field.related_model
    if depth == 0 or related is None or isinstance(related, str):
        return None, None
    if not field.many_to_many:
        # Its key is there too, without the relation's row.
        return field.name, shape_of(related, depth - 1) if snake(field.name) in HOLDERS else None
    if not understood(field.name):
        return None, None
    rows = Shape(kind="list", item=shape_of(related, depth - 1))
    return field.name, Shape(kind="object", fields={"all": rows})


def _row(model: type[models.Model], shape: Shape) -> Moment:
    row = Moment(
        on="model",
        name=model._meta.label,
        roots={"instance": shape},
        created=True,
        is_user=is_user(model),
    )
    return attrs.evolve(row, changes=paid_change(row) or _paid(model))


def _paid(model: type[models.Model]) -> dict[str, Any]:
    for field in model._meta.concrete_fields:
        if rank("status", field.name) is not None:
            # Numbers say it in their labels alone.
            values = {str(label).lower(): value for value, label in field.flatchoices}
            values |= {str(value).lower(): value for value, _ in field.flatchoices}
            for word in PAID_WORDS:
                if word in values:
                    return {field.name: values[word]}
    return {}


def _routes(resolver: URLResolver, spaces: str = "", path: str = "") -> Iterator[Moment]:
    for pattern in resolver.url_patterns:
        below = path + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            if pattern.app_name != "admin":
                space = f"{pattern.namespace}:" if pattern.namespace else ""
                yield from _routes(pattern, spaces + space, below)
        elif isinstance(pattern, URLPattern) and not _is_djangos(pattern):
            arguments = {name: Shape(kind="text") for name in pattern.pattern.converters}
            name = pattern.name or pattern.lookup_str
            yield Moment(
                on="request",
                name=spaces + name,
                roots={"kwargs": Shape(kind="mapping", fields=arguments)},
                words=known_words([below]),
            )


def _is_djangos(pattern: URLPattern) -> bool:
    return pattern.lookup_str.startswith("django.")


def _currency() -> str | None:
    for name in sorted(dir(settings)):
        value = getattr(settings, name, None)
        if name.endswith("CURRENCY") and isinstance(value, str) and len(value) == _CURRENCY_LENGTH:
            return value.upper()
    return None
