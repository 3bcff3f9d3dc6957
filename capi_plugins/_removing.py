"""Removes what waits for visitors who withdrew their consent, beside the requests of the host."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Mapping, Sequence

from capi_plugins.background import Errand
from capi_plugins.outbox.base import Delivery, Outbox

_log = logging.getLogger("capi_plugins.delivery")
_MOST_TEXTS = 1_000
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 60.0


class Removing:
    """Looks through the outbox of one process, in a thread that lives while there is work.

    A durable outbox may be long, and busy; the visitor's request must not wait for it.

    Args:
        outbox: The outbox.
        beside: Whether a thread may be started.
        tell: Told what was removed; it must not raise.
    """

    def __init__(
        self,
        outbox: Outbox,
        *,
        beside: Callable[[], bool],
        tell: Callable[[Sequence[Delivery]], None],
    ) -> None:
        self._outbox = outbox
        self._beside = beside
        self._tell = tell
        self._wanted: dict[str, dict[str, None]] = {}
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._errand = Errand(self._work, self._has_work, name="capi-removing")

    def remove(self, wanted: Mapping[str, Collection[str]]) -> None:
        """Remove what waits; never waits where threads can run.

        Args:
            wanted: Texts by which payloads are found, by destination.
        """
        with self._lock:
            for destination, texts in wanted.items():
                kept = self._wanted.setdefault(destination, {})
                kept.update(dict.fromkeys(texts))
                while len(kept) > _MOST_TEXTS:
                    del kept[next(iter(kept))]
                    _log.error("a withdrawal of consent was lost: too many at once")
        if not (self._outbox.durable and self._beside() and self._errand.begin()):
            self._once()

    def close(self, timeout: float) -> None:
        """Finish what was begun, if it does not take long.

        Args:
            timeout: Most seconds.
        """
        self._over.set()
        self._errand.join(timeout)

    def _has_work(self) -> bool:
        return bool(self._wanted) and not self._over.is_set()

    def _work(self) -> None:
        pause = _FIRST_PAUSE
        while not self._once() and not self._over.wait(pause):
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _once(self) -> bool:
        """Remove what is wanted; what cannot be removed now stays wanted."""
        with self._lock:
            wanted, self._wanted = self._wanted, {}
        done = True
        for destination, texts in wanted.items():
            try:
                removed = self._outbox.forget(list(texts), destination=destination)
            except Exception as error:
                # Its text may hold what was looked for.
                _log.error("removing what waits failed with %s", type(error).__name__)
                with self._lock:
                    self._wanted[destination] = texts | self._wanted.get(destination, {})
                done = False
            else:
                if removed:
                    _log.info("consent was withdrawn: %d deliveries removed", len(removed))
                    self._tell(removed)
        return done
