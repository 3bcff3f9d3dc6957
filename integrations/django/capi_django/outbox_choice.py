"""Which outbox a process gets for the setting ``database``."""

from __future__ import annotations

import time
from collections.abc import Callable

from capi_django.database import database, keeps
from capi_django.outbox import DatabaseOutbox
from capi_plugins.outbox.base import Outbox
from capi_plugins.outbox.memory import MemoryOutbox
from capi_plugins.settings import Settings


def make_outbox(settings: Settings, clock: Callable[[], float] = time.time) -> Outbox:
    """Make the outbox of a process.

    Args:
        settings: Which database, and the limits of an outbox in memory.
        clock: Seconds since the epoch.

    Returns:
        One in the database; one in memory if there is no database, or if that is in memory itself
        (SQLite in tests).
    """
    delivery = settings.delivery
    alias = database(settings)
    if not keeps(alias):
        # It ends with the process anyway, and a worker's thread would lock the host's tables.
        return MemoryOutbox.of(delivery, clock)
    return DatabaseOutbox(alias, clock=clock, retention=delivery.retention_seconds)
