"""The database that the outbox is in: which one, whether it can be, and whether it is ready."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db import connections, router, transaction

from capi_django.models import WaitingDelivery
from capi_plugins.settings import Settings


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


def was_cut(alias: str) -> bool:
    """Whether the server has ended the connection of this thread: then the next use opens another.

    Args:
        alias: Name of the database.
    """
    connection = connections[alias]
    # Never the host's transaction, though it may be over.
    if connection.in_atomic_block or connection.connection is None:
        return False
    if not connection.errors_occurred or connection.is_usable():
        return False
    connection.close()
    return True
