"""Every statement on the tables of the database outbox; none waits for a transaction of the host.

Rows are chosen by their state, never by "newer than the last one seen": transactions become visible
in another order than that of their keys.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import attrs
from django.db import connections, transaction
from django.db.models import F, Min, QuerySet
from django.utils.functional import cached_property

from capi_django.functions import DatabaseClock, holds
from capi_django.inserting import Insert
from capi_django.models import DeadLetter, SeenEvent, WaitingDelivery
from capi_django.removing import remove, remove_part
from capi_plugins.outbox import base
from capi_plugins.outbox.base import Delivery

LEASE = 60.0
"""Seconds for which a row belongs to whoever took it, unless prolonged."""
_REMEMBER_SECONDS = 48 * 3600
_DEAD_MOST = 10_000
_CHUNK = 500
_FRESH = 4
"""Of that many deliveries one may be of the newest."""
_Row = TypeVar("_Row")
_WAITING = (
    *("destination", "event_name", "event_id", "payload", "expires_at", "attempts"),
    *("due", "put_at", "admitted", "owner", "leased_until"),
)


class Rows:
    """The tables in one database.

    Args:
        alias: Name of the database.
        lease: Seconds for which a row belongs to whoever took it.
        retention: Seconds for which dead letters are kept.
    """

    def __init__(
        self, alias: str, *, lease: float = LEASE, retention: float = base.RETENTION
    ) -> None:
        self.alias = alias
        self._lease = lease
        self._retention = retention

    @property
    def waiting(self) -> QuerySet[WaitingDelivery]:
        """What is to be sent."""
        return WaitingDelivery.objects.using(self.alias)

    @property
    def letters(self) -> QuerySet[DeadLetter]:
        """What is not tried again."""
        return DeadLetter.objects.using(self.alias)

    @property
    def seen(self) -> QuerySet[SeenEvent]:
        """What was put within the last 48 hours."""
        return SeenEvent.objects.using(self.alias)

    @cached_property
    def _see(self) -> Insert:
        return Insert(self.alias, SeenEvent, ("identity", "at", "by"), ignore=True)

    @cached_property
    def _wait(self) -> Insert:
        return Insert(self.alias, WaitingDelivery, _WAITING)

    # ------------------------------------------------------------------ in

    def admit(self, identities: Iterable[str], now: float) -> set[str]:
        """Remember identities; return those that are new. Belongs into a short transaction."""
        wanted = sorted(set(identities))  # in order, so that two of these do not deadlock
        me = secrets.token_hex(16)
        new: set[str] = set()
        for chunk in _chunks(wanted):
            if self._see.run([(item, now, me) for item in chunk]) == len(chunk):
                new.update(chunk)
                continue
            for row in self.seen.filter(identity__in=chunk):
                if row.by == me or (
                    now - row.at >= _REMEMBER_SECONDS
                    and self.seen.filter(identity=row.identity, by=row.by).update(by=me, at=now)
                ):
                    new.add(row.identity)
        return new

    def known(self, identities: Iterable[str], now: float) -> set[str]:
        """Return the identities that are not new."""
        oldest = now - _REMEMBER_SECONDS
        found: set[str] = set()
        for chunk in _chunks(identities):
            rows = self.seen.filter(identity__in=chunk, at__gt=oldest)
            found.update(rows.values_list("identity", flat=True))
        return found

    def insert(self, deliveries: Iterable[Delivery], now: float, *, admitted: bool) -> None:
        """Store deliveries, due at once."""
        rest = {"put_at": now, "admitted": admitted, "due": 0.0, "owner": "", "leased_until": 0.0}
        rows = [{**_columns(item), **rest} for item in deliveries]
        self._wait.run([[row[name] for name in _WAITING] for row in rows])

    def hold(
        self, deliveries: Iterable[Delivery], now: float, *, due: float, owner: str
    ) -> list[WaitingDelivery]:
        """Store deliveries for their owner, and return their rows; without keys on MySQL."""
        rows = [
            WaitingDelivery(**_columns(item), put_at=now, due=due, owner=owner)
            for item in deliveries
        ]
        return self.waiting.bulk_create(rows, batch_size=_CHUNK)

    def complete(self, delivery: Delivery, owner: str) -> bool:
        """Put a final delivery in the place of the one held by ``owner``, if that still is."""
        return bool(
            self.waiting.filter(pk=delivery.key, owner=owner).update(
                **_columns(delivery), due=0, owner=""
            )
        )

    def mark_admitted(self, keys: Collection[int]) -> None:
        """Note that the identities of rows were new."""
        for chunk in _chunks(keys):
            self.waiting.filter(pk__in=chunk).update(admitted=True)

    def remove(self, keys: Collection[int], owners: Collection[str]) -> None:
        """Remove rows that some owners own."""
        for chunk in _chunks(keys):
            remove(self.waiting.filter(pk__in=chunk, owner__in=owners))

    # ------------------------------------------------------------------ out

    def claim(
        self, destination: str, *, limit: int, max_bytes: int, now: float, owner: str
    ) -> list[WaitingDelivery]:
        """Lease rows that are due: those never tried first, then those due longest.

        Where more waits than fits, a quarter are the newest: they do not wait for a backlog.
        """
        ready = self.waiting.filter(
            destination=destination, due__lte=now, leased_until__lte=DatabaseClock()
        )
        lease = {"owner": owner, "leased_until": DatabaseClock() + self._lease}
        if connections[self.alias].features.has_select_for_update_skip_locked:
            with transaction.atomic(using=self.alias):
                rows = _fitting(_next(ready.select_for_update(skip_locked=True), limit), max_bytes)
                for chunk in _chunks([row.pk for row in rows]):
                    self.waiting.filter(pk__in=chunk).update(**lease)
            return rows
        # Whoever is first gets a row; the others do not find it ready any more. It is read again
        # then: in the meantime the request that held it may have completed it.
        wanted = [row.pk for row in _fitting(_next(ready, limit), max_bytes)]
        won: list[WaitingDelivery] = []
        for chunk in _chunks(wanted):
            ready.filter(pk__in=chunk).update(**lease)
            won += self.waiting.filter(pk__in=chunk, owner=owner).order_by("due", "id")
        return won

    def admit_claimed(
        self, rows: Sequence[WaitingDelivery], owner: str, now: float
    ) -> list[WaitingDelivery]:
        """Remove the duplicates among claimed rows that nobody has compared yet."""
        unknown = [row for row in rows if not row.admitted]
        if not unknown:
            return list(rows)
        with transaction.atomic(using=self.alias):
            new = self.admit((identity(delivery(row)) for row in unknown), now)
            first: dict[str, int] = {}
            for row in unknown:
                key = identity(delivery(row))
                if key in new:
                    first.setdefault(key, row.pk)
            self.mark_admitted(list(first.values()))
            duplicates = {row.pk for row in unknown} - set(first.values())
            self.remove(duplicates, [owner])
        return [row for row in rows if row.pk not in duplicates]

    def prolong(self, keys: Collection[int], owners: Collection[str]) -> None:
        """Lease rows for a while longer."""
        for chunk in _chunks(keys):
            self.waiting.filter(pk__in=chunk, owner__in=owners).update(
                leased_until=DatabaseClock() + self._lease
            )

    def owned(self, keys: Iterable[int], owners: Collection[str]) -> set[int]:
        """Return the keys of rows that some owners still own."""
        found: set[int] = set()
        for chunk in _chunks(keys):
            rows = self.waiting.filter(pk__in=chunk, owner__in=owners)
            found.update(rows.values_list("pk", flat=True))
        return found

    def release(self, destination: str, owner: str) -> None:
        """End the leases of an owner; the rows are due as they were."""
        # Looked for first: an update that looks itself waits for rows of the host's transactions.
        mine = self.waiting.filter(destination=destination, owner=owner)
        for chunk in _chunks(mine.values_list("pk", flat=True)):
            self.waiting.filter(pk__in=chunk, owner=owner).update(owner="", leased_until=0)

    def postpone(
        self, keys: Collection[int], owners: Collection[str], *, due: float, attempt: bool
    ) -> None:
        """End leases; the rows are due later."""
        for chunk in _chunks(keys):
            self.waiting.filter(pk__in=chunk, owner__in=owners).update(
                due=due, attempts=F("attempts") + int(attempt), owner="", leased_until=0
            )

    def bury(
        self, keys: Collection[int], owners: Collection[str], *, reason: str, now: float
    ) -> None:
        """Make rows dead letters."""
        for chunk in _chunks(keys):
            mine = self.waiting.filter(pk__in=chunk, owner__in=owners)
            with transaction.atomic(using=self.alias):
                # Written first: a transaction of SQLite that starts by reading may not go on.
                mine.update(leased_until=DatabaseClock() + self._lease)
                self.letters.bulk_create(
                    [
                        DeadLetter(**_columns(delivery(row)), reason=_text(reason), died_at=now)
                        for row in mine.order_by("id")
                    ]
                )
                remove(mine)

    def next_due(
        self, destination: str, owners: Collection[str]
    ) -> tuple[float | None, float | None]:
        """When a row is due, and in how many seconds the lease of somebody else ends."""
        rows = self.waiting.filter(destination=destination)
        free = rows.filter(leased_until__lte=DatabaseClock()).order_by("due", "id")
        due = free.values_list("due", flat=True).first()
        if due is not None:
            return due, None
        leased = rows.exclude(owner__in=owners)
        return None, leased.aggregate(left=Min(F("leased_until") - DatabaseClock()))["left"]

    # ------------------------------------------------------------------ dead letters, erasure

    def replay(self, keys: Iterable[int], now: float) -> int:
        """Have dead letters tried again."""
        count = 0
        for key in keys:
            with transaction.atomic(using=self.alias):
                letter = self.letters.filter(pk=key).first()
                if letter is not None and remove(self.letters.filter(pk=key)):
                    again = attrs.evolve(delivery(letter), attempts=0)
                    self.insert([again], now, admitted=True)
                    count += 1
        return count

    def drop(self, keys: Collection[int]) -> int:
        """Remove dead letters."""
        return sum(remove(self.letters.filter(pk__in=chunk)) for chunk in _chunks(keys))

    def forget(self, needles: Iterable[str], destination: str | None) -> list[Delivery]:
        """Remove what holds one of some texts, and goes to a destination if one is named."""
        only = {} if destination is None else {"destination": destination}
        gone: list[Delivery] = []
        tables: tuple[QuerySet[Any], ...] = (self.waiting, self.letters)
        for needle in filter(None, needles):
            for table in tables:
                rows = list(table.filter(holds(needle.encode(), self.alias), **only))
                for keys in _chunks([row.pk for row in rows]):
                    remove(table.filter(pk__in=keys))
                gone += [delivery(row) for row in rows]
        return gone

    # ------------------------------------------------------------------ looking, tidying

    def stats(self) -> tuple[int, int, float | None]:
        """How many wait, how many are dead, and when the oldest waiting one was put."""
        oldest = self.waiting.aggregate(at=Min("put_at"))["at"]
        return self.waiting.count(), self.letters.count(), oldest

    def prune(self, now: float) -> None:
        """Remove what is too old, in parts, so that nobody waits long."""
        remove_part(self.seen.filter(at__lt=now - _REMEMBER_SECONDS)[:_CHUNK])
        remove_part(self.letters.filter(died_at__lt=now - self._retention)[:_CHUNK])
        remove_part(self.letters.order_by("-died_at", "-id")[_DEAD_MOST : _DEAD_MOST + _CHUNK])


def identity(item: Delivery) -> str:
    """Return a digest of what is accepted once per 48 hours."""
    parts = (item.destination, item.event_name, item.event_id)
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]


def delivery(row: WaitingDelivery | DeadLetter) -> Delivery:
    """Make a delivery of a row."""
    return Delivery(
        destination=row.destination,
        event_name=row.event_name,
        event_id=row.event_id,
        payload=bytes(row.payload),
        expires_at=row.expires_at,
        attempts=row.attempts,
        key=row.pk,
    )


def dead_letter(row: DeadLetter) -> base.DeadLetter:
    """Make a dead letter of a row."""
    return base.DeadLetter(delivery=delivery(row), reason=row.reason, died_at=row.died_at)


def _columns(item: Delivery) -> dict[str, Any]:
    return {
        "destination": item.destination,
        "event_name": _text(item.event_name),
        "event_id": _text(item.event_id),
        "payload": item.payload,
        "expires_at": item.expires_at,
        "attempts": item.attempts,
    }


def _text(text: str) -> str:
    # For logs alone, what is sent is the payload. PostgreSQL takes no NUL, and nobody a surrogate.
    return text.encode(errors="replace").decode().replace("\0", "\ufffd")


def _next(ready: QuerySet[WaitingDelivery], limit: int) -> list[WaitingDelivery]:
    oldest = list(ready.order_by("due", "id")[:limit])
    newest: list[WaitingDelivery] = []
    if len(oldest) == limit >= _FRESH:
        newest = list(ready.filter(due=0).order_by("-id")[: limit // _FRESH])
    rows = {row.pk: row for row in (*newest, *oldest)}
    return list(rows.values())[:limit]


def _fitting(rows: Iterable[WaitingDelivery], max_bytes: int) -> list[WaitingDelivery]:
    batch: list[WaitingDelivery] = []
    size = 0
    for row in rows:
        size += len(row.payload)
        if batch and size > max_bytes:
            break
        batch.append(row)
    return batch


def _chunks(items: Iterable[_Row]) -> Iterator[list[_Row]]:
    every = list(items)
    for start in range(0, len(every), _CHUNK):
        yield every[start : start + _CHUNK]


def first_of_each(
    deliveries: Sequence[Delivery], identities: Collection[str]
) -> tuple[list[Delivery], list[Delivery]]:
    """Part the first delivery of each of some identities from the rest.

    Args:
        deliveries: All of them.
        identities: Those of which one is wanted.
    """
    wanted = set(identities)
    first: list[Delivery] = []
    rest: list[Delivery] = []
    for item in deliveries:
        (first if identity(item) in wanted else rest).append(item)
        wanted.discard(identity(item))
    return first, rest
