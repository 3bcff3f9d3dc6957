"""The journal of a host: in the database of the outbox, or beside it where that is a file."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from django.db import connections
from django.db.models import F, QuerySet, Sum

from capi_django.models import JournalChunk
from capi_django.removing import remove
from capi_django.statements import connected
from capi_plugins.journal import (
    KEPT_DAYS,
    FolderJournal,
    Journal,
    decoded,
    encoded,
    events_with,
    without,
)

MOST_BYTES = 32_000_000
"""Most bytes of one series; the oldest go."""
_ROW_BYTES = 200
_CHUNK = 500


def make_journal(alias: str) -> Journal:
    """Return the journal that is kept where a database is.

    Args:
        alias: Name of the database. A SQLite file has one writer at a time, who may be a request of
            the host: its journal is in a folder beside it.
    """
    connection: Any = connections[alias]
    if connection.vendor == "sqlite":
        return FolderJournal.beside(Path(connection.settings_dict["NAME"]).absolute())
    return DatabaseJournal(alias)


class DatabaseJournal:
    """Lines in a table, many in a row, for all processes and machines that use the database.

    Args:
        alias: Name of the database.
        most: Most bytes of one series, as they are stored.
    """

    def __init__(self, alias: str, *, most: int = MOST_BYTES) -> None:
        self._alias = alias
        self._most = most

    def write(self, lines: Sequence[Mapping[str, Any]], *, browsing: bool) -> None:
        """Append lines; see ``Journal.write``. Now and then, what is old or too much goes."""
        data = zlib.compress(encoded(lines))
        now = time.time()
        with connected(self._alias):
            row = self._chunks.create(at=now, browsing=browsing, size=len(data), lines=data)
            if row.pk % _CHUNK == 0:
                self.prune(now)

    def read(self) -> Iterator[dict[str, Any]]:
        """Give all lines; see ``Journal.read``."""
        for row in self._rows():
            yield from decoded(zlib.decompress(row.lines))

    def forget(self, hashes: Sequence[str]) -> int:
        """Remove lines; see ``Journal.forget``."""
        removed = 0
        events: set[str] = set()
        for row in self._rows():
            events |= events_with(zlib.decompress(row.lines), hashes)
        with connected(self._alias):
            for row in self._rows():
                kept, gone = without(zlib.decompress(row.lines), events)
                if gone:
                    removed += gone
                    self._chunks.filter(pk=row.pk).update(lines=zlib.compress(kept))
        return removed

    def prune(self, now: float) -> None:
        """Remove what is too old, and the oldest of a series that is too large.

        Args:
            now: Seconds since the epoch.
        """
        remove(self._chunks.filter(at__lt=now - KEPT_DAYS * 86_400))
        for browsing in (False, True):
            series = self._chunks.filter(browsing=browsing)
            size = series.aggregate(size=Sum(F("size") + _ROW_BYTES))["size"] or 0
            excess = size - self._most
            while excess > 0:
                oldest = list(series.order_by("pk").values_list("pk", "size")[:_CHUNK])
                gone = []
                for pk, bytes_ in oldest:
                    if excess > 0:
                        gone.append(pk)
                        excess -= bytes_ + _ROW_BYTES
                if not gone:
                    break
                remove(self._chunks.filter(pk__in=gone))

    def _rows(self) -> Iterator[JournalChunk]:
        # Not by a cursor of the server: poolers such as pgbouncer do not keep those.
        last = 0
        while True:
            with connected(self._alias):
                rows = list(self._chunks.filter(pk__gt=last).order_by("pk")[:_CHUNK])
            if not rows:
                return
            yield from rows
            last = rows[-1].pk

    @property
    def _chunks(self) -> QuerySet[JournalChunk]:
        return JournalChunk.objects.using(self._alias)
