"""Model triggers: events from rows that are created or change to what settings name.

``QuerySet.update()``, ``bulk_create`` and ``bulk_update`` send no signals and are not seen.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Field, Model
from django.db.models.signals import post_save, pre_save
from django.utils.module_loading import import_string

from capi_django.context import offered
from capi_django.statements import sheltered, unbroken
from capi_django.transactions import note_trigger
from capi_plugins import Client, Trigger
from capi_plugins.trigger_rules import read_before

Lost = Callable[[Trigger, str], None]
# Lives on the state that Django keeps beside a row, for the time of one save().
_OLD = "_capi_old"


def connect(client: Client, lost: Lost) -> list[Callable[[], object]]:
    """Connect the model triggers of a client.

    Args:
        client: The client.
        lost: Told about a trigger whose model or field cannot be found, and why.

    Returns:
        Functions that take the connections back.
    """
    by_model: dict[type[Model], list[Trigger]] = {}
    for trigger in client.triggers.on_model:
        try:
            model = find_model(trigger.model or "")
            watched_fields(model, trigger)
        except LookupError as error:
            lost(trigger, str(error.args[0]))
        else:
            by_model.setdefault(model, []).append(trigger)
    disconnect: list[Callable[[], object]] = []
    for model, triggers in by_model.items():
        watch = _Watch(client, model, triggers)
        # A proxy or a child sends its own class, not the model it stands for.
        for sender in (item for item in apps.get_models() if issubclass(item, model)):
            uid = f"capi_django.model_triggers {model._meta.label}"
            for signal, receiver in ((pre_save, watch.before), (post_save, watch.after)):
                signal.connect(receiver, sender=sender, weak=False, dispatch_uid=uid)
                disconnect.append(
                    functools.partial(signal.disconnect, sender=sender, dispatch_uid=uid)
                )
    return disconnect


def find_model(name: str) -> type[Model]:
    """Find a model by its label or dotted path.

    Args:
        name: ``app_label.Model``, or the dotted path of the class.

    Raises:
        LookupError: There is no such model; the text says so.
    """
    if name.count(".") == 1:
        try:
            return apps.get_model(name)
        except LookupError as error:
            raise LookupError(f"MODEL {name!r} is not installed: {error}") from error
    try:
        found = import_string(name)
    except ImportError as error:
        raise LookupError(f"MODEL {name!r} cannot be imported: {error}") from error
    if not (isinstance(found, type) and issubclass(found, Model)):
        raise LookupError(f"MODEL {name!r} is not a model")  # noqa: TRY004 - the path is wrong, not a type
    return found


def watched_fields(model: type[Model], trigger: Trigger) -> dict[str, Field[Any, Any]]:
    """Find the fields named by ``CHANGED``.

    Args:
        model: The model.
        trigger: A model trigger.

    Raises:
        LookupError: The model has no such field; the text says so.
    """
    found: dict[str, Field[Any, Any]] = {}
    for name in trigger.changed:
        try:
            field: Any = model._meta.get_field(name)
        except FieldDoesNotExist as error:
            raise LookupError(
                f"CHANGED names {name!r}, which is not a field of {model._meta.label}"
            ) from error
        if not getattr(field, "concrete", False) or field.many_to_many:
            raise LookupError(
                f"CHANGED names {name!r}, which is not a column of {model._meta.label}"
            )
        found[name] = field
    return found


class _Watch:
    """The receivers of one watched model."""

    def __init__(self, client: Client, model: type[Model], triggers: Sequence[Trigger]) -> None:
        self._client = client
        self._triggers = triggers
        self._fields: dict[str, Field[Any, Any]] = {}
        for trigger in triggers:
            self._fields.update(watched_fields(model, trigger))
        asked = frozenset[str]().union(*map(read_before, triggers))
        self._before = {
            name: field.attname
            for field in model._meta.concrete_fields
            for name in {field.name, field.attname} & asked
        }
        self._any_save = any(t.created is False and not t.changed for t in triggers)

    @unbroken()
    def before(
        self,
        sender: type[Model],
        instance: Model,
        *,
        raw: bool = False,
        using: str | None = None,
        update_fields: frozenset[str] | None = None,
        **_: Any,
    ) -> None:
        """Keep what the row was before it is saved; a receiver of ``pre_save``."""
        try:
            instance._state.__dict__.pop(_OLD, None)
            if raw or not self._before or not self._matters(update_fields) or _is_new(instance):
                return
            rows = sender._base_manager.using(using).filter(pk=instance.pk)
            with sheltered(rows.db):
                for row in rows.values(*self._before.values())[:1]:
                    old = {name: row[column] for name, column in self._before.items()}
                    instance._state.__dict__[_OLD] = old
        except Exception as error:
            self._client.failed("a receiver of pre_save", error)

    @unbroken()
    def after(
        self,
        sender: type[Model],
        instance: Model,
        *,
        created: bool = False,
        raw: bool = False,
        using: str | None = None,
        update_fields: frozenset[str] | None = None,
        **_: Any,
    ) -> None:
        """Note what the row has become; a receiver of ``post_save``."""
        try:
            old = instance._state.__dict__.pop(_OLD, {})
            if raw or not (created or self._matters(update_fields)):
                return
            written = self._written(update_fields)
            new = {**old, **{name: _value(instance, field) for name, field in written.items()}}
            named = {"instance": instance, "sender": sender, "created": created, "old": old}
            for trigger in self._triggers:
                if trigger.changes(created=created, old=old, new=new):
                    self._note(trigger, instance, named, using)
                elif created:
                    self._remember(trigger, offered(named))
        except Exception as error:
            self._client.failed("a receiver of post_save", error)

    def _note(
        self, trigger: Trigger, instance: Model, named: Mapping[str, Any], using: str | None
    ) -> None:
        offer = offered(named)
        key = (trigger.where, instance._meta.label, instance.pk)
        alias = using or instance._state.db or "default"
        fresh = bool(named["created"])
        note_trigger(self._client, trigger, offer, alias=alias, key=key, fresh=fresh)

    def _remember(self, trigger: Trigger, offer: Callable[[], Mapping[str, Any]]) -> None:
        """Have the shopper remembered who made a row that has its event later."""
        self._client.created(lambda: self._client.subject(trigger, offer(), fresh=True))

    def _matters(self, update_fields: frozenset[str] | None) -> bool:
        return self._any_save or bool(self._written(update_fields))

    def _written(self, update_fields: frozenset[str] | None) -> dict[str, Field[Any, Any]]:
        """The watched fields that a save writes."""
        if update_fields is None:
            return self._fields
        return {
            name: field
            for name, field in self._fields.items()
            if field.name in update_fields or field.attname in update_fields
        }


def _is_new(instance: Model) -> bool:
    if instance.pk is None:
        return True
    # With a key that the host chose there may be a row already: Django tries an UPDATE first,
    # unless the key has a default.
    return instance._state.adding and instance._meta.pk.has_default()


def _value(instance: Model, field: Field[Any, Any]) -> Any:
    value = getattr(instance, field.attname)
    try:
        # What the host assigned may be spelt differently from what the database gives back.
        return field.to_python(value)
    except Exception:
        return value
