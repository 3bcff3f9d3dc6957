"""How statements of ours run: beside the host's transactions, or in one without harm to it."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from django.db import Error, connections, transaction

T = TypeVar("T")
_TRIES = 5
_UNDONE = frozenset({"40001", "40P01", 1213, 1020})
"""Serialization failures and deadlocks: SQLSTATE, and the numbers of MySQL and MariaDB."""
_isolated: weakref.WeakKeyDictionary[Any, bool] = weakref.WeakKeyDictionary()


@contextlib.contextmanager
def connected(alias: str) -> Iterator[None]:
    """Let no error of ours end a transaction of the host's, and leave no connection behind.

    Args:
        alias: Name of the database.
    """
    with borrowed(alias), sheltered(alias):
        yield


@contextlib.contextmanager
def sheltered(alias: str) -> Iterator[None]:
    """Let no error of ours end a transaction of the host's, if there is one.

    Args:
        alias: Name of the database.
    """
    if connections[alias].in_atomic_block:
        with savepoint(alias):
            yield
    else:
        yield


@contextlib.contextmanager
def savepoint(alias: str) -> Iterator[None]:
    """Have what fails in here fail in a savepoint of the host's transaction.

    Where that cannot be rolled back the transaction is over, see ``unbroken``.

    Args:
        alias: Name of the database.
    """
    # Any: the stubs do not know ``rollback_exc``.
    connection: Any = connections[alias]
    try:
        with transaction.atomic(using=alias):
            yield
    except Exception as error:
        if connection.needs_rollback:
            connection.rollback_exc = error
        raise


@contextlib.contextmanager
def unbroken() -> Iterator[None]:
    """Tell the host if its transaction has ended in here; else it would take that for a commit.

    A deadlock rolls back all of a transaction of MySQL's, and a lost connection that of any
    database, whoever ran the statement that met it.

    Raises:
        Exception: What the database said, as if a statement of the host's had met it.
    """
    sound: list[Any] = [
        connection
        for connection in connections.all(initialized_only=True)
        if connection.in_atomic_block and not connection.needs_rollback
    ]
    yield
    for connection in sound:
        if connection.needs_rollback and connection.rollback_exc is not None:
            raise connection.rollback_exc


@contextlib.contextmanager
def borrowed(alias: str) -> Iterator[None]:
    """Close a connection that was opened for this: idle threads hold none.

    What is no part of a transaction of the host's reads what is committed, whatever isolation the
    host has asked for: it needs no more, and with more it would have transactions of the host's
    fail that read or write nothing of what it does.

    Args:
        alias: Name of the database.
    """
    connection = connections[alias]
    opened = connection.connection is None
    try:
        with contextlib.ExitStack() as stack:
            free = not connection.in_atomic_block and connection.get_autocommit()
            if free and _is_isolated(connection):
                stack.enter_context(transaction.atomic(using=alias))
                with connection.cursor() as cursor:
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
            yield
    finally:
        if opened and not connection.in_atomic_block:
            connection.close()


def _is_isolated(connection: Any) -> bool:
    """Whether transactions of the host's see less than what is committed."""
    if connection.vendor == "mysql":
        return bool(connection.isolation_level != "read committed")
    if connection.vendor != "postgresql":
        return False
    if connection.isolation_level.name != "READ_COMMITTED":
        return True
    # That was said by the host's settings or by nobody: the database may have a default of its own.
    found = _isolated.get(connection)
    if found is None:
        with connection.cursor() as cursor:
            cursor.execute("SHOW default_transaction_isolation")
            found = _isolated[connection] = cursor.fetchone() != ("read committed",)
    return found


def persistently(alias: str, work: Callable[[], T]) -> T:
    """Do something, and again where the server has undone it for the sake of another.

    And where it had ended the connection of this thread.

    Args:
        alias: Name of the database.
        work: What is done there; all of it again, after whatever part of it was done.

    Raises:
        Exception: What ``work`` raises, otherwise, for the last time, or in a transaction of the
            host's, who alone can begin that anew.
    """
    for _ in range(_TRIES - 1):
        try:
            return work()
        except Error as error:
            if connections[alias].in_atomic_block or not (_was_undone(error) or _was_cut(alias)):
                raise
    return work()


def _was_undone(error: Error) -> bool:
    # psycopg has the SQLSTATE, in either version; the drivers of MySQL have numbers.
    state = getattr(error.__cause__, "sqlstate", None) or getattr(error.__cause__, "pgcode", None)
    return not _UNDONE.isdisjoint((state, *error.args[:1]))


def _was_cut(alias: str) -> bool:
    connection = connections[alias]
    # Never a transaction of the host's: it is over, and only the host may begin another.
    if connection.in_atomic_block or not connection.autocommit or connection.connection is None:
        return False
    if not connection.errors_occurred or connection.is_usable():
        return False
    connection.close()
    return True
