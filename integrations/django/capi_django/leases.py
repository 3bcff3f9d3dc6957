"""What this process has taken and not settled, and the thread that looks after it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Sequence

import attrs

from capi_plugins.background import Errand
from capi_plugins.leaving import pass_on
from capi_plugins.outbox.base import Delivery
from capi_plugins.outbox.turn import Turn

_log = logging.getLogger("capi_plugins.django")
Write = Callable[[Collection[int], Collection[str]], None]
"""Does something to rows, by their keys, that some owners own."""


@attrs.frozen(eq=False)
class _Owed:
    """What became of some deliveries and is not written down yet."""

    owners: dict[int, str]
    write: Write


class Leases:
    """The leases of one process, by key.

    What became of a delivery may not be writable in the moment it is known, because the database
    is away. Its lease is kept and prolonged until it is: given up, it would be sent once more.

    Args:
        prolong: Leases rows for a while longer.
        every: Seconds after which leases are prolonged.
    """

    def __init__(self, prolong: Write, *, every: float) -> None:
        self._prolong = prolong
        self._every = every
        self._owners: dict[int, str] = {}
        self._owed: list[_Owed] = []
        self._lock = threading.RLock()
        self._paying = Turn()
        self._over = threading.Event()
        # Where it gets no thread, what is slow may be sent by somebody else too.
        self._errand = Errand(self._run, self._has_work, name="capi-leases")

    def add(self, keys: Iterable[int], owner: str) -> None:
        """Note what was taken.

        Args:
            keys: Keys of the rows.
            owner: The name under which they were.
        """
        with self._lock:
            self._owners.update(dict.fromkeys(keys, owner))
        if self._has_work():
            self._errand.begin()

    def give_up(self, owner: str) -> None:
        """Forget what was taken under a name, so that its leases run out.

        Args:
            owner: The name.
        """
        with self._lock:
            self._owners = {key: name for key, name in self._owners.items() if name != owner}

    def settle(self, deliveries: Sequence[Delivery], write: Write) -> None:
        """Write down what became of deliveries, now or as soon as that can be; never raises.

        Args:
            deliveries: What was taken; what is not leased any more, or settled, is left out.
            write: Writes it down and ends the leases of the rows.
        """
        with self._lock:
            settled = {key for owed in self._owed for key in owed.owners}
            mine = {
                item.key: self._owners[item.key]
                for item in deliveries
                if item.key in self._owners and item.key not in settled
            }
            if mine:
                self._owed.append(_Owed(mine, write))
        self.pay()

    def pay(self) -> None:
        """Write down what could not be written when it became known; never raises."""
        with self._paying:
            for owed in tuple(self._owed):
                try:
                    owed.write(list(owed.owners), set(owed.owners.values()))
                except Exception as error:
                    pass_on(error)
                    _log.warning(
                        "what became of %d deliveries cannot be written down yet: %s",
                        len(owed.owners),
                        type(error).__name__,
                    )
                    continue
                with self._lock:
                    self._owed.remove(owed)
                    for key in owed.owners:
                        self._owners.pop(key, None)

    @property
    def owners(self) -> set[str]:
        """The names under which rows were taken."""
        with self._lock:
            return set(self._owners.values())

    def close(self) -> tuple[list[int], set[str]]:
        """End the thread and give up the leases of what is not settled: keys, owners."""
        self._over.set()
        self.pay()
        with self._lock:
            settled = {key for owed in self._owed for key in owed.owners}
            given_up = {k: owner for k, owner in self._owners.items() if k not in settled}
            self._owners, self._owed = {}, []
        return list(given_up), set(given_up.values())

    def _has_work(self) -> bool:
        return bool(self._owners) and not self._over.is_set()

    def _run(self) -> None:
        while not self._over.wait(self._every):
            self.pay()
            with self._lock:
                keys, owners = list(self._owners), set(self._owners.values())
            if not keys:
                return
            try:
                self._prolong(keys, owners)
            except Exception as error:
                _log.error("leases were not prolonged: %s", type(error).__name__)
