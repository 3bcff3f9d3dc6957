"""What a busy file of held events did not do at once: in memory until it does, a moment later."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Collection, Mapping, Sequence

from capi_plugins.background import Errand
from capi_plugins.held_store import HeldEvent, HeldStore
from capi_plugins.outbox.sqlite_file import Unavailable

MOST_WAITING = 500
"""Most events that wait for the file, to be held there or to be removed."""
_CLOSE_SECONDS = 1.0

_log = logging.getLogger("capi_plugins.outbox")


class HeldOverflow:
    """A store of held events that takes and removes them though the one behind it is busy.

    What waits is found, removed and forgotten like the rest, in this process.

    Args:
        store: Raises ``Unavailable`` when it cannot be used now.
    """

    def __init__(self, store: HeldStore) -> None:
        self._store = store
        # By key; None: to be removed.
        self._waiting: dict[str, HeldEvent | None] = {}
        # Reentrant: an event may be held by a finalizer that runs while the lock is held.
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._errand = Errand(self._run, self._has_work, name="capi-held")

    def hold(self, events: Sequence[HeldEvent]) -> Sequence[HeldEvent]:
        """Hold events; see ``HeldStore.hold``. A request waits for the file no longer than ever."""
        try:
            return self._store.hold(events)
        except Unavailable as error:
            if not (error.passing and self._keep({event.key: event for event in events})):
                raise
            return ()

    def find(self, visitors: Collection[str]) -> Sequence[HeldEvent]:
        """Return what is held; see ``HeldStore.find``."""
        with self._lock:
            waiting = dict(self._waiting)
        found = [each for each in waiting.values() if each and each.visitor in visitors]
        return [*found, *(each for each in self._store.find(visitors) if each.key not in waiting)]

    def remove(self, keys: Collection[str]) -> None:
        """Remove events; see ``HeldStore.remove``."""
        with self._lock:
            for key in keys:
                self._waiting.pop(key, None)
        try:
            self._store.remove(keys)
        except Unavailable as error:
            if not (error.passing and self._keep(dict.fromkeys(keys))):
                raise

    def prune(self, now: float) -> Sequence[HeldEvent]:
        """Remove what is over or too much; see ``HeldStore.prune``."""
        return self._store.prune(now)

    def forget(self, needles: Collection[str]) -> int:
        """Erase people; see ``HeldStore.forget``."""
        with self._lock:
            gone = [
                key
                for key, each in self._waiting.items()
                if each and any(needle and needle in each.to_json() for needle in needles)
            ]
            for key in gone:
                del self._waiting[key]
        return len(gone) + self._store.forget(needles)

    def close(self) -> None:
        """Store what waits, if that does not take long."""
        self._over.set()
        self._errand.join(_CLOSE_SECONDS)
        until = time.monotonic() + _CLOSE_SECONDS
        while self._waiting and not self._stored() and time.monotonic() < until:
            pass
        if self._waiting:
            _log.error("held events are lost, the file was busy: %d", len(self._waiting))

    def _keep(self, later: Mapping[str, HeldEvent | None]) -> bool:
        with self._lock:
            if len(self._waiting) + len(later) > MOST_WAITING or self._over.is_set():
                return False
            self._waiting.update(later)
        if self._errand.begin():
            return True
        with self._lock:
            for key in later:
                self._waiting.pop(key, None)
        return False

    def _has_work(self) -> bool:
        return bool(self._waiting) and not self._over.is_set()

    def _run(self) -> None:
        while self._has_work():
            if not self._stored():
                self._over.wait(random.uniform(0.01, 0.1))  # noqa: S311

    def _stored(self) -> bool:
        with self._lock:
            waiting = dict(self._waiting)
        events = [event for event in waiting.values() if event]
        gone = [key for key, event in waiting.items() if event is None]
        try:
            if events:
                self._store.hold(events)
            with self._lock:
                # Who decided, or was forgotten, in the middle of it is not to be found again.
                gone += [event.key for event in events if event.key not in self._waiting]
            if gone:
                self._store.remove(gone)
        except Unavailable:
            return False
        with self._lock:
            for key, event in waiting.items():
                if self._waiting.get(key, event) is event:
                    self._waiting.pop(key, None)
        return True
