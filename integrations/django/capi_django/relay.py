"""A relay: takes what waits in the database, and settles what became of it.

Each process has one. What it takes is leased to it on the database's clock, and it has no
transaction open while that is sent.
"""

from __future__ import annotations

import contextlib
import functools
import random
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Sequence

from capi_django.leases import Leases, Write
from capi_django.outbox_rows import Rows, delivery
from capi_django.statements import borrowed, persistently
from capi_plugins.outbox.base import Delivery

_POLL = 1.0
_POLLED_SECONDS = 60.0
_PRUNE_SECONDS = 60.0


class Relay:
    """The relay of this process.

    Args:
        rows: The tables.
        holder: The name under which this process holds deliveries in transactions of the host.
        lease: Seconds after which others take what this one has taken and does not prolong.
        clock: Seconds since the epoch.
    """

    def __init__(
        self, rows: Rows, *, holder: str, lease: float, clock: Callable[[], float]
    ) -> None:
        self._rows = rows
        self._alias = rows.alias
        self._holder = holder
        self._clock = clock
        self._leases = Leases(functools.partial(self._write, rows.prolong), every=lease / 3)
        self._withdrawn: set[int] = set()
        self._polled_until: dict[str, float] = {}
        self._pruned = -_PRUNE_SECONDS

    def withdraw(self, keys: Iterable[int]) -> None:
        """Remove what this process holds before anything is taken again.

        Args:
            keys: Keys of the rows, which could not be removed at once.
        """
        self._withdrawn.update(keys)

    def expect(self, destinations: Iterable[str]) -> None:
        """Look every second or so: a transaction of the host was given something.

        Args:
            destinations: Names of those for which it shows when the transaction commits.
        """
        until = time.monotonic() + _POLLED_SECONDS
        self._polled_until.update(dict.fromkeys(destinations, until))

    def take(
        self, destination: str, *, limit: int, max_bytes: int, now: float
    ) -> Sequence[Delivery]:
        """Lease deliveries that are due; see ``Outbox.take``."""
        self._leases.pay()
        return persistently(
            self._alias, lambda: self._taken(destination, limit=limit, max_bytes=max_bytes, now=now)
        )

    def _taken(
        self, destination: str, *, limit: int, max_bytes: int, now: float
    ) -> Sequence[Delivery]:
        owner = uuid.uuid4().hex
        try:
            with borrowed(self._alias):
                if self._withdrawn:
                    withdrawn = set(self._withdrawn)
                    self._rows.remove(withdrawn, [self._holder])
                    self._withdrawn -= withdrawn
                rows = self._rows.claim(
                    destination, limit=limit, max_bytes=max_bytes, now=now, owner=owner
                )
                rows = self._rows.admit_claimed(rows, owner, self._clock())
            self._leases.add((row.pk for row in rows), owner)
            return [delivery(row) for row in rows]
        except BaseException:
            # Out of memory, a thread that is ended, or a database that is away: what nobody gets
            # is free at once, or when its lease is over.
            self._leases.give_up(owner)
            with contextlib.suppress(Exception), borrowed(self._alias):
                self._rows.release(destination, owner)
            raise

    def remaining(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """Leave out what was forgotten or taken by others meanwhile; see ``Outbox.remaining``."""
        with borrowed(self._alias):
            left = self._rows.owned(
                {item.key for item in deliveries if item.key}, self._leases.owners
            )
        return [item for item in deliveries if item.key in left]

    def settle(self, deliveries: Sequence[Delivery], write: Write) -> None:
        """Write down what became of deliveries, now or as soon as that can be; never raises.

        Args:
            deliveries: Some of what was taken.
            write: Writes it down and ends the leases of the rows.
        """
        self._leases.settle(deliveries, functools.partial(self._write, write))

    def next_due(self, destination: str) -> float | None:
        """When the next delivery is due; see ``Outbox.next_due``."""
        with borrowed(self._alias):
            self._prune()
            due, left = self._rows.next_due(destination, self._leases.owners)
        if due is None and left is not None:
            due = self._clock() + max(left, 0.0)
        if due is None and time.monotonic() < self._polled_until.get(destination, 0.0):
            due = self._clock() + random.uniform(_POLL / 2, _POLL)  # noqa: S311
        return due

    def waiting_for(self) -> set[str]:
        """Names of the destinations for which something waits that is not in flight from here."""
        with borrowed(self._alias):
            self._prune()
            waiting = self._rows.waiting.exclude(owner__in=self._leases.owners)
            return set(waiting.order_by().values_list("destination", flat=True).distinct())

    def close(self) -> None:
        """Give back what is in flight."""
        keys, owners = self._leases.close()
        with contextlib.suppress(Exception), borrowed(self._alias):
            self._rows.postpone(keys, owners, due=0, attempt=False)

    def _prune(self) -> None:
        """Now and then, remove what is too old: who sends asks for what waits, if there is any."""
        if time.monotonic() - self._pruned > _PRUNE_SECONDS:
            self._pruned = time.monotonic()
            self._rows.prune(self._clock())

    def _write(self, write: Write, keys: Collection[int], owners: Collection[str]) -> None:
        with_connection = borrowed(self._alias)(write)
        persistently(self._alias, lambda: with_connection(keys, owners))
