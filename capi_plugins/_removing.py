"""Removes what waits for visitors who withdrew their consent, beside the requests of the host."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Mapping, Sequence

from capi_plugins.background import started
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
        # Reentrant: threads that became greenlets share the lock of the thread they are in, and who
        # starts one in here lets others run.
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None
        self._over = threading.Event()

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
            if self._thread is not None:
                return
            if self._outbox.durable and self._beside():
                self._thread = started(self._work, "capi-removing")
                if self._thread is not None:
                    return
        self._once()

    def close(self, timeout: float) -> None:
        """Finish what was begun, if it does not take long.

        Args:
            timeout: Most seconds.
        """
        self._over.set()
        thread = self._thread
        if thread is not None:
            thread.join(timeout)

    def _work(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            done = self._once()
            with self._lock:
                if not self._wanted or self._over.is_set():
                    self._thread = None
                    return
            if not done:
                self._over.wait(pause)
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
