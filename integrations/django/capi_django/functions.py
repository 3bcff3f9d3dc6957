"""What the outbox asks a database to compute, in each of their languages."""

from __future__ import annotations

import time
from typing import Any

from django.db import connections
from django.db.models import BinaryField, BooleanField, F, FloatField, Func, Value


class DatabaseClock(Func):
    """Seconds since the epoch by the clock of the database, which all relays share."""

    def __init__(self) -> None:
        super().__init__(output_field=FloatField())

    def as_sql(self, *_: Any, **__: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        """Take this machine's clock where none of the below fits."""
        return "%s", [time.time()]

    def as_postgresql(self, *_: Any, **__: Any) -> tuple[str, list[Any]]:
        """Not ``now()``, which stands still in a transaction."""
        return "EXTRACT(EPOCH FROM clock_timestamp())::double precision", []

    def as_mysql(self, *_: Any, **__: Any) -> tuple[str, list[Any]]:
        """The one function that no time zone changes; MariaDB too."""
        return "UNIX_TIMESTAMP()", []

    def as_sqlite(self, *_: Any, **__: Any) -> tuple[str, Any]:
        """Days since the year -4713, in seconds since 1970."""
        return "((julianday('now') - 2440587.5) * 86400.0)", []


class _Contains(Func):
    """Whether the second of two expressions stands in the first."""

    template = "(INSTR(%(expressions)s) > 0)"

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        return self.as_sql(
            compiler, connection, template="(POSITION(%(expressions)s) > 0)", arg_joiner=" IN "
        )


def holds(needle: bytes, alias: str) -> Func:
    """Make the condition that a payload holds some bytes.

    Args:
        needle: The bytes.
        alias: Name of the database.
    """
    wanted = Value(needle, output_field=BinaryField())
    if connections[alias].vendor == "postgresql":
        return _Contains(wanted, F("payload"), output_field=BooleanField())
    return _Contains(F("payload"), wanted, output_field=BooleanField())
