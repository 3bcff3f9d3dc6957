"""Commit is the truth: what is noted inside a transaction waits for it, and goes with it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.models import Model

from capi_plugins import Client, Event

Build = Callable[[], Event | None]


class _Confirm:
    """Runs after the commit; the key tells what it confirms."""

    def __init__(self, confirm: Callable[[], None], key: Hashable) -> None:
        self.confirm = confirm
        self.key = key

    def __call__(self) -> None:
        self.confirm()


def note(client: Client, build: Build, *, alias: str, key: Hashable = None) -> None:
    """Note an event, to be confirmed when the transaction on a database commits.

    Outside a transaction it is confirmed at once. A rolled back transaction or savepoint forgets
    what was noted in it.

    Args:
        client: The client.
        build: Makes the event.
        alias: The database.
        key: What happened; within one transaction it is noted once. None: always.
    """
    connection = connections[alias]
    if not connection.in_atomic_block:
        client.note(build)
        return
    # Django takes the entries of a savepoint out of this list when it is rolled back, so that
    # what is still in it is what will be committed.
    waiting = (entry[1] for entry in connection.run_on_commit)
    if key is not None and any(isinstance(w, _Confirm) and w.key == key for w in waiting):
        return
    client.note(
        build,
        on_commit=lambda confirm: transaction.on_commit(
            _Confirm(confirm, key), using=alias, robust=True
        ),
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
