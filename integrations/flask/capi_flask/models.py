"""Triggers on SQLAlchemy models: a row was made, or a column took a value."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flask import current_app, has_app_context

from capi_flask import transactions
from capi_plugins import Trigger
from capi_plugins.trigger_rules import read_before

if TYPE_CHECKING:
    from sqlalchemy.orm import InstanceState, Session

    from capi_flask.installed import Installed

Watched = tuple[tuple[Trigger, frozenset[str]], ...]
_OLD = "capi_flask_old"


class ModelTriggers:
    """The model triggers of one app, found by the class of a row.

    A model is named by its dotted path, or by the name of its class alone; nothing is imported
    for it, so models may be made anywhere, inside an app factory too.

    Args:
        triggers: The rules.
        installed: The app's state.
    """

    def __init__(self, triggers: Sequence[Trigger], installed: Installed) -> None:
        self.triggers = tuple(triggers)
        self.installed = installed
        self._by_class: dict[type, Watched] = {}

    def of(self, cls: type) -> Watched:
        """Return the triggers of a mapped class, each with the fields it asks for as they were."""
        found = self._by_class.get(cls)
        if found is None:
            fitting = (t for t in self.triggers if _names(t.model or "", cls))
            found = tuple((trigger, read_before(trigger)) for trigger in fitting)
            self._by_class[cls] = found
        return found

    def problems(self) -> list[str]:
        """Return a sentence for each dotted path that leads to no class."""
        problems = []
        for trigger in self.triggers:
            module, _, name = (trigger.model or "").rpartition(".")
            try:
                if module and not isinstance(getattr(importlib.import_module(module), name), type):
                    raise TypeError(f"{name} is not a class")  # noqa: TRY301
            except Exception as error:
                problems.append(
                    f"{trigger.where}['MODEL'] {trigger.model!r} leads to no model: "
                    f"{type(error).__name__}: {error}"
                )
        return problems


def watch() -> None:
    """Listen to what sessions write, if the host has loaded SQLAlchemy."""
    if "sqlalchemy.orm" not in sys.modules or _listening:
        return
    from sqlalchemy import event  # noqa: PLC0415 - only where the host has it
    from sqlalchemy.orm import Session  # noqa: PLC0415

    event.listen(Session, "before_flush", _before_flush)
    event.listen(Session, "after_flush", _after_flush)
    _listening.append(True)


_listening: list[bool] = []


@transactions.fenced
def _before_flush(session: Session, _: object, __: object) -> None:
    # An attribute that was set while it was expired has no old value: the database has it.
    watching = _watching()
    if watching is None:
        return
    for row in session.dirty:
        wanted = frozenset[str]().union(*(before for _, before in watching.of(type(row))))
        if wanted:
            unknown = [name for name in wanted if _is_set_blindly(_state(row), name)]
            if unknown:
                session.info.setdefault(_OLD, {})[id(row)] = _stored(session, row, unknown)


@transactions.fenced
def _after_flush(session: Session, _: object) -> None:
    asked = session.info.pop(_OLD, {})
    watching = _watching()
    if watching is None:
        return
    for rows, created in ((session.new, True), (session.dirty, False)):
        for row in rows:
            for trigger, before in watching.of(type(row)):
                state = _state(row)
                old = {name: _old(state, name) for name in before} if not created else {}
                old = {name: value[0] for name, value in old.items() if value}
                new = {name: state.dict[name] for name in trigger.changed if name in state.dict}
                old.update(asked.get(id(row), {}))
                named = {"instance": row, "old": old}
                if trigger.changes(created=created, old=old, new=new):
                    watching.installed.note_trigger(trigger, named, session, fresh=created)
                elif created:
                    watching.installed.remember(trigger, named)


def _watching() -> ModelTriggers | None:
    installed = current_app.extensions.get("capi") if has_app_context() else None
    models = getattr(installed, "models", None)
    return models if isinstance(models, ModelTriggers) and models.triggers else None


def _state(row: object) -> InstanceState[Any]:
    from sqlalchemy import inspect  # noqa: PLC0415 - only where the host has it

    state: InstanceState[Any] = inspect(row)
    return state


def _is_set_blindly(state: InstanceState[Any], name: str) -> bool:
    if name not in state.attrs:
        return False
    history = state.attrs[name].history
    return bool(history.added) and not history.deleted


def _old(state: InstanceState[Any], name: str) -> Sequence[Any]:
    if name not in state.attrs:
        return ()
    history = state.attrs[name].history
    return history.deleted or (() if history.added else history.unchanged)


def _stored(session: Session, row: Any, names: list[str]) -> dict[str, Any]:
    from sqlalchemy import select  # noqa: PLC0415 - only where the host has it

    state = _state(row)
    mapper, cls = state.mapper, type(row)
    query = select(*(getattr(cls, name) for name in names))
    for column, value in zip(mapper.primary_key, state.identity or (), strict=True):
        query = query.where(column == value)
    # Past the session: inside a flush it must not load or flush anything.
    found = session.connection(bind_arguments={"mapper": mapper}).execute(query).first()
    return {} if found is None else dict(zip(names, found, strict=True))


def _names(model: str, cls: type) -> bool:
    module, _, name = model.rpartition(".")
    for base in cls.__mro__:
        if base.__name__ == name and module in ("", base.__module__):
            return True
        if module and getattr(sys.modules.get(module), name, None) is base:
            return True
    return False
