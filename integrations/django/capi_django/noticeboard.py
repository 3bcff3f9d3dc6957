"""The noticeboard of the database outbox: what senders tell each other of the destinations."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from django.db import connections

from capi_django.models import DestinationStanding
from capi_plugins.outbox.base import Standing

_FIELDS = [field.name for field in attrs.fields(Standing)]


def post(alias: str, standing: Standing) -> None:
    """Replace what is known of a destination, in one statement.

    Args:
        alias: Name of the database.
        standing: What is known now.
    """
    targets = connections[alias].features.supports_update_conflicts_with_target
    DestinationStanding.objects.using(alias).bulk_create(
        [DestinationStanding(**attrs.asdict(standing))],
        update_conflicts=True,
        unique_fields=["destination"] if targets else None,
        update_fields=[name for name in _FIELDS if name != "destination"],
    )


def probe(alias: str, standing: Standing, until: float) -> bool:
    """Change until when a destination is stopped, unless somebody has; tell whether nobody had.

    Args:
        alias: Name of the database.
        standing: What was known of the destination.
        until: Until when, seconds since the epoch.
    """
    found = DestinationStanding.objects.using(alias).filter(
        destination=standing.destination,
        configuration=standing.configuration,
        stopped_until=standing.stopped_until,
    )
    return found.update(stopped_until=until) == 1


def standings(alias: str) -> Sequence[Standing]:
    """Return what is known of the destinations, by name.

    Args:
        alias: Name of the database.
    """
    rows = DestinationStanding.objects.using(alias).values(*_FIELDS)
    # Sorted here: databases differ in what comes first.
    return sorted((Standing(**row) for row in rows), key=lambda each: each.destination)
