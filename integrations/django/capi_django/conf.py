"""``settings.CAPI``, read late: the client of this process, or what is wrong with the settings."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import attrs
from django.apps import apps
from django.conf import settings
from django.db import connections

from capi_django import model_triggers, recipes, rendering, signals, transactions
from capi_django.statements import unbroken
from capi_plugins import CapiError, Client, ConfigurationError, Event, Trigger, configure
from capi_plugins.context_store import Row
from capi_plugins.nudging import Nudges
from capi_plugins.outbox.base import Outbox
from capi_plugins.settings import DeliverySettings, Settings, suggest

_log = logging.getLogger("capi_plugins.django")
_lock = threading.RLock()

USER_DATA = {
    "external_id": "pk",
    "email": "email",
    "first_name": "first_name",
    "last_name": "last_name",
}
"""What is read from a Django user when ``CAPI["USER_DATA"]`` says nothing."""


_IN_DATABASE = ("auto", "database")


@attrs.frozen(kw_only=True)
class _Made:
    """What the settings gave: a client whose triggers are connected, or problems.

    Attributes:
        client: The client, when the settings are right.
        problems: Sentences about what is wrong with the settings.
        unconnected: Sentences about the host's triggers that wait for something not there.
        disconnect: Take the triggers back.
    """

    client: Client | None = None
    problems: tuple[str, ...] = ()
    unconnected: tuple[str, ...] = ()
    disconnect: tuple[Callable[[], object], ...] = ()


_TOO_EARLY = _Made(problems=("Django is not set up yet: call django.setup() first",))
_made: _Made | None = None


def get_client() -> Client:
    """Return the client of this process; it is made when it is first asked for.

    Raises:
        ConfigurationError: ``settings.CAPI`` is wrong, with one sentence for each mistake.
    """
    made = _current()
    if made.client is None:
        raise ConfigurationError(made.problems)
    return made.client


def client() -> Client | None:
    """Return the client of this process, or None while ``settings.CAPI`` is wrong."""
    return _current().client


def outbox_database(client: Client) -> str | None:
    """Name the database that deliveries wait in, or None if they wait elsewhere.

    Args:
        client: The client.
    """
    if client.settings.delivery.outbox not in _IN_DATABASE:
        return None
    from capi_django.database import database, keeps  # noqa: PLC0415 - models are not loaded before

    alias = database(client.settings)
    return alias if keeps(alias) else None


def track(client: Client, build: Callable[[], Event | None]) -> None:
    """Note an event; in a transaction of the outbox's own database it goes with that.

    Args:
        client: The client.
        build: Makes the event.
    """
    with unbroken():
        try:
            alias = outbox_database(client)
            if alias is not None and client.joins(alias):
                transactions.note(client, build, alias=alias)
                return
        except Exception as error:
            client.failed("track", error)
        client.note(build)


def problems() -> tuple[str, ...]:
    """Return what is wrong with ``settings.CAPI`` itself."""
    return _current().problems


def is_own(trigger: Trigger) -> bool:
    """Whether a trigger stands in ``settings.CAPI``, and does not come from a plugin."""
    return trigger.where.startswith("CAPI[")


def start() -> None:
    """Make the client and connect its triggers. Safe to call again; never queries the database.

    Wrong settings are logged and kept for ``problems`` and ``require``: ``manage.py check`` must
    be able to show them.
    """
    with _lock:
        if _made is not None and _made.unconnected:
            # The module of a signal may have been imported by now.
            _connect_again(_made)
        current = _current()
    if current.problems:
        _log.error(
            "settings.CAPI is wrong and no events are captured (problems: %d); "
            "'manage.py check' shows what is wrong",
            len(current.problems),
        )


def require() -> None:
    """Insist on settings that can work; servers call it, through the middleware, as they start.

    Raises:
        ConfigurationError: They cannot, with one sentence for each mistake.
    """
    with _lock:
        current = _current()
        if current.unconnected:
            current = _connect_again(current)
    if wrong := current.problems + current.unconnected:
        raise ConfigurationError(wrong)


def reload(*, setting: str, **_: Any) -> None:
    """Follow ``override_settings``: a receiver of ``setting_changed``."""
    global _made
    if setting not in {"CAPI", "INSTALLED_APPS"}:
        return
    with _lock:
        before, _made = _made, None
        if before is not None:
            for disconnect in before.disconnect:
                disconnect()
        if apps.is_installed("capi_django"):
            _current()
    if before is not None and before.client is not None:
        # Without the lock: closing waits for a thread in which a plugin may want the client.
        before.client.close()


def _current() -> _Made:
    global _made  # noqa: PLW0603 - as above
    made = _made
    if made is None:
        if not apps.models_ready:
            return _TOO_EARLY
        with _lock:
            if _made is None:
                _made = _make()
            made = _made
    return made


def _make() -> _Made:
    try:
        made = configure(
            getattr(settings, "CAPI", None),
            outboxes=dict.fromkeys(_IN_DATABASE, _database_outbox),
            recipes=recipes.installed(),
            nudgings={"tasks": _tasks},
            user_data=USER_DATA,
            identify=_identify,
        )
        _check_database(made.settings.delivery)
    except ConfigurationError as error:
        return _Made(problems=error.problems)
    except CapiError as error:
        return _Made(problems=(str(error),))
    return _connected(made)


def _database_outbox(read: Settings) -> Outbox:
    from capi_django.outbox_choice import make_outbox  # noqa: PLC0415 - models are not loaded before

    return make_outbox(read)


def _identify(value: object) -> Row | None:
    from capi_django.context_store import identify  # noqa: PLC0415 - models are not loaded before

    return identify(value)


def _tasks(read: Settings, problems: list[str]) -> Callable[[], Nudges] | None:
    try:
        from capi_django import tasks_nudge  # noqa: PLC0415 - Django 5.2 has no tasks by itself
    except ImportError:
        problems.append(
            "CAPI['DELIVERY']['WORKER'] 'tasks' needs Django 6.0, or the package django-tasks"
        )
        return None
    return tasks_nudge.read(read, problems)


def _check_database(delivery: DeliverySettings) -> None:
    alias = delivery.database
    if alias is not None and alias not in connections.settings:
        known = suggest(alias, connections.settings)
        raise ConfigurationError(
            [f"CAPI['DELIVERY']['DATABASE'] {alias!r} is not in DATABASES; {known}"]
        )


def _connect_again(made: _Made) -> _Made:
    global _made  # noqa: PLW0603 - as above
    for disconnect in made.disconnect:
        disconnect()
    _made = made if made.client is None else _connected(made.client)
    return _made


def _connected(client: Client) -> _Made:
    disconnect: list[Callable[[], object]] = [rendering.watch(client.triggers.all)]
    unconnected: list[str] = []

    def lost(trigger: Trigger, sentence: str) -> None:
        if is_own(trigger):
            unconnected.append(f"{trigger.where}: {sentence}")
        else:
            _log.warning("%s is left out: %s", trigger.where, sentence)

    disconnect += signals.connect(client, lost)
    disconnect += model_triggers.connect(client, lost)
    return _Made(client=client, unconnected=tuple(unconnected), disconnect=tuple(disconnect))
