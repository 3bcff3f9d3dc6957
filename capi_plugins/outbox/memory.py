"""Deliveries in the memory of the process: fast, bounded, gone when the process is killed."""

from __future__ import annotations

import collections
import heapq
import itertools
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Self

import attrs

from capi_plugins.delivery_settings import DeliverySettings
from capi_plugins.outbox.base import RETENTION, DeadLetter, Delivery, OutboxStats, Stored

_REMEMBER_SECONDS = 48 * 3600
_REMEMBER_MOST = 50_000
_DEAD_MOST = 1_000


class MemoryOutbox:
    """An outbox for one process.

    Args:
        max_deliveries: Most deliveries waiting; further ones are refused.
        max_bytes: Most bytes of payload waiting; further ones are refused.
        retention: Seconds for which dead letters are kept.
        clock: Seconds since the epoch.
    """

    inline = False
    """Whether deliveries are sent by whoever puts them, instead of by the worker's thread."""
    durable = False
    """Whether deliveries outlive the process."""

    def __init__(
        self,
        *,
        max_deliveries: int = 10_000,
        max_bytes: int = 32_000_000,
        retention: float = RETENTION,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._max_deliveries = max_deliveries
        self._max_bytes = max_bytes
        self._retention = retention
        self._clock = clock
        self._lock = threading.Lock()
        self._keys = itertools.count(1)
        self._bytes = 0
        # All that is not settled, the deliveries in flight included, oldest first: when it was put,
        # and when it is due. The queues below are an index of it.
        self._unsettled: dict[int, tuple[float, Delivery, float]] = {}
        self._leased: set[int] = set()
        self._ready: dict[str, collections.deque[Delivery]] = {}
        self._later: dict[str, list[tuple[float, int, Delivery]]] = {}
        self._dead: dict[int, DeadLetter] = {}
        self._seen: collections.OrderedDict[tuple[str, str, str], float] = collections.OrderedDict()

    @classmethod
    def of(cls, delivery: DeliverySettings, clock: Callable[[], float] = time.time) -> Self:
        """Make one with the limits that settings say.

        Args:
            delivery: The settings.
            clock: Seconds since the epoch.
        """
        return cls(
            max_deliveries=delivery.queue_size,
            max_bytes=delivery.queue_bytes,
            retention=delivery.retention_seconds,
            clock=clock,
        )

    def put(self, deliveries: Sequence[Delivery]) -> Stored:
        """Store deliveries; see ``Outbox.put``."""
        now = self._clock()
        refused: list[Delivery] = []
        duplicates: list[Delivery] = []
        with self._lock:
            self._forget_identities(now)
            for delivery in deliveries:
                identity = (delivery.destination, delivery.event_name, delivery.event_id)
                if identity in self._seen:
                    duplicates.append(delivery)
                    continue
                size = len(delivery.payload)
                if (
                    len(self._unsettled) >= self._max_deliveries
                    or self._bytes + size > self._max_bytes
                ):
                    refused.append(delivery)
                    continue
                self._seen[identity] = now
                self._bytes += size
                self._make_ready(_with_key(delivery, next(self._keys)), now)
        return Stored(refused=tuple(refused), duplicates=tuple(duplicates))

    def take(
        self, destination: str, *, limit: int, max_bytes: int, now: float
    ) -> Sequence[Delivery]:
        """Lease deliveries that are due; see ``Outbox.take``."""
        batch: list[Delivery] = []
        try:
            with self._lock:
                self._choose(batch, destination, limit, max_bytes, now)
                self._leased.update(delivery.key or 0 for delivery in batch)
        except BaseException:
            # Out of memory, or a thread that is ended: what nobody gets must not stay leased.
            with self._lock:
                self._leased.difference_update(delivery.key or 0 for delivery in batch)
                self._queue_anew(destination)
            raise
        return batch

    def _choose(
        self, batch: list[Delivery], destination: str, limit: int, max_bytes: int, now: float
    ) -> None:
        size = 0
        ready = self._ready.setdefault(destination, collections.deque())
        later = self._later.get(destination)
        # More than fits: a quarter are the newest, which do not wait for a backlog.
        fresh = limit // 4 if len(ready) > limit else 0
        while len(batch) < fresh and (size := size + len(ready[-1].payload)) <= max_bytes:
            batch.append(ready.pop())
        while later and later[0][0] <= now:
            ready.append(heapq.heappop(later)[2])
        while ready and len(batch) < limit:
            size += len(ready[0].payload)
            if batch and size > max_bytes:
                break
            batch.append(ready.popleft())

    def remaining(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """Leave out what was forgotten meanwhile; see ``Outbox.remaining``."""
        with self._lock:
            return [delivery for delivery in deliveries if delivery.key in self._unsettled]

    def delivered(self, deliveries: Sequence[Delivery]) -> None:
        """Remove accepted deliveries."""
        with self._lock:
            for delivery in self._settled(deliveries):
                self._remove(delivery)

    def retry(self, deliveries: Sequence[Delivery], *, at: float, attempt: bool) -> None:
        """Give deliveries back, due at ``at``."""
        try:
            with self._lock:
                for delivery in self._settled(deliveries):
                    key = delivery.key or 0
                    again = attrs.evolve(delivery, attempts=delivery.attempts + attempt)
                    self._unsettled[key] = (self._unsettled[key][0], again, at)
                    later = self._later.setdefault(delivery.destination, [])
                    heapq.heappush(later, (at, key, again))
        except BaseException:
            with self._lock:
                for destination in {delivery.destination for delivery in deliveries}:
                    self._queue_anew(destination)
            raise

    def dead(self, deliveries: Sequence[Delivery], *, reason: str) -> None:
        """Put deliveries aside; the newest thousand are kept."""
        with self._lock:
            now = self._clock()
            for delivery in self._settled(deliveries):
                letter = DeadLetter(delivery=delivery, reason=reason, died_at=now)
                self._dead[delivery.key or 0] = letter
                self._remove(delivery)
            self._bury_for_good()

    def dead_letters(self, limit: int) -> Sequence[DeadLetter]:
        """Return the dead letters that died last, the newest first."""
        with self._lock:
            self._bury_for_good()
            return tuple(itertools.islice(reversed(self._dead.values()), limit))

    def replay(self, keys: Collection[int]) -> int:
        """Have dead letters tried again; see ``Outbox.replay``."""
        with self._lock:
            letters = [self._dead.pop(key) for key in keys if key in self._dead]
            for letter in letters:
                self._bytes += len(letter.delivery.payload)
                self._make_ready(attrs.evolve(letter.delivery, attempts=0), self._clock())
            return len(letters)

    def drop(self, keys: Collection[int]) -> int:
        """Remove dead letters for good."""
        with self._lock:
            return sum(self._dead.pop(key, None) is not None for key in keys)

    def forget(
        self, needles: Sequence[str], *, destination: str | None = None
    ) -> Sequence[Delivery]:
        """Remove what holds one of some texts; see ``Outbox.forget``."""
        wanted = [needle.encode() for needle in needles if needle]

        def found(delivery: Delivery) -> bool:
            return destination in (None, delivery.destination) and any(
                needle in delivery.payload for needle in wanted
            )

        with self._lock:
            dead = {
                key: letter.delivery for key, letter in self._dead.items() if found(letter.delivery)
            }
            for key in dead:
                del self._dead[key]
            waiting = [item for _, item, _ in self._unsettled.values() if found(item)]
            for delivery in waiting:
                self._remove(delivery)
                self._unqueue(delivery)
            return [*dead.values(), *waiting]

    def next_due(self, destination: str) -> float | None:
        """When the next delivery of a destination is due."""
        with self._lock:
            if self._ready.get(destination):
                return 0.0
            later = self._later.get(destination)
            return later[0][0] if later else None

    def waiting_for(self) -> Collection[str]:
        """Names of the destinations for which something waits."""
        with self._lock:
            return {
                name
                for queues in (self._ready, self._later)
                for name, queue in queues.items()
                if queue
            }

    def unsettled_for(self) -> Collection[str]:
        """Names of the destinations for which something waits or is leased."""
        with self._lock:
            return {delivery.destination for _, delivery, _ in self._unsettled.values()}

    def stats(self) -> OutboxStats:
        """Count what is stored."""
        with self._lock:
            self._bury_for_good()
            return OutboxStats(
                waiting=len(self._unsettled),
                dead=len(self._dead),
                oldest=next((at for at, _, _ in self._unsettled.values()), None),
                in_memory=len(self._unsettled),
            )

    def close(self) -> None:
        """Nothing is held open."""

    def _make_ready(self, delivery: Delivery, now: float) -> None:
        self._unsettled[delivery.key or 0] = (now, delivery, 0.0)
        self._ready.setdefault(delivery.destination, collections.deque()).append(delivery)

    def _queue_anew(self, destination: str) -> None:
        """Queue what nobody holds, after something was interrupted in the middle."""
        free = [
            (due, key, item)
            for key, (_, item, due) in self._unsettled.items()
            if item.destination == destination and key not in self._leased
        ]
        self._ready[destination] = collections.deque(item for due, _, item in free if not due)
        self._later[destination] = sorted(entry for entry in free if entry[0])

    def _settled(self, deliveries: Sequence[Delivery]) -> Iterator[Delivery]:
        """End leases; what was not leased, was settled before or is forgotten is left out."""
        for delivery in deliveries:
            if delivery.key in self._leased:
                if delivery.key in self._unsettled:
                    yield delivery
                # Afterwards: what raises before may be tried again.
                self._leased.discard(delivery.key)

    def _remove(self, delivery: Delivery) -> None:
        del self._unsettled[delivery.key or 0]
        self._bytes -= len(delivery.payload)

    def _unqueue(self, delivery: Delivery) -> None:
        """Take a delivery out of the queues, where it is if nobody holds it."""
        ready = self._ready.get(delivery.destination)
        if ready and delivery in ready:
            ready.remove(delivery)
        later = self._later.get(delivery.destination, [])
        later[:] = [entry for entry in later if entry[1] != delivery.key]
        heapq.heapify(later)

    def _bury_for_good(self) -> None:
        oldest = self._clock() - self._retention
        while self._dead:
            key, letter = next(iter(self._dead.items()))
            if len(self._dead) <= _DEAD_MOST and letter.died_at >= oldest:
                break
            del self._dead[key]

    def _forget_identities(self, now: float) -> None:
        while self._seen:
            identity, at = next(iter(self._seen.items()))
            if len(self._seen) <= _REMEMBER_MOST and now - at < _REMEMBER_SECONDS:
                break
            del self._seen[identity]


def _with_key(delivery: Delivery, key: int) -> Delivery:
    # What attrs.evolve() does, in a tenth of the time: a request waits for it.
    return Delivery(
        destination=delivery.destination,
        event_name=delivery.event_name,
        event_id=delivery.event_id,
        payload=delivery.payload,
        expires_at=delivery.expires_at,
        attempts=delivery.attempts,
        key=key,
    )
