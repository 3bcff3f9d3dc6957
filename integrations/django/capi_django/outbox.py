"""Deliveries in the host's own database, where they share the fate of its transactions.

What is stored in a transaction exists if and only if the transaction commits; relays, as many as
there are processes, send it. What the database does not take is kept in memory for a while, and the
host never sees an error of ours.
"""

from __future__ import annotations

import functools
import time
import uuid
from collections.abc import Callable, Collection, Sequence

import attrs
from django.core.exceptions import SynchronousOnlyOperation
from django.db import connections, transaction

from capi_django import noticeboard
from capi_django.context_store import DatabaseContextStore
from capi_django.held_store import DatabaseHeldStore
from capi_django.journal import make_journal
from capi_django.outbox_rows import LEASE, Rows, dead_letter, delivery, first_of_each, identity
from capi_django.reach import Reach
from capi_django.relay import Relay
from capi_django.statements import borrowed, persistently, savepoint
from capi_plugins.journal import Journal
from capi_plugins.outbox.base import (
    RETENTION,
    DeadLetter,
    Delivery,
    Make,
    OutboxStats,
    Standing,
    Stored,
)
from capi_plugins.outbox.sqlite_overflow import Overflow

_CLOSE_SECONDS = 1.0


class DatabaseOutbox:
    """An outbox for all processes that use a database; one object for each of them.

    Args:
        alias: Name of the database.
        clock: Seconds since the epoch.
        lease: Seconds after which others take what this process has taken and does not prolong.
        retention: Seconds for which dead letters are kept.
    """

    inline = False

    def __init__(
        self,
        alias: str,
        *,
        clock: Callable[[], float] = time.time,
        lease: float = LEASE,
        retention: float = RETENTION,
    ) -> None:
        self._alias = alias
        self._clock = clock
        self._rows = Rows(alias, lease=lease, retention=retention)
        self._me = uuid.uuid4().hex
        self._overflow = Overflow(
            f"in database {alias!r}", self._store_overflow, self._known, clock
        )
        self._relay = Relay(self._rows, holder=self._me, lease=lease, clock=clock)
        self._reach = Reach(alias)

    @property
    def contexts(self) -> DatabaseContextStore:
        """Contexts of shoppers, in the same database; see ``KeepsContexts``."""
        return DatabaseContextStore(self._alias)

    @property
    def held(self) -> DatabaseHeldStore:
        """Events of visitors who have not decided, in the same database; see ``KeepsHeld``."""
        return DatabaseHeldStore(self._alias)

    @property
    def journal(self) -> Journal:
        """What became of events, in the same database or beside it; see ``KeepsJournal``."""
        return make_journal(self._alias)

    @property
    def durable(self) -> bool:
        """Whether deliveries outlive the process: but for those the database did not take."""
        return not self._overflow.waiting_for()

    # ------------------------------------------------------------------ putting

    def put(self, deliveries: Sequence[Delivery]) -> Stored:
        """Store deliveries; see ``Outbox.put``."""
        return self.complete(deliveries, ())

    def joins(self, database: str) -> bool:
        """Whether what is stored now belongs to a transaction; see ``TransactionalOutbox``."""
        if database != self._alias or not connections[self._alias].in_atomic_block:
            return False
        try:
            self._reach.ready()
        except Exception as error:
            self._overflow.put((), self._reach.trouble(error))
            return False
        return True

    def hold(self, make: Make, *, due: float) -> Sequence[Delivery]:
        """Store what is known of an event, as a part of the host's transaction.

        Inside a savepoint: whatever fails in here, the transaction does not.
        """
        with savepoint(self._alias):
            deliveries = make()
            rows = self._rows.hold(deliveries, self._clock(), due=due, owner=self._me)
            if any(row.pk is None for row in rows):
                # MySQL gives no keys back.
                mine = self._rows.waiting.filter(
                    destination__in=[row.destination for row in rows], due=due, owner=self._me
                )
                rows = [row for row in mine if row.event_id in {item.event_id for item in rows}]
            return [delivery(row) for row in rows]

    def complete(self, deliveries: Sequence[Delivery], withdrawn: Sequence[Delivery]) -> Stored:
        """Store final deliveries; see ``TransactionalOutbox.complete``."""
        if not deliveries and not withdrawn:
            return Stored()
        try:
            duplicates = persistently(self._alias, lambda: self._completed(deliveries, withdrawn))
        except Exception as error:
            # What is held of these stays held, and is found to be a duplicate in the end.
            self._relay.withdraw(item.key for item in withdrawn if item.key is not None)
            return self._refused(deliveries, error)
        self._overflow.trouble.is_over()
        return Stored(duplicates=tuple(duplicates))

    def _completed(self, final: Sequence[Delivery], gone: Sequence[Delivery]) -> list[Delivery]:
        self._reach.ready()
        with borrowed(self._alias):
            connection = connections[self._alias]
            inside = connection.in_atomic_block or not connection.get_autocommit()
            with transaction.atomic(using=self._alias):
                return self._complete(final, gone, inside=inside)

    def _refused(self, deliveries: Sequence[Delivery], error: Exception) -> Stored:
        kept = _new(deliveries)
        if isinstance(error, SynchronousOnlyOperation):
            # In an event loop, which must not wait: a thread stores them in a moment.
            stored = self._overflow.put(kept)
        else:
            stored = self._overflow.put(kept, self._reach.trouble(error))
        names = dict(zip(map(id, kept), deliveries, strict=True))
        return Stored(
            refused=[names[id(item)] for item in stored.refused],
            duplicates=[names[id(item)] for item in stored.duplicates],
            in_memory=stored.in_memory,
        )

    def _complete(
        self, deliveries: Sequence[Delivery], withdrawn: Sequence[Delivery], *, inside: bool
    ) -> list[Delivery]:
        now = self._clock()
        # First what is held: a relay that has taken it is the one who compares its identity.
        held: list[Delivery] = []
        duplicates: list[Delivery] = []
        for item in deliveries:
            mine = item.key is None or self._rows.complete(item, self._me)
            # Else the request took longer than the grace period, and what was known has left.
            (held if mine else duplicates).append(item)
        fresh, gone = self._overflow.parted(held)
        if inside:
            # Compared when they are taken: asking now could end in a deadlock.
            self._relay.expect(item.destination for item in fresh)
        else:
            new = self._rows.admit(map(identity, fresh), now)
            fresh, seen = first_of_each(fresh, new)
            gone += seen
            self._rows.mark_admitted([item.key for item in fresh if item.key is not None])
        duplicates += gone
        self._rows.remove([item.key for item in gone if item.key is not None], [""])
        self._rows.remove([item.key for item in withdrawn if item.key is not None], [self._me])
        self._rows.insert([d for d in fresh if d.key is None], now, admitted=not inside)
        return duplicates

    def _store_overflow(
        self,
        deliveries: Sequence[Delivery],
        sent: Sequence[Delivery],
        budget: float | None,  # noqa: ARG002
    ) -> None:
        def store() -> None:
            with borrowed(self._alias), transaction.atomic(using=self._alias):
                now = self._clock()
                self._rows.admit(map(identity, sent), now)
                new = self._rows.admit(map(identity, deliveries), now)
                fresh, _ = first_of_each(_new(deliveries), new)
                self._rows.insert(fresh, now, admitted=True)

        try:
            self._reach.ready()
            persistently(self._alias, store)
        except Exception as error:
            raise self._reach.trouble(error) from None

    def _known(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        try:
            self._reach.ready()
            with borrowed(self._alias):
                known = self._rows.known(map(identity, deliveries), self._clock())
        except Exception as error:
            raise self._reach.trouble(error) from None
        return [item for item in deliveries if identity(item) in known]

    # ------------------------------------------------------------------ sending

    def take(
        self, destination: str, *, limit: int, max_bytes: int, now: float
    ) -> Sequence[Delivery]:
        """Lease deliveries that are due; see ``Outbox.take``.

        What could not be stored is sent from memory.
        """
        if not self._overflow.store():
            batch = self._overflow.take(destination, limit=limit, max_bytes=max_bytes, now=now)
            if batch:
                return batch
        return self._relay.take(destination, limit=limit, max_bytes=max_bytes, now=now)

    def remaining(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """Leave out what was forgotten or taken by others meanwhile; see ``Outbox.remaining``."""
        in_memory, rest = self._overflow.remaining(deliveries)
        return [*in_memory, *self._relay.remaining(rest)] if rest else in_memory

    def delivered(self, deliveries: Sequence[Delivery]) -> None:
        """Remove accepted deliveries."""
        self._relay.settle(self._overflow.delivered(deliveries), self._rows.remove)

    def retry(self, deliveries: Sequence[Delivery], *, at: float, attempt: bool) -> None:
        """Give deliveries back, due at ``at``."""
        rest = self._overflow.retry(deliveries, at=at, attempt=attempt)
        self._relay.settle(rest, functools.partial(self._rows.postpone, due=at, attempt=attempt))

    def dead(self, deliveries: Sequence[Delivery], *, reason: str) -> None:
        """Put deliveries aside; they are kept as long as the retention says."""
        rest = self._overflow.dead(deliveries, reason=reason)
        self._relay.settle(
            rest, functools.partial(self._rows.bury, reason=reason, now=self._clock())
        )

    def next_due(self, destination: str) -> float | None:
        """When the next delivery is due.

        After a transaction of the host was given something, every second or so until it shows.
        """
        in_memory = self._overflow.next_due(destination)
        if in_memory is not None:
            return in_memory
        return self._relay.next_due(destination)

    def waiting_for(self) -> Collection[str]:
        """Names of the destinations for which something waits that is not in flight from here."""
        return {*self._overflow.waiting_for(), *self._relay.waiting_for()}

    def stats(self) -> OutboxStats:
        """Count what is stored, by all processes, and what this one keeps in memory."""
        memory = self._overflow.stats()
        try:
            self._reach.ready()
            with borrowed(self._alias):
                waiting, dead, oldest = self._rows.stats()
        except Exception as error:
            problem = memory.problem or self._reach.trouble(error).problem
            return attrs.evolve(memory, problem=problem)
        return memory.and_stored(waiting, dead, oldest)

    def post(self, standing: Standing) -> None:
        """Tell the other processes of a destination; see ``Noticeboard.post``."""
        with borrowed(self._alias):
            noticeboard.post(self._alias, standing)

    def probe(self, standing: Standing, *, until: float) -> bool:
        """Be the one who tries a stopped destination; see ``Noticeboard.probe``."""
        with borrowed(self._alias):
            return noticeboard.probe(self._alias, standing, until)

    def standings(self) -> Sequence[Standing]:
        """Return what is known of the destinations; see ``Noticeboard.standings``."""
        with borrowed(self._alias):
            return noticeboard.standings(self._alias)

    # ------------------------------------------------------------------ dead letters, erasure

    def dead_letters(self, limit: int) -> Sequence[DeadLetter]:
        """Return the dead letters that died last; see ``Outbox.dead_letters``."""
        with borrowed(self._alias):
            letters = self._rows.letters.order_by("-died_at", "-id")[:limit]
            return tuple(dead_letter(row) for row in letters)

    def replay(self, keys: Collection[int]) -> int:
        """Have dead letters tried again; see ``Outbox.replay``."""
        with borrowed(self._alias):
            return self._rows.replay(keys, self._clock())

    def drop(self, keys: Collection[int]) -> int:
        """Remove dead letters for good; see ``Outbox.drop``."""
        with borrowed(self._alias):
            return self._rows.drop(keys)

    def forget(self, needles: Sequence[str], *, destination: str | None = None) -> list[Delivery]:
        """Remove what holds one of some texts; see ``Outbox.forget``."""
        removed = self._overflow.forget(needles, destination=destination)
        with borrowed(self._alias):
            return [*removed, *self._rows.forget(needles, destination)]

    def close(self) -> None:
        """Give back what is in flight."""
        self._overflow.close(_CLOSE_SECONDS)
        self._relay.close()


def _new(deliveries: Sequence[Delivery]) -> list[Delivery]:
    return [attrs.evolve(item, key=None) for item in deliveries]
