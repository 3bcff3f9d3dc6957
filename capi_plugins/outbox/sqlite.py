"""Deliveries in a SQLite file that the processes of one host share.

What ``put`` has returned for survives the death of its process. Who sends is settled by a kernel
lock for each destination, which dies with its process and which no clock expires. So what is in
flight is known to the process that sends it and to nobody else: when that process dies, the rows
are simply waiting, and every process may be next.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import random
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import attrs

from capi_plugins.journal import FolderJournal
from capi_plugins.outbox import sqlite_rows as rows
from capi_plugins.outbox.base import (
    RETENTION,
    DeadLetter,
    Delivery,
    OutboxStats,
    Standing,
    Stored,
)
from capi_plugins.outbox.sqlite_contexts import BYTES_EACH, SqliteContextStore
from capi_plugins.outbox.sqlite_file import Door, Unavailable
from capi_plugins.outbox.sqlite_held import BYTES_EACH as BYTES_EACH_HELD
from capi_plugins.outbox.sqlite_held import SqliteHeldStore
from capi_plugins.outbox.sqlite_held_overflow import HeldOverflow
from capi_plugins.outbox.sqlite_locks import FileLocks
from capi_plugins.outbox.sqlite_overflow import Overflow
from capi_plugins.outbox.sqlite_place import MAX_BYTES, SqlitePlace, absolute
from capi_plugins.outbox.sqlite_settling import Settling
from capi_plugins.outbox.sqlite_tidying import Tidying

_log = logging.getLogger("capi_plugins.outbox")
_ASK_BUDGET = 1.0
_SETTLE_BUDGET = 10.0
_CLOSE_BUDGET = 2.0
_TIDY_BUDGET = 0.5
_POLL = 0.5
_PUTS_BETWEEN_LOOKS = 64


class SqliteOutbox:
    """An outbox for all processes of one host; one object for each process that uses it.

    Nothing is opened before it is needed. A file that cannot be used does not raise: deliveries
    are kept in memory, a thousand and 8 MB at most, and ``stats`` says why.

    Args:
        path: The file; its folder is made with mode 0700, the file has 0600.
        max_bytes: Largest size of the file.
        power_safe: Whether every commit is synced, so that it survives a power cut as well; it
            costs a disk sync while others wait.
        retention: Seconds for which dead letters are kept.
        clock: Seconds since the epoch.
    """

    inline = False
    durable = True

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_bytes: int = MAX_BYTES,
        power_safe: bool = False,
        retention: float = RETENTION,
        clock: Callable[[], float] = time.time,
    ) -> None:
        place = SqlitePlace(path=absolute(path), max_bytes=max_bytes, power_safe=power_safe)
        self._clock = clock
        self._name = place.path.name
        self._locks = FileLocks.of(place.path)
        # Requests put through one door, the worker uses the other, so that a request never waits
        # for what the worker of its own process is doing.
        self._front = Door(place, self._locks)
        self._back = Door(place, self._locks)
        self._tidying = Tidying(place.path, self._back, self._locks, clock, retention)
        self.contexts = SqliteContextStore(self._front, most=place.max_bytes // BYTES_EACH)
        self.held = HeldOverflow(
            SqliteHeldStore(self._front, most=place.max_bytes // BYTES_EACH_HELD)
        )
        self.journal = FolderJournal.beside(place.path)
        self._overflow = Overflow(self._name, self._insert_overflow, self._known, clock)
        self._not_before: dict[str, float] = {}
        self._settling = Settling(self._back, self._locks)
        self._puts = itertools.count(1)
        self._closed = False

    # ------------------------------------------------------------------ putting

    def put(self, deliveries: Sequence[Delivery]) -> Stored:
        """Store deliveries in one commit; see ``Outbox.put``.

        What finds the file locked for longer than 50 ms, full or broken is kept in memory, and
        stored as soon as the file can be written again.
        """
        if self._overflow.trouble.hopeless:
            return self._overflow.put(deliveries)
        try:
            with self._front.writing(None) as connection:
                fresh, duplicates = self._overflow.parted(deliveries)
                duplicates += rows.insert(connection, fresh, self._clock())
        except Unavailable as error:
            stored = self._displace(deliveries) if error.full else None
            return stored or self._overflow.put(deliveries, error)
        self._overflow.trouble.is_over()
        if next(self._puts) % _PUTS_BETWEEN_LOOKS == 0 and self._tidying.log_is_large():
            self._tidying.beside()
        return Stored(duplicates=tuple(duplicates))

    def _displace(self, deliveries: Sequence[Delivery]) -> Stored | None:
        """Store conversions in the place of page views; None: there is nothing to be gained."""
        with contextlib.suppress(Unavailable), self._front.writing(None) as connection:
            fresh, again = self._overflow.parted(deliveries)
            stored = rows.displace(connection, fresh, self._clock())
            return stored and attrs.evolve(stored, duplicates=(*stored.duplicates, *again))
        return None

    def _insert_overflow(
        self, deliveries: Sequence[Delivery], sent: Sequence[Delivery], budget: float | None
    ) -> None:
        with self._front.writing(budget) as connection:
            rows.insert(connection, deliveries, self._clock())
            rows.remember(connection, sent, self._clock())

    def _known(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        # Through the door of those who put, and so not while one of them is inside.
        with self._front.reading(_ASK_BUDGET) as connection:
            return rows.known(connection, deliveries, self._clock())

    # ------------------------------------------------------------------ sending

    def take(
        self, destination: str, *, limit: int, max_bytes: int, now: float
    ) -> Sequence[Delivery]:
        """Lease deliveries, unless another process sends to the destination; see ``Outbox.take``.

        What could not be stored is sent from memory.
        """
        batch: Sequence[Delivery] = ()
        if not self._overflow.store():
            batch = self._overflow.take(destination, limit=limit, max_bytes=max_bytes, now=now)
            if batch:
                return batch
        try:
            self._settling.pay()
            batch = self._take(destination, limit, max_bytes, now)
        except Unavailable as error:
            self._look_later(destination)
            if not error.passing:
                self._tidying.tidy()
        except OSError as error:
            self._look_later(destination)
            _log.error("outbox %s: nobody can be the sender: %s", self._name, error.strerror)
        return batch

    def _take(self, destination: str, limit: int, max_bytes: int, now: float) -> Sequence[Delivery]:
        sender = self._locks.sender(destination)
        batch: Sequence[Delivery] = ()
        try:
            with sender.mutex:
                if not sender.acquire():
                    self._look_later(destination)
                    return ()
                try:
                    with self._back.reading(_SETTLE_BUDGET) as connection:
                        batch = rows.due(
                            connection,
                            destination,
                            limit=limit,
                            max_bytes=max_bytes,
                            now=now,
                            leased=sender.leased,
                        )
                    self._settling.lease(destination, _keys(batch))
                finally:
                    sender.rest()
        except BaseException:
            # Out of memory, or a thread that is ended: what nobody gets must not stay leased.
            self._settling.release(batch)
            raise
        return batch

    def remaining(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """Leave out what was forgotten meanwhile; see ``Outbox.remaining``."""
        in_memory, in_file = self._overflow.remaining(deliveries)
        if not in_file:
            return in_memory
        with self._back.reading(_SETTLE_BUDGET) as connection:
            left = rows.still_waiting(connection, _keys(in_file))
        return [*in_memory, *(item for item in in_file if item.key in left)]

    def _look_later(self, destination: str) -> None:
        wait = random.uniform(_POLL / 2, _POLL)  # noqa: S311
        self._not_before[destination] = time.monotonic() + wait

    def delivered(self, deliveries: Sequence[Delivery]) -> None:
        """Remove accepted deliveries."""
        self._settle(
            rows.DELIVERED,
            [
                (item.key,)
                for item in self._settling.in_flight(self._overflow.delivered(deliveries))
            ],
            deliveries,
        )
        self._tidying.now_and_then()

    def retry(self, deliveries: Sequence[Delivery], *, at: float, attempt: bool) -> None:
        """Give deliveries back, due at ``at``, or in an hour if that is sooner."""
        due = min(at, self._clock() + rows.LONGEST_WAIT)
        self._settle(
            rows.RETRY,
            [
                (due, item.attempts + attempt, item.key)
                for item in self._settling.in_flight(
                    self._overflow.retry(deliveries, at=at, attempt=attempt)
                )
            ],
            deliveries,
        )

    def dead(self, deliveries: Sequence[Delivery], *, reason: str) -> None:
        """Put deliveries aside; they are kept as long as the retention says."""
        now = self._clock()
        self._settle(
            rows.DEAD,
            [
                (reason, now, item.attempts, item.key)
                for item in self._settling.in_flight(self._overflow.dead(deliveries, reason=reason))
            ],
            deliveries,
        )

    def _settle(
        self, statement: str, values: list[tuple[Any, ...]], deliveries: Sequence[Delivery]
    ) -> None:
        self._settling.settle(statement, values, deliveries)
        if values and self._closed:
            self._back.close()

    def next_due(self, destination: str) -> float | None:
        """When the next delivery is due; a little later while another process sends."""
        in_memory = self._overflow.next_due(destination)
        leased = set(self._locks.sender(destination).leased)
        now = self._clock()
        try:
            with self._back.reading(_SETTLE_BUDGET) as connection:
                due = rows.next_due(connection, destination, now=now, leased=leased)
        except Unavailable:
            return now + _POLL if in_memory is None else in_memory
        self._tidying.now_and_then()
        if due is None and destination in self._settling.destinations:
            # Nothing is to be sent, but what became of something is still to be written down.
            due = now + _POLL
        if due is None:
            return in_memory
        wait = self._not_before.get(destination, 0.0) - time.monotonic()
        due = max(due, now + wait) if wait > 0 else due
        return due if in_memory is None else min(due, in_memory)

    # ------------------------------------------------------------------ dead letters, erasure

    def dead_letters(self, limit: int) -> Sequence[DeadLetter]:
        """Return the dead letters that died last; see ``Outbox.dead_letters``."""
        with self._back.reading(_SETTLE_BUDGET) as connection:
            return rows.dead_letters(connection, limit)

    def replay(self, keys: Collection[int]) -> int:
        """Have dead letters tried again; see ``Outbox.replay``."""
        return self._change(rows.REPLAY, [(key,) for key in keys])

    def drop(self, keys: Collection[int]) -> int:
        """Remove dead letters for good; see ``Outbox.drop``."""
        return self._change(rows.DROP, [(key,) for key in keys])

    def forget(
        self, needles: Sequence[str], *, destination: str | None = None
    ) -> Sequence[Delivery]:
        """Remove what holds one of some texts, from the disk too; see ``Outbox.forget``."""
        removed = list(self._overflow.forget(needles, destination=destination))
        with self._back.writing(_SETTLE_BUDGET) as connection:
            for needle in filter(None, needles):
                removed += rows.forget(connection, needle, destination)
        self._tidying.tidy()
        return removed

    def _change(self, statement: str, values: Iterable[Sequence[object]]) -> int:
        with self._back.writing(_SETTLE_BUDGET) as connection:
            return sum(connection.execute(statement, each).rowcount for each in values)

    # ------------------------------------------------------------------ looking

    def waiting_for(self) -> Collection[str]:
        """Names of the destinations for which something waits."""
        names = set(self._overflow.waiting_for())
        names |= self._settling.destinations
        if self._tidying.overdue():
            self._tidying.beside()
        with (
            contextlib.suppress(Unavailable),
            self._back.reading(_SETTLE_BUDGET) as connection,
        ):
            names |= {
                name
                for name, waiting in rows.destinations(connection)
                if waiting > len(self._locks.sender(name).leased)
            }
        return names

    def stats(self) -> OutboxStats:
        """Count what is stored, by all processes, and what this one keeps in memory."""
        memory = self._overflow.stats()
        try:
            with self._back.reading(_SETTLE_BUDGET) as connection:
                waiting, dead, oldest = rows.counts(connection)
        except Unavailable as error:
            return attrs.evolve(memory, problem=memory.problem or error.problem)
        return memory.and_stored(waiting, dead, oldest)

    def post(self, standing: Standing) -> None:
        """Tell the other processes of a destination; see ``Noticeboard.post``."""
        with self._back.writing(_TIDY_BUDGET) as connection:
            rows.post(connection, standing)

    def probe(self, standing: Standing, *, until: float) -> bool:
        """Be the one who tries a stopped destination; see ``Noticeboard.probe``."""
        with self._back.writing(_TIDY_BUDGET) as connection:
            return rows.probe(connection, standing, until)

    def standings(self) -> Sequence[Standing]:
        """Return what is known of the destinations; see ``Noticeboard.standings``."""
        with self._back.reading(_SETTLE_BUDGET) as connection:
            return rows.standings(connection)

    def close(self) -> None:
        """Give back what is in flight and close the file."""
        self._closed = True
        self._tidying.close(_CLOSE_BUDGET)
        self._overflow.close(_CLOSE_BUDGET)
        self.held.close()
        self._settling.close(_CLOSE_BUDGET)
        self._front.close()
        self._back.close()


def _keys(deliveries: Iterable[Delivery]) -> set[int]:
    return {item.key for item in deliveries if item.key is not None}
