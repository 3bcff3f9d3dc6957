"""Triggers on blinker signals, given by dotted path."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import flask.signals
from blinker import Signal
from flask import current_app, has_app_context

from capi_flask import transactions
from capi_plugins import Trigger

if TYPE_CHECKING:
    from capi_flask.installed import Installed

_NOT_THEIRS = frozenset({"flask", "blinker", "capi_flask", "capi_plugins"})


class Receiver:
    """Notes an event whenever a signal is sent in one app.

    Args:
        trigger: The rule.
        installed: The app's state.
    """

    def __init__(self, trigger: Trigger, installed: Installed) -> None:
        self._trigger = trigger
        self._installed = installed

    def __call__(self, sender: object = None, /, **arguments: Any) -> None:
        """Take the signal; never raises, and returns None: some senders act on an answer."""
        try:
            # Not by sender: some signals are sent by a blueprint or a class.
            if has_app_context() and current_app.extensions.get("capi") is self._installed:
                self._note({**arguments, "sender": sender})
        except Exception as error:
            self._installed.client.failed("signal trigger", error)

    def _note(self, offered: dict[str, Any]) -> None:
        self._installed.watch_database()
        session = transactions.changed(offered.values())
        self._installed.note_trigger(self._trigger, offered, session)


class SignalTriggers:
    """The signal triggers of one app; each is connected as soon as its signal is there.

    Args:
        triggers: The rules.
        installed: The app's state.
    """

    def __init__(self, triggers: Sequence[Trigger], installed: Installed) -> None:
        self.triggers = tuple(triggers)
        self._installed = installed
        self._waiting = list(self.triggers)
        self._receivers: list[Receiver] = []
        self._problems: dict[str, str] = {}

    def connect(self, *, import_modules: bool) -> None:
        """Connect the triggers whose signals can be found.

        Args:
            import_modules: Whether modules that are not loaded may be imported. Not while the
                host sets itself up: its modules may import each other in a circle.
        """
        for trigger in tuple(self._waiting):
            signal = self._find(trigger, import_modules=import_modules)
            if signal is not None:
                try:
                    self._waiting.remove(trigger)
                except ValueError:
                    continue  # another thread was faster
                receiver = Receiver(trigger, self._installed)
                self._receivers.append(receiver)
                signal.connect(receiver)

    def misspelt(self) -> list[str]:
        """Return a sentence for each signal of a package that is not even installed."""
        return [
            f"{trigger.where}['SIGNAL'] {trigger.signal!r}: there is no package {package!r}"
            for trigger in self.triggers
            if not _is_installed(package := (trigger.signal or "").partition(".")[0])
        ]

    def problems(self) -> list[str]:
        """Return a sentence for each trigger whose signal could not be found."""
        # A recipe waits for an extension that this app does not use.
        return [self._problems[t.where] for t in self._waiting if _is_own(t)]

    def _find(self, trigger: Trigger, *, import_modules: bool) -> Signal | None:
        path = trigger.signal or ""
        where = f"{trigger.where}['SIGNAL'] {path!r}"
        module, _, name = path.rpartition(".")
        if module not in sys.modules and import_modules and _is_own(trigger):
            try:
                importlib.import_module(module)
            except Exception as error:
                self._problems[trigger.where] = (
                    f"{where}: {module!r} cannot be imported: {type(error).__name__}: {error}"
                )
                return None
        found = getattr(sys.modules.get(module), name, None)
        if isinstance(found, Signal):
            return found
        self._problems[trigger.where] = (
            f"{where} is not a blinker signal: write the module and the name of a signal, "
            "such as 'shop.signals.order_placed'"
        )
        return None


def _is_own(trigger: Trigger) -> bool:
    """Whether a trigger stands in the app's own settings, and does not come from a plugin."""
    return trigger.where.startswith("CAPI[")


def defined_signals() -> dict[str, Signal]:
    """Find the signals of the modules that are loaded, by dotted path; not those of Flask."""
    found: dict[int, tuple[str, Signal]] = {}
    flasks = {id(value) for value in vars(flask.signals).values()}
    # A signal is imported by others; the module that defines it is usually called so.
    named = sorted(sys.modules.items(), key=lambda item: (not item[0].endswith("signals"), item[0]))
    for module, loaded in named:
        if module.partition(".")[0] in _NOT_THEIRS:
            continue
        for name, value in list(getattr(loaded, "__dict__", {}).items()):
            if isinstance(value, Signal) and id(value) not in flasks:
                found.setdefault(id(value), (f"{module}.{name}", value))
    return dict(found.values())


def _is_installed(package: str) -> bool:
    try:
        return package in sys.modules or importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):
        return False
