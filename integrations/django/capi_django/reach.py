"""Whether the outbox's database can be used at the moment."""

from __future__ import annotations

import time

from capi_django.database import missing_tables
from capi_django.models import WaitingDelivery
from capi_django.statements import borrowed
from capi_plugins.leaving import pass_on
from capi_plugins.outbox.sqlite_file import Unavailable

_AGAIN = 1.0


class Reach:
    """One process's way to a database: whether it leads anywhere.

    Args:
        alias: Name of the database.
    """

    def __init__(self, alias: str) -> None:
        self._alias = alias
        self._migrated = False
        self._trouble = Unavailable("it was not tried yet")
        self._trouble_until = 0.0

    def ready(self) -> None:
        """Make sure, once, that the tables are there; do not ask again right after trouble.

        Raises:
            Unavailable: There was trouble a moment ago, or the tables are missing.
        """
        if time.monotonic() < self._trouble_until:
            raise self._trouble
        if not self._migrated:
            with borrowed(self._alias):
                missing = missing_tables(self._alias)
            self._migrated = WaitingDelivery._meta.db_table not in missing
            if not self._migrated:
                raise Unavailable("its tables are missing, run 'manage.py migrate capi_django'")

    def trouble(self, error: Exception) -> Unavailable:
        """Note what went wrong, and say it.

        Args:
            error: What the database, or ``ready``, has raised.
        """
        if error is self._trouble:
            return self._trouble
        pass_on(error)
        if not isinstance(error, Unavailable):
            error = Unavailable(type(error).__name__)
        self._trouble = error
        self._trouble_until = time.monotonic() + _AGAIN
        return error
