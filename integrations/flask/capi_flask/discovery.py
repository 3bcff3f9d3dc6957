"""What a Flask project has, for ``capi discover``: its signals, models and routes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import attrs
from flask import Flask

from capi_flask.signals import defined_signals
from capi_plugins.cli.discovering.funnel import paid_change
from capi_plugins.cli.discovering.sent import signal_moments
from capi_plugins.cli.discovering.shapes import Shape
from capi_plugins.cli.discovering.survey import Moment, Survey
from capi_plugins.cli.discovering.words import (
    HOLDERS,
    known_words,
    rank,
    snake,
    understood,
)

_DEPTH = 3
_KINDS = (
    *((bool, "flag"), (int, "number"), (float, "number"), (str, "text")),
    *((bytes, "bytes"),),
)
_CURRENCY_LENGTH = 3
_NO_ROUTES = frozenset({"static"})


def survey(app: Flask) -> Survey:
    """Look through the project's code."""
    rows = {cls: shape_of(cls) for cls in models(app)}
    found = (
        *signal_moments(defined_signals(), rows, [cls for cls in rows if is_user(cls)]),
        *(_row(cls, shape) for cls, shape in rows.items()),
        *_routes(app),
    )
    return Survey(moments=found, currency=_currency(app))


def models(app: Flask) -> list[type]:
    """Find the mapped classes: Flask-SQLAlchemy's, and those that modules hold."""
    found: dict[type, None] = {}
    registry = getattr(getattr(app.extensions.get("sqlalchemy"), "Model", None), "registry", None)
    for mapper in getattr(registry, "mappers", ()):
        found[mapper.class_] = None
    for module in list(sys.modules.values()):
        for value in list(getattr(module, "__dict__", {}).values()):
            if isinstance(value, type) and hasattr(value.__dict__.get("__mapper__"), "attrs"):
                found[value] = None
    return list(found)


def name_of(cls: type) -> str:
    """Return what ``MODEL`` calls a class: its dotted path, if it leads there."""
    module = sys.modules.get(cls.__module__)
    reachable = module is not None and getattr(module, cls.__name__, None) is cls
    return f"{cls.__module__}.{cls.__name__}" if reachable else cls.__name__


def is_user(cls: type) -> bool:
    """Whether a model is that of the people who sign in: Flask-Login asks it so."""
    return all(hasattr(cls, name) for name in ("is_authenticated", "get_id")) or (
        snake(cls.__name__) in {"user", "account", "member", "customer"}
        and any(rank("password", name.removesuffix("_hash")) is not None for name in dir(cls))
    )


def shape_of(cls: Any, depth: int = _DEPTH) -> Shape:
    """Say what the rows of a mapped class look like.

    Args:
        cls: The class.
        depth: How many relations are followed.
    """
    fields: dict[str, Shape] = {}
    mapper = cls.__mapper__
    for column in mapper.column_attrs:
        fields[column.key] = Shape(kind=_kind(column.key, column.columns[0].type))
    for relation in mapper.relationships:
        wanted = snake(relation.key) in HOLDERS or understood(relation.key)
        if depth and wanted:
            below = shape_of(relation.mapper.class_, depth - 1)
            rows = Shape(kind="list", item=below)
            fields[relation.key] = rows if relation.uselist else below
    for name in dir(cls):
        computed = rank("value", name) is not None or rank("price", name) is not None
        if computed and name not in fields:
            fields[name] = Shape(kind="number")
    return Shape(kind="object", type=cls.__name__, fields=fields)


def _kind(name: str, column: Any) -> str:
    try:
        stored = column.python_type
    except NotImplementedError:
        return "text"
    if issubclass(stored, str):
        length = getattr(column, "length", None)
        if rank("currency", name) is not None and length in (_CURRENCY_LENGTH, None):
            return "currency"
        return "email" if "mail" in name else "text"
    for cls, kind in _KINDS:
        if issubclass(stored, cls):
            return kind
    return "number" if hasattr(stored, "as_tuple") else "moment"


def _row(cls: type, shape: Shape) -> Moment:
    row = Moment(
        on="model",
        name=name_of(cls),
        roots={"instance": shape},
        created=True,
        is_user=is_user(cls),
    )
    return attrs.evolve(row, changes=paid_change(row))


def _routes(app: Flask) -> Iterator[Moment]:
    for rule in app.url_map.iter_rules():
        if rule.endpoint.rpartition(".")[2] in _NO_ROUTES:
            continue
        arguments = {name: Shape(kind="text") for name in rule.arguments}
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield Moment(
                on="request",
                name=rule.endpoint,
                method=method,
                roots={"kwargs": Shape(kind="mapping", fields=arguments)},
                words=known_words([rule.rule]),
            )


def _currency(app: Flask) -> str | None:
    for name in sorted(app.config):
        value = app.config[name]
        if name.endswith("CURRENCY") and isinstance(value, str) and len(value) == _CURRENCY_LENGTH:
            return value.upper()
    return None
