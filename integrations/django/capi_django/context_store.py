"""Contexts of shoppers in the database of the outbox, and which rows an event is about."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connections
from django.db.models import ForeignKey, Model, QuerySet

from capi_django.models import ShopperContext as Entry
from capi_django.removing import remove, remove_part
from capi_django.statements import connected
from capi_plugins.context_store import MOST_KEPT, Row, ShopperContext

_PRUNE_SECONDS = 600.0
_CHUNK = 1_000


class DatabaseContextStore:
    """Keeps contexts in a table, for all processes that use the database.

    Args:
        alias: Name of the database.
        most: Most entries; the oldest go.
    """

    def __init__(self, alias: str, *, most: int = MOST_KEPT) -> None:
        self._alias = alias
        self._most = most
        self._prune_from = 0.0

    def keep(
        self,
        context: ShopperContext,
        *,
        replace: Collection[str],
        add: Collection[str],
        oldest: float,
    ) -> None:
        """Keep a context; see ``ContextStore.keep``."""
        text = context.to_json()
        with connected(self._alias):
            if add:
                remove(self._entries.filter(pk__in=add, at__lt=oldest))
                self._entries.bulk_create(_rows(add, context.at, text), ignore_conflicts=True)
            if replace:
                named = connections[self._alias].features.supports_update_conflicts_with_target
                self._entries.bulk_create(
                    _rows(replace, context.at, text),
                    update_conflicts=True,
                    update_fields=["at", "context"],
                    unique_fields=["key"] if named else None,
                )
            if time.monotonic() >= self._prune_from:
                self._prune_from = time.monotonic() + _PRUNE_SECONDS
                remove_part(self._entries.filter(at__lt=oldest).order_by("at")[:_CHUNK])
                remove_part(self._entries.order_by("-at")[self._most : self._most + _CHUNK])

    def find(self, keys: Collection[str]) -> Mapping[str, ShopperContext]:
        """Return what is kept; see ``ContextStore.find``."""
        with connected(self._alias):
            rows = self._entries.filter(pk__in=keys).values_list("pk", "context")
            return {key: ShopperContext.from_json(text) for key, text in rows}

    def forget(self, people: Collection[str]) -> int:
        """Erase people; see ``ContextStore.forget``."""
        with connected(self._alias):
            return sum(remove(self._entries.filter(context__contains=f'"{one}"')) for one in people)

    @property
    def _entries(self) -> QuerySet[Entry]:
        return Entry.objects.using(self._alias)


def identify(value: object) -> Row | None:
    """Tell which row a value is; see ``capi_plugins.context_store.Identify``.

    Its user is itself, or what its field ``user`` refers to, or its only field that refers to a
    user: of two, one may be the seller.

    Args:
        value: Anything.
    """
    # Not isinstance(): a lazy object would be evaluated to answer that.
    if not issubclass(type(value), Model):
        return None
    row: Any = value
    return Row(row._meta.concrete_model._meta.label_lower, row.pk, lambda: _user_of(row))


def _user_of(row: Model) -> object:
    users = get_user_model()
    if isinstance(row, users):
        return row
    fields = {
        field.name: field
        for field in row._meta.concrete_fields
        if isinstance(field, ForeignKey) and field.related_model is users
    }
    if len(fields) > 1:
        fields = {name: field for name, field in fields.items() if name == "user"}
    return next((getattr(row, name) for name in fields), None)


def _rows(keys: Collection[str], at: float, text: str) -> list[Entry]:
    # Sorted: two requests that write the same rows must not wait for each other.
    return [Entry(key=key, at=at, context=text) for key in sorted(keys)]
