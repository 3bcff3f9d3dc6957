"""Commit is the truth: what is noted inside a transaction waits for it, and goes with it."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.models import Model

from capi_django.context import looking_early
from capi_plugins import Client, Event, Trigger

Build = Callable[[], Event | None]
About = Callable[[], Any]
Offer = Mapping[str, Any]


class _Confirm:
    """Runs after the commit; the key tells what it confirms."""

    def __init__(self, confirm: Callable[[], None], key: Hashable) -> None:
        self.confirm = confirm
        self.key = key

    def __call__(self) -> None:
        self.confirm()


def note_trigger(
    client: Client,
    trigger: Trigger,
    offer: Callable[[], Offer],
    *,
    alias: str,
    key: Hashable = None,
    fresh: bool = False,
) -> None:
    """Note the event of a trigger that has fired; see ``note``.

    Args:
        client: The client.
        trigger: The trigger.
        offer: What its paths may start at, when they are read.
        alias: The database.
        key: As for ``note``.
        fresh: Whether the row it is about was made just now.
    """
    # One id, whether the event is sent as it is known now or as it is in the end.
    event_id = str(uuid.uuid4())

    def known() -> Offer:
        # Copies: reading a relation keeps what it found, or that there is nothing yet, on the
        # instance that the view goes on to work with.
        return {name: _copied(value) for name, value in offer().items()}

    note(
        client,
        lambda: trigger.build(offer(), event_id),
        alias=alias,
        key=key,
        early=lambda: trigger.build(known(), event_id),
        about=lambda: client.subject(trigger, offer(), fresh=fresh),
        early_about=lambda: client.subject(trigger, known(), fresh=fresh),
    )


def _copied(value: Any) -> Any:
    return copy.copy(value) if issubclass(type(value), Model) else value


def note(
    client: Client,
    build: Build,
    *,
    alias: str,
    key: Hashable = None,
    early: Build | None = None,
    about: About | None = None,
    early_about: About | None = None,
) -> None:
    """Note an event, to be confirmed when the transaction on a database commits.

    Outside a transaction it is confirmed at once. A rolled back transaction or savepoint forgets
    what was noted in it.

    Args:
        client: The client.
        build: Makes the event.
        alias: The database.
        key: What happened; within one transaction it is noted once. None: always.
        early: Makes the event from what is known now, for an outbox in the same database.
        about: Tells what the event is about; see ``Client.note``.
        early_about: Tells it from what is known now.
    """
    connection = connections[alias]
    if not connection.in_atomic_block:
        client.note(build, about=about)
        return
    # Django takes the entries of a savepoint out of this list when it is rolled back, so that
    # what is still in it is what will be committed.
    waiting = (entry[1] for entry in connection.run_on_commit)
    if key is not None and any(isinstance(w, _Confirm) and w.key == key for w in waiting):
        return
    with looking_early():
        client.note(
            build,
            on_commit=lambda confirm: transaction.on_commit(
                _Confirm(confirm, key), using=alias, robust=True
            ),
            database=alias,
            early=early,
            about=about,
            early_about=early_about,
        )


def database_of(values: Iterable[object]) -> str:
    """Find the database whose transaction decides about a signal.

    That of a model instance among the values, one with an open transaction first; the default
    database when there is none.

    Args:
        values: The signal's sender and arguments.
    """
    # isinstance() would evaluate a lazy request.user, and with it load the host's session.
    models: list[Any] = [value for value in values if issubclass(type(value), Model)]
    aliases: list[str] = [m._state.db for m in models if m._state.db in connections.settings]
    if not aliases:
        return DEFAULT_DB_ALIAS
    return next((alias for alias in aliases if connections[alias].in_atomic_block), aliases[0])
