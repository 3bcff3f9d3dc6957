"""The database that the outbox is in: which one, whether it can be, and whether it is ready."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import connections, router

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
