"""What this process has taken and not settled, and the thread that prolongs its leases."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Sequence

from capi_plugins.outbox.base import Delivery

_log = logging.getLogger("capi_plugins.django")


class Leases:
    """The leases of one process, by key.

    Args:
        prolong: Leases rows for a while longer: keys, owners.
        every: Seconds after which leases are prolonged.
    """

    def __init__(
        self, prolong: Callable[[Collection[int], Collection[str]], None], *, every: float
    ) -> None:
        self._prolong = prolong
        self._every = every
        self._owners: dict[int, str] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, keys: Iterable[int], owner: str) -> None:
        """Note what was taken.

        Args:
            keys: Keys of the rows.
            owner: The name under which they were.
        """
        with self._lock:
            self._owners.update(dict.fromkeys(keys, owner))
            if self._owners and self._thread is None and not self._over.is_set():
                thread = threading.Thread(target=self._run, name="capi-leases", daemon=True)
                try:
                    thread.start()
                except RuntimeError:
                    return  # no threads to be had: what is slow may be sent by somebody else too
                self._thread = thread

    def end(self, deliveries: Sequence[Delivery]) -> tuple[list[int], set[str]]:
        """Give leases up, those that are still there; return their keys and owners."""
        with self._lock:
            mine = {
                item.key: self._owners.pop(item.key)
                for item in deliveries
                if item.key is not None and item.key in self._owners
            }
        return list(mine), set(mine.values())

    @property
    def owners(self) -> set[str]:
        """The names under which rows were taken."""
        with self._lock:
            return set(self._owners.values())

    def close(self) -> tuple[list[int], set[str]]:
        """End the thread and give all leases up; return their keys and owners."""
        self._over.set()
        with self._lock:
            owned, self._owners = self._owners, {}
        return list(owned), set(owned.values())

    def _run(self) -> None:
        while not self._over.wait(self._every):
            with self._lock:
                if not self._owners:
                    self._thread = None
                    return
                keys, owners = list(self._owners), set(self._owners.values())
            try:
                self._prolong(keys, owners)
            except Exception as error:
                _log.error("leases were not prolonged: %s", type(error).__name__)
