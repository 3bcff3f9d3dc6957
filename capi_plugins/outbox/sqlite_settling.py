"""What became of deliveries of a SQLite outbox, until it is written down."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import attrs

from capi_plugins.outbox import sqlite_rows as rows
from capi_plugins.outbox.base import Delivery
from capi_plugins.outbox.sqlite_file import Door, Unavailable
from capi_plugins.outbox.sqlite_locks import FileLocks
from capi_plugins.outbox.turn import Turn

PAY_BUDGET = 2.0
"""Most seconds to wait for a turn at the file; what is not written then is written later."""


@attrs.frozen(eq=False)
class _Owed:
    """What became of some deliveries and is not written down yet: a statement and its values."""

    statement: str
    values: list[tuple[Any, ...]]
    deliveries: Sequence[Delivery]


class Settling:
    """What one outbox has in flight, and what it still has to write down of that.

    Until it is written down, the rows stay leased and this process the sender, because they would
    be sent again.

    Args:
        door: The connection to use.
        locks: This process's locks on the file.
    """

    def __init__(self, door: Door, locks: FileLocks) -> None:
        self._door = door
        self._locks = locks
        self._mutex = Turn()
        self._leased: dict[str, set[int]] = {}
        self._owed: list[_Owed] = []

    def lease(self, destination: str, keys: Collection[int]) -> None:
        """Note what was taken; the sender's mutex is held.

        Args:
            destination: Name of the destination.
            keys: Keys of the rows.
        """
        self._locks.sender(destination).leased.update(keys)
        self._leased.setdefault(destination, set()).update(keys)

    def release(self, deliveries: Iterable[Delivery]) -> None:
        """End leases; the sender's mutex is not held."""
        every = tuple(deliveries)
        for destination in {item.destination for item in every}:
            keys = {item.key for item in every if item.key and item.destination == destination}
            self._leased.get(destination, set()).difference_update(keys)
            self._locks.sender(destination).settle(keys)

    def in_flight(self, deliveries: Iterable[Delivery]) -> list[Delivery]:
        """Leave out what is not in flight from here, or was settled before."""
        with self._mutex:
            owed = {item.key for each in self._owed for item in each.deliveries}
        none: set[int] = set()
        return [
            item
            for item in deliveries
            if item.key in self._leased.get(item.destination, none) and item.key not in owed
        ]

    def settle(
        self, statement: str, values: list[tuple[Any, ...]], deliveries: Sequence[Delivery]
    ) -> None:
        """Write down what became of deliveries, now or as soon as that can be.

        By key, which is never given twice: settling what another sender has settled since changes
        nothing.

        Args:
            statement: Of ``sqlite_rows``.
            values: Its values, for each delivery.
            deliveries: The deliveries.
        """
        if values:
            with self._mutex, contextlib.suppress(Unavailable):
                self._owed.append(_Owed(statement, values, deliveries))
                self._pay(PAY_BUDGET)

    def pay(self) -> None:
        """Write down what could not be written when it became known.

        Raises:
            Unavailable: The file cannot be used now.
        """
        with self._mutex:
            self._pay(PAY_BUDGET)

    def _pay(self, budget: float) -> None:
        if not self._owed:
            return
        try:
            with self._door.writing(budget) as connection:
                for each in self._owed:
                    connection.executemany(each.statement, each.values)
        except Unavailable as error:
            if not error.full:
                raise
            # A full file may have no room for when a delivery is due again. It is due at once
            # instead, because what is sent makes room.
            for each in self._owed:
                if each.statement == rows.RETRY:
                    self.release(each.deliveries)
            self._owed = [each for each in self._owed if each.statement != rows.RETRY]
            if self._owed:
                raise
            return
        # In this order: what is written twice changes nothing, and a lease that nobody ends would
        # end with the process only.
        for each in self._owed:
            self.release(each.deliveries)
        self._owed = []

    @property
    def destinations(self) -> set[str]:
        """Names of the destinations of what is not written down yet."""
        return {item.destination for each in tuple(self._owed) for item in each.deliveries}

    def close(self, budget: float) -> None:
        """Write down what can be written in time, and end all leases.

        Args:
            budget: Most seconds.
        """
        if self._mutex.acquire(timeout=budget):
            try:
                with contextlib.suppress(Unavailable):
                    self._pay(budget)
            finally:
                self._mutex.release()
        for destination, keys in list(self._leased.items()):
            self._locks.sender(destination).settle(set(keys))
