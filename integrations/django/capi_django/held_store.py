"""Events of visitors who have not decided, in the database of the outbox."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from django.db import transaction
from django.db.models import QuerySet

from capi_django.models import HeldEvent as Entry
from capi_django.removing import remove
from capi_django.statements import connected
from capi_plugins.held_store import MOST_HELD, HeldEvent, room_for

_CHUNK = 1_000


class DatabaseHeldStore:
    """Holds events in a table, for all processes that use the database.

    Args:
        alias: Name of the database.
        most: Most events; the oldest go.
    """

    def __init__(self, alias: str, *, most: int = MOST_HELD) -> None:
        self._alias = alias
        self._most = most

    def hold(self, events: Sequence[HeldEvent]) -> Sequence[HeldEvent]:
        """Hold events; see ``HeldStore.hold``.

        Two requests at the same moment may together hold some more of one visitor.
        """
        visitors = {event.visitor: set[str]() for event in events}
        with connected(self._alias):
            rows = self._entries.filter(visitor__in=visitors).values_list("visitor", "pk")
            for visitor, key in rows:
                visitors[visitor].add(key)
            new, refused = room_for(events, visitors)
            self._entries.bulk_create(
                [
                    Entry(
                        key=event.key,
                        visitor=event.visitor,
                        until=event.until,
                        event=event.to_json(),
                    )
                    for event in sorted(new, key=lambda event: event.key)
                ],
                ignore_conflicts=True,
            )
        return refused

    def find(self, visitors: Collection[str]) -> Sequence[HeldEvent]:
        """Return what is held; see ``HeldStore.find``."""
        with connected(self._alias):
            rows = self._entries.filter(visitor__in=visitors).order_by("until")
            return _events(rows)

    def remove(self, keys: Collection[str]) -> None:
        """Remove events; see ``HeldStore.remove``."""
        with connected(self._alias):
            remove(self._entries.filter(pk__in=sorted(keys)))

    def prune(self, now: float) -> Sequence[HeldEvent]:
        """Remove what is over or too much; see ``HeldStore.prune``."""
        with connected(self._alias), transaction.atomic(using=self._alias):
            gone = _events(self._entries.filter(until__lt=now).order_by("until")[:_CHUNK])
            # In two steps: MySQL has no LIMIT in a subquery.
            waiting = self._entries.filter(until__gte=now).order_by("-until")
            gone += _events(waiting[self._most : self._most + _CHUNK])
            if gone:
                keys = sorted(event.key for event in gone)
                remove(self._entries.filter(pk__in=keys))
        return gone

    def forget(self, needles: Collection[str]) -> int:
        """Erase people; see ``HeldStore.forget``."""
        with connected(self._alias):
            return sum(remove(self._entries.filter(event__contains=one)) for one in needles if one)

    @property
    def _entries(self) -> QuerySet[Entry]:
        return Entry.objects.using(self._alias)


def _events(rows: QuerySet[Entry]) -> list[HeldEvent]:
    return [HeldEvent.from_json(text) for text in rows.values_list("event", flat=True)]
