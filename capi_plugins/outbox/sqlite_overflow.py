"""Deliveries a SQLite outbox cannot write down at the moment: few, in memory, on their way back."""

from __future__ import annotations

import contextlib
import logging
import random
import threading
import time
from collections.abc import Callable, Collection, Sequence

import attrs

from capi_plugins.background import Errand
from capi_plugins.outbox.base import Delivery, OutboxStats, Stored
from capi_plugins.outbox.memory import MemoryOutbox
from capi_plugins.outbox.sqlite_file import Unavailable
from capi_plugins.outbox.trouble import Trouble
from capi_plugins.outbox.turn import Turn, pause

_log = logging.getLogger("capi_plugins.outbox")
_MOST = 1_000
_MOST_BYTES = 8_000_000
_EVERYTHING = 2**62
_AT_ONCE = 100
_ON_THE_MOVE = 0.25
_MOMENT = 0.05
_REMEMBER_MOST = 50_000

Store = Callable[[Sequence[Delivery], Sequence[Delivery], float | None], None]
"""Writes deliveries down, and remembers others as taken in, within a budget of seconds; None: that
of requests."""
Known = Callable[[Sequence[Delivery]], Sequence[Delivery]]
"""Tells which deliveries were taken in already."""


class Overflow:
    """What is in memory because the file could not be written, and a thread that moves it back.

    Its deliveries have negative keys, so that the outbox can tell them from rows of the file.

    Nothing that is sent from here may be taken in by the file besides. So it is noted first, then
    the file is asked, and who puts asks here with the file in hand: one of both learns of the
    other. When the file can be written again it is told what was sent meanwhile.

    Attributes:
        trouble: Whether the file can be written.

    Args:
        name: The file's, for logs.
        store: Writes to the file; raises ``Unavailable``.
        known: Asks the file, when nobody puts; raises ``Unavailable``.
        clock: Seconds since the epoch.
    """

    def __init__(self, name: str, store: Store, known: Known, clock: Callable[[], float]) -> None:
        self._name = name
        self._store = store
        self._known = known
        # What is or was sent from here, without payloads, until the file knows of it; and which of
        # it is settled.
        self._left: dict[tuple[str, str, str], Delivery] = {}
        self._sent: dict[tuple[str, str, str], Delivery] = {}
        self._memory = MemoryOutbox(max_deliveries=_MOST, max_bytes=_MOST_BYTES, clock=clock)
        self._storing = Turn()
        self._clock = clock
        self._stop = threading.Event()
        # Where it gets no thread, ``close`` stores.
        self._errand = Errand(self._run, self._has_work, name="capi-outbox")
        self.trouble = Trouble(name)

    def put(self, deliveries: Sequence[Delivery], error: Unavailable | None = None) -> Stored:
        """Keep deliveries, as many as there is room for.

        Args:
            deliveries: What could not be written.
            error: Why; None where it was not tried.
        """
        stored = self._memory.put(deliveries)
        if error is not None:
            self.trouble.met(error)
        self._errand.begin()
        return attrs.evolve(stored, in_memory=True)

    def parted(self, deliveries: Sequence[Delivery]) -> tuple[Sequence[Delivery], list[Delivery]]:
        """Part what may be taken in from what is or was sent from here."""
        if not self._left:
            return deliveries, []
        fresh: list[Delivery] = []
        again: list[Delivery] = []
        for item in deliveries:
            (again if _identity(item) in self._left else fresh).append(item)
        return fresh, again

    def store(self, budget: float | None = None) -> bool:
        """Try to move everything to the file.

        Args:
            budget: Most seconds to wait for a turn; requests of this process wait as long. None: as
                long as one of them would.

        Returns:
            Whether nothing is left to be moved.
        """
        with self._storing:
            names, sent = self._memory.waiting_for(), tuple(self._sent.values())
            if not names and not sent:
                return True
            batch: list[Delivery] = []
            try:
                for name in names:
                    batch += self._memory.take(
                        name, limit=_EVERYTHING, max_bytes=_EVERYTHING, now=_EVERYTHING
                    )
                batch.sort(key=lambda item: item.key or 0)
                self._move(batch, sent, budget)
            except BaseException as error:
                self._memory.retry(batch, at=0, attempt=False)
                if not isinstance(error, Unavailable):
                    raise
                self.trouble.met(error)
                return False
        return True

    def _move(
        self, batch: Sequence[Delivery], sent: Sequence[Delivery], budget: float | None
    ) -> None:
        """Write in parts, or a request would wait until all of them are written."""
        for start in range(0, len(batch) or 1, _AT_ONCE):
            if start:
                pause()
            some = batch[start : start + _AT_ONCE]
            self._store(some, sent, budget)
            self.trouble.is_over()
            self._memory.delivered(some)
            for item in (*some, *sent):
                self._left.pop(_identity(item), None)
                self._sent.pop(_identity(item), None)
            sent = ()

    def close(self, budget: float) -> None:
        """End the thread and store what can be stored.

        Args:
            budget: Most seconds.
        """
        deadline = time.monotonic() + budget
        self._stop.set()
        done = self.store(min(budget, _MOMENT))
        # For what was sent nobody has to wait.
        while not done and self._memory.stats().waiting and time.monotonic() < deadline:
            time.sleep(0.01)
            done = self.store(max(0.0, deadline - time.monotonic()))
        if lost := self._memory.stats().waiting:
            _log.error("outbox %s: deliveries that end with this process: %d", self._name, lost)

    # ------------------------------------------------------------------ as an outbox

    def take(
        self, destination: str, *, limit: int, max_bytes: int, now: float
    ) -> Sequence[Delivery]:
        """Lease deliveries; see ``Outbox.take``."""
        with self._storing:  # or the thread might just be trying to store them
            batch: Sequence[Delivery] = ()
            try:
                batch = self._memory.take(destination, limit=limit, max_bytes=max_bytes, now=now)
                self._left.update((_identity(item), _bare(item)) for item in batch)
                with contextlib.suppress(Unavailable):
                    doubles = self._known(batch) if batch else ()
                    self._memory.delivered(doubles)
                    batch = self._memory.remaining(batch)
                while len(self._left) > _REMEMBER_MOST:
                    oldest = next(iter(self._left))
                    del self._left[oldest]
                    self._sent.pop(oldest, None)
                return [attrs.evolve(item, key=-(item.key or 0)) for item in batch]
            except BaseException:
                self._memory.retry(batch, at=0, attempt=False)
                raise

    def remaining(
        self, deliveries: Sequence[Delivery]
    ) -> tuple[Sequence[Delivery], Sequence[Delivery]]:
        """Part those that are in memory still from those that were never there."""
        ours, others = _parted(deliveries)
        left = {-(item.key or 0) for item in self._memory.remaining(ours)}
        return [item for item in deliveries if item.key in left], others

    def delivered(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """Settle those that are in memory; return the others."""
        ours, others = _parted(deliveries)
        self._settled(ours)
        self._memory.delivered(ours)
        return others

    def _settled(self, ours: Sequence[Delivery]) -> None:
        """Have the file told of what was sent as soon as it can be written."""
        if ours:
            self._sent.update((_identity(item), _bare(item)) for item in ours)
            self._errand.begin()

    def retry(
        self, deliveries: Sequence[Delivery], *, at: float, attempt: bool
    ) -> Sequence[Delivery]:
        """Settle those that are in memory; return the others."""
        ours, others = _parted(deliveries)
        if ours:
            self._memory.retry(ours, at=at, attempt=attempt)
            self._errand.begin()
        return others

    def dead(self, deliveries: Sequence[Delivery], *, reason: str) -> Sequence[Delivery]:
        """Settle those that are in memory; return the others."""
        ours, others = _parted(deliveries)
        self._settled(ours)
        self._memory.dead(ours, reason=reason)
        return others

    def forget(
        self, needles: Sequence[str], *, destination: str | None = None
    ) -> Sequence[Delivery]:
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
        """Names of the destinations for which something is in memory, on its way or not."""
        return self._memory.unsettled_for()

    def stats(self) -> OutboxStats:
        """Count what is in memory."""
        return attrs.evolve(self._memory.stats(), problem=self.trouble.problem)

    # ------------------------------------------------------------------ the thread

    def _has_work(self) -> bool:
        return not self._stop.is_set() and bool(self._memory.waiting_for() or self._sent)

    def _run(self) -> None:
        while self._has_work():
            stored = False
            try:
                stored = self.store()
            except BaseException as error:
                # Out of memory, or the thread was to be ended: they are still to be stored.
                _log.error("outbox %s: storing failed: %s", self._name, type(error).__name__)
            if not stored:
                self._stop.wait(random.uniform(0.01, 0.1))  # noqa: S311


def _parted(deliveries: Sequence[Delivery]) -> tuple[list[Delivery], list[Delivery]]:
    """Part those in memory, by their own keys, from those in the file."""
    ours = [attrs.evolve(item, key=-item.key) for item in deliveries if item.key and item.key < 0]
    return ours, [item for item in deliveries if item.key and item.key > 0]


def _identity(item: Delivery) -> tuple[str, str, str]:
    return item.destination, item.event_name, item.event_id


def _bare(item: Delivery) -> Delivery:
    """Leave out the payload: what is sent already needs none."""
    return attrs.evolve(item, payload=b"")
