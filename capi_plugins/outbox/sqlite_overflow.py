"""Deliveries a SQLite outbox cannot write down at the moment: few, in memory, on their way back."""

from __future__ import annotations

import logging
import random
import sys
import threading
import time
from collections.abc import Callable, Collection, Sequence

import attrs

from capi_plugins.outbox.base import Delivery, OutboxStats, Stored
from capi_plugins.outbox.memory import MemoryOutbox
from capi_plugins.outbox.sqlite_file import Unavailable

_log = logging.getLogger("capi_plugins.outbox")
_MOST = 1_000
_MOST_BYTES = 8_000_000
_HOPELESS_SECONDS = 0.5
_LOG_SECONDS = 60.0
_EVERYTHING = 2**62
_ON_THE_MOVE = 0.25


class Overflow:
    """What is in memory because the file could not be written, and a thread that moves it back.

    Its deliveries have negative keys, so that the outbox can tell them from rows of the file.

    Args:
        name: The file's, for logs.
        store: Writes deliveries to the file within a budget of seconds; raises ``Unavailable``.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        name: str,
        store: Callable[[Sequence[Delivery], float], None],
        clock: Callable[[], float],
    ) -> None:
        self._name = name
        self._store = store
        self._clock = clock
        self._memory = MemoryOutbox(max_deliveries=_MOST, max_bytes=_MOST_BYTES, clock=clock)
        self._lock = threading.Lock()
        self._storing = threading.Lock()
        self._clock = clock
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._problem: str | None = None
        self._logged_problem: str | None = None
        self._failing_since: float | None = None
        self._logged_at = -_LOG_SECONDS

    @property
    def hopeless(self) -> bool:
        """Whether nobody has got a turn for a while: requests need not wait for one more."""
        since = self._failing_since
        return since is not None and time.monotonic() - since > _HOPELESS_SECONDS

    def put(self, deliveries: Sequence[Delivery], error: Unavailable | None = None) -> Stored:
        """Keep deliveries, as many as there is room for.

        Args:
            deliveries: What could not be written.
            error: Why; None where it was not tried.
        """
        stored = self._memory.put(deliveries)
        if error is not None:
            self._failed(error)
        self._start()
        return attrs.evolve(stored, in_memory=True)

    def store(self, budget: float = 0.05) -> bool:
        """Try to move everything to the file.

        Args:
            budget: Most seconds to wait for a turn; requests of this process wait as long.

        Returns:
            Whether nothing is left to be moved.
        """
        with self._storing:
            if not (names := self._memory.waiting_for()):
                return True
            batch = [
                item
                for name in names
                for item in self._memory.take(
                    name, limit=_EVERYTHING, max_bytes=_EVERYTHING, now=_EVERYTHING
                )
            ]
            batch.sort(key=lambda item: item.key or 0)
            try:
                self._store(batch, budget)
            except Unavailable as error:
                self._memory.retry(batch, at=0, attempt=False)
                self._failed(error)
                return False
            self._memory.delivered(batch)
        self.works()
        return True

    def works(self) -> None:
        """Note that the file can be written."""
        if self._failing_since is None:
            return
        with self._lock:
            if self._problem is not None and self._logged_problem is not None:
                _log.warning("outbox %s can be written again", self._name)
            self._failing_since = self._problem = self._logged_problem = None

    def close(self, budget: float) -> None:
        """End the thread and store what can be stored.

        Args:
            budget: Most seconds.
        """
        deadline = time.monotonic() + budget
        self._stop.set()
        while (left := deadline - time.monotonic()) > 0 and not self.store(left):
            time.sleep(0.01)
        if lost := self._memory.stats().waiting:
            _log.error("outbox %s: deliveries that end with this process: %d", self._name, lost)

    # ------------------------------------------------------------------ as an outbox

    def take(
        self, destination: str, *, limit: int, max_bytes: int, now: float
    ) -> Sequence[Delivery]:
        """Lease deliveries; see ``Outbox.take``."""
        with self._storing:  # or the thread might just be trying to store them
            batch = self._memory.take(destination, limit=limit, max_bytes=max_bytes, now=now)
        return [attrs.evolve(item, key=-(item.key or 0)) for item in batch]

    def delivered(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """Settle those that are in memory; return the others."""
        ours, others = _parted(deliveries)
        self._memory.delivered(ours)
        return others

    def retry(
        self, deliveries: Sequence[Delivery], *, at: float, attempt: bool
    ) -> Sequence[Delivery]:
        """Settle those that are in memory; return the others."""
        ours, others = _parted(deliveries)
        if ours:
            self._memory.retry(ours, at=at, attempt=attempt)
            self._start()
        return others

    def dead(self, deliveries: Sequence[Delivery], *, reason: str) -> Sequence[Delivery]:
        """Settle those that are in memory; return the others."""
        ours, others = _parted(deliveries)
        self._memory.dead(ours, reason=reason)
        return others

    def forget(self, needles: Sequence[str], *, destination: str | None = None) -> int:
        """Remove what holds one of some texts."""
        with self._storing:  # or it might just be on its way into the file
            return self._memory.forget(needles, destination=destination)

    def next_due(self, destination: str) -> float | None:
        """When the next delivery is due, or when to look again while some are on the move."""
        due = self._memory.next_due(destination)
        if due is None and self._memory.stats().waiting:
            # They are in nobody's sight while they are written, and nobody is told when they are.
            return self._clock() + _ON_THE_MOVE
        return due

    def waiting_for(self) -> Collection[str]:
        """Names of the destinations for which something is in memory."""
        return self._memory.waiting_for()

    def stats(self) -> OutboxStats:
        """Count what is in memory."""
        return attrs.evolve(self._memory.stats(), problem=self._problem)

    # ------------------------------------------------------------------ the thread

    def _start(self) -> None:
        with self._lock:
            # While the interpreter is torn down a thread is waited for that never runs.
            if self._thread is not None or self._stop.is_set() or sys.is_finalizing():
                return
            thread = threading.Thread(target=self._run, name="capi-outbox", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                return  # the interpreter is shutting down; ``close`` stores
            self._thread = thread

    def _run(self) -> None:
        while not self._stop.is_set():
            if not self.store():
                self._stop.wait(random.uniform(0.01, 0.1))  # noqa: S311
                continue
            with self._lock:
                if not self._memory.waiting_for():
                    self._thread = None
                    return

    def _failed(self, error: Unavailable) -> None:
        now = time.monotonic()
        with self._lock:
            if self._failing_since is None:
                self._failing_since = now
            self._problem = error.problem
            # A turn missed now and then is no news.
            if error.passing and not self.hopeless:
                return
            if self._logged_problem is None and now - self._logged_at >= _LOG_SECONDS:
                self._logged_at, self._logged_problem = now, error.problem
                _log.error(
                    "outbox %s cannot be written: %s; events are kept in memory",
                    self._name,
                    error.problem,
                )


def _parted(deliveries: Sequence[Delivery]) -> tuple[list[Delivery], list[Delivery]]:
    """Part those in memory, by their own keys, from those in the file."""
    ours = [attrs.evolve(item, key=-item.key) for item in deliveries if item.key and item.key < 0]
    return ours, [item for item in deliveries if item.key and item.key > 0]
