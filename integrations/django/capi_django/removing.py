"""How rows of ours are removed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet


def remove(rows: QuerySet[Any]) -> int:
    """Remove rows, and return how many there were.

    Args:
        rows: All that are to go; neither in order nor in part.
    """
    # Not delete(): with a receiver of post_delete in the host it would load and announce each row.
    raw: Callable[[str], int | None] = rows._raw_delete
    return raw(rows.db) or 0


def remove_part(rows: QuerySet[Any]) -> None:
    """Remove some of the rows there are, in two steps: MySQL has no LIMIT in a subquery.

    Args:
        rows: A slice.
    """
    keys = list(rows.values_list("pk", flat=True))
    if keys:
        remove(rows.model.objects.using(rows.db).filter(pk__in=keys))
