"""Inserts whose statement is put together once: Django would compile it anew for every request.

A request that has an event waits for two of them, and compiling costs more than running.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connections
from django.db.models import Model
from django.db.models.constants import OnConflict


class Insert:
    """An insert of some columns of a table.

    Args:
        alias: Name of the database.
        model: The table.
        names: The fields that are given, all that have no default in the database.
        ignore: Whether rows that are there already are left as they are.
    """

    def __init__(
        self, alias: str, model: type[Model], names: Sequence[str], *, ignore: bool = False
    ) -> None:
        self._alias = alias
        # Any: the stubs count relations to a model among its fields.
        self._fields: list[Any] = [model._meta.get_field(name) for name in names]
        connection = connections[alias]
        quoted = connection.ops.quote_name
        on_conflict = OnConflict.IGNORE if ignore else None
        columns = ", ".join(quoted(field.column) for field in self._fields)
        self._head = (
            f"{connection.ops.insert_statement(on_conflict=on_conflict)} "
            f"{quoted(model._meta.db_table)} ({columns}) VALUES "
        )
        self._row = f"({', '.join(['%s'] * len(self._fields))})"
        self._tail = connection.ops.on_conflict_suffix_sql(self._fields, on_conflict, [], [])

    def run(self, rows: Sequence[Sequence[object]]) -> int:
        """Insert rows; return how many were not there.

        Args:
            rows: Values in the order of the names.
        """
        connection = connections[self._alias]
        most = max(1, connection.ops.bulk_batch_size(self._fields, rows))
        inserted = 0
        with connection.cursor() as cursor:
            for start in range(0, len(rows), most):
                part = rows[start : start + most]
                values = [
                    field.get_db_prep_save(value, connection)
                    for row in part
                    for field, value in zip(self._fields, row, strict=True)
                ]
                marks = ", ".join([self._row] * len(part))
                cursor.execute(f"{self._head}{marks} {self._tail}", values)
                inserted += cursor.rowcount
        return inserted
