"""The database that the outbox is in: which one, whether it can be, and whether it is ready."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from django.apps import apps
from django.db import Error, connections, router, transaction

from capi_django.models import WaitingDelivery
from capi_plugins.settings import Settings

T = TypeVar("T")


def database(settings: Settings) -> str:
    """Name the database of the outbox: that of the settings, else what the routers say."""
    return settings.delivery.database or router.db_for_write(WaitingDelivery)


def keeps(alias: str) -> bool:
    """Whether there is a database, and it outlives the process.

    Args:
        alias: Name of the database.
    """
    connection: Any = connections[alias]
    if connection.settings_dict["ENGINE"] == "django.db.backends.dummy":
        return False
    return not (connection.vendor == "sqlite" and connection.is_in_memory_db())


def missing_tables(alias: str) -> set[str]:
    """Name the tables of this app that a database does not have.

    Args:
        alias: Name of the database.
    """
    wanted = {model._meta.db_table for model in apps.get_app_config("capi_django").get_models()}
    connection = connections[alias]
    with connection.cursor() as cursor:
        return wanted - set(connection.introspection.table_names(cursor))


@contextlib.contextmanager
def connected(alias: str) -> Iterator[None]:
    """Let no error of ours end a transaction of the host's, and leave no connection behind.

    Args:
        alias: Name of the database.
    """
    with borrowed(alias):
        if connections[alias].in_atomic_block:
            with transaction.atomic(using=alias):
                yield
        else:
            yield


@contextlib.contextmanager
def borrowed(alias: str) -> Iterator[None]:
    """Close a connection that was opened for this: idle threads hold none.

    Args:
        alias: Name of the database.
    """
    connection = connections[alias]
    opened = connection.connection is None
    try:
        yield
    finally:
        if opened and not connection.in_atomic_block:
            connection.close()


def once_more_if_cut(alias: str, work: Callable[[], T]) -> T:
    """Do something, and again where the server had ended the connection of this thread.

    Args:
        alias: Name of the database.
        work: What is done there; not part of a transaction of the host's.

    Raises:
        Exception: What ``work`` raises, otherwise or again.
    """
    try:
        return work()
    except Error:
        if not _was_cut(alias):
            raise
    return work()


def _was_cut(alias: str) -> bool:
    connection = connections[alias]
    # Never a transaction of the host's: it is over, and only the host may begin another.
    if connection.in_atomic_block or not connection.autocommit or connection.connection is None:
        return False
    if not connection.errors_occurred or connection.is_usable():
        return False
    connection.close()
    return True
