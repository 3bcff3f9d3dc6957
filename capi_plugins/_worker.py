"""The worker: takes deliveries from the outbox, sends them in batches, settles the outcome.

Each destination has a lane of its own, a daemon thread that starts when something waits and ends
when nothing has for a while: an endpoint that hangs stops its own lane only.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Sequence

import attrs

from capi_plugins import signals
from capi_plugins._place import place
from capi_plugins._retry import STOPPED, backoff
from capi_plugins.destinations.base import Destination, Outcome, Request, Response, Verdict
from capi_plugins.exceptions import TransportError
from capi_plugins.outbox.base import Delivery, Outbox
from capi_plugins.settings import DeliverySettings

_log = logging.getLogger("capi_plugins.worker")
_IDLE = 60.0
_POLL = 0.5
_MOMENT = 0.05
_MOST_REFUSALS = 64


class _Lane:
    """What the worker knows of one destination."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.thread: threading.Thread | None = None
        self.failures = 0
        self.not_before = 0.0
        self.stopped = False
        self.sending = False


class Worker:
    """Delivers what waits in an outbox.

    Args:
        outbox: Where deliveries wait.
        settings: Batch size, attempts and time limits.
        destination: Finds a destination by name; None when there is none.
        send: Sends a request; raises ``TransportError`` when no answer came.
        tell: Sends a signal.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        outbox: Outbox,
        settings: DeliverySettings,
        *,
        destination: Callable[[str], Destination | None],
        send: Callable[[Request, Destination], Response],
        tell: Callable[..., None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._outbox = outbox
        self._settings = settings
        self._destination = destination
        self._send = send
        self._tell = tell
        self._clock = clock
        self._lanes: dict[str, _Lane] = {}
        # The outbox is never asked with the condition held: it may have to wait for a file, and
        # requests need the condition to wake lanes. Counting the news keeps wake-ups from getting
        # lost in between.
        self._changed = threading.Condition()
        self._news = 0
        self._looked = not outbox.durable
        self._closed = False

    # ------------------------------------------------------------------ from other threads

    def wake(self, destinations: Iterable[str]) -> None:
        """Have the lanes of some destinations look into the outbox."""
        with self._changed:
            for name in destinations:
                self._start(self._lane(name))
            self._tell_lanes()

    def run_inline(self, *, timeout: float | None = None) -> None:
        """Deliver what is due in the calling thread.

        Args:
            timeout: Seconds for all of it; None: each request's own limit.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        for name in self._outbox.waiting_for():
            with self._changed:
                lane = self._lane(name)
            while lane.not_before <= self._clock() and self._step(lane, deadline):
                pass

    def flush(self, timeout: float) -> int:
        """Wait until nothing waits any more.

        Args:
            timeout: Most seconds to wait.

        Returns:
            How many deliveries still wait: the time ran out, or they are not due before it does.
        """
        deadline = time.monotonic() + timeout
        if not self._can_start():
            # A host that allows no threads, or an interpreter that is shutting down.
            self.run_inline(timeout=timeout)
            return self._outbox.stats().waiting
        with self._changed:
            self._tell_lanes()
        while True:
            seen = self._news
            waiting = self._outbox.stats().waiting
            left = deadline - time.monotonic()
            if not waiting or left <= 0 or not self._any_progress(left):
                return waiting
            # Other processes send too, and tell nobody.
            self._wait_for_news(seen, min(left, _POLL) if self._outbox.durable else left)

    def close(self, timeout: float) -> int:
        """Deliver what would be lost, then end the lanes.

        Args:
            timeout: Most seconds.

        Returns:
            How many deliveries end with the process; what a durable outbox holds does not.
        """
        deadline = time.monotonic() + timeout
        if not self._outbox.durable:
            self.flush(timeout)
        with self._changed:
            self._closed = True
            self._tell_lanes()
            threads = [lane.thread for lane in self._lanes.values() if lane.thread]
        # Those that send nothing just now need but a moment to notice.
        deadline = max(deadline, time.monotonic() + _MOMENT)
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))
        return 0 if self._outbox.durable else self._outbox.stats().waiting

    def stopped(self) -> list[str]:
        """Names of the destinations that were stopped because of their configuration."""
        with self._changed:
            return sorted(lane.name for lane in self._lanes.values() if lane.stopped)

    # ------------------------------------------------------------------ lanes

    def _lane(self, name: str) -> _Lane:
        return self._lanes.get(name) or self._lanes.setdefault(name, _Lane(name))

    def _can_start(self) -> bool:
        names = self._outbox.waiting_for()
        with self._changed:
            return all(self._start(self._lane(name)) for name in names)

    def _tell_lanes(self) -> None:
        self._news += 1
        self._changed.notify_all()

    def _wait_for_news(self, seen: int, timeout: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._news != seen, timeout)

    def _start(self, lane: _Lane) -> bool:
        if self._closed:
            return False
        if lane.thread is not None and lane.thread.is_alive():
            return True
        thread = threading.Thread(
            target=self._run, args=(lane,), name=f"capi-{lane.name}", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:
            # No threads to be had: interpreter shutdown, or a host that allows none.
            return False
        lane.thread = thread
        return True

    def _any_progress(self, within: float) -> bool:
        """Whether some lane is sending, or will be before the time is over."""
        latest = self._clock() + within
        for name in self._outbox.waiting_for():
            due = self._due(self._lane(name))
            if due is not None and due <= latest:
                return True
        return any(lane.sending for lane in list(self._lanes.values()))

    def _due(self, lane: _Lane) -> float | None:
        due = self._outbox.next_due(lane.name)
        return None if due is None else max(due, lane.not_before)

    def _run(self, lane: _Lane) -> None:
        while True:
            wait = None
            try:
                self._look_around()
                if not self._wait_until_due(lane):
                    return
                with self._changed:
                    if self._closed:
                        return
                    lane.sending = True
                self._step(lane, None)
            except Exception as error:
                # The outbox failed: whatever a destination does ends in an outcome.
                _log.error("delivery to %s failed with %s", lane.name, type(error).__name__)
                lane.failures += 1
                wait = backoff(lane.failures)
                lane.not_before = self._clock() + wait
            with self._changed:
                lane.sending = False
                self._tell_lanes()
                if wait is not None and not self._closed:
                    self._changed.wait(wait)

    def _look_around(self) -> None:
        """Once, look for what earlier processes have left in a durable outbox."""
        with self._changed:
            looked, self._looked = self._looked, True
        if not looked:
            self.wake(self._outbox.waiting_for())

    def _wait_until_due(self, lane: _Lane) -> bool:
        """Wait; False: the lane ends."""
        while True:
            # Read first: what becomes news after this ends the waits below.
            seen = self._news
            if self._closed:
                return False
            due = self._due(lane)
            if due is None:
                if not self._wait_for_news(seen, _IDLE) and self._ends(lane, seen):
                    return False
                continue
            left = due - self._clock()
            if left <= 0:
                return True
            # What other processes put is due before that, perhaps.
            most = random.uniform(_POLL, 2 * _POLL) if self._outbox.durable else _IDLE  # noqa: S311
            self._wait_for_news(seen, min(left, most))

    def _ends(self, lane: _Lane, seen: int) -> bool:
        """End a lane that had nothing to do, unless other processes may bring it something."""
        with self._changed:
            if self._outbox.durable or self._news != seen:
                return False
            lane.thread = None
            return True

    # ------------------------------------------------------------------ sending

    def _step(self, lane: _Lane, deadline: float | None) -> bool:
        """Take one batch and deliver it. Returns whether there was one that was dealt with."""
        now = self._clock()
        destination = self._destination(lane.name)
        limit = self._settings.batch_size
        most = 4_000_000
        if destination is not None:
            limit, most = min(limit, destination.MAX_BATCH), destination.MAX_BATCH_BYTES
        batch = self._outbox.take(lane.name, limit=limit, max_bytes=most, now=now)
        if not batch:
            return False
        expired = [item for item in batch if item.expires_at is not None and item.expires_at <= now]
        if expired:
            self._die(expired, "expired: too old for the destination")
            batch = [item for item in batch if item.expires_at is None or item.expires_at > now]
        if batch and destination is None:
            outcome = Outcome(verdict=Verdict.STOP, reason="no destination of this name exists")
            self._postpone(lane, batch, outcome)
        elif batch and destination is not None:
            self._deliver(lane, destination, batch, deadline)
        return True

    def _deliver(
        self,
        lane: _Lane,
        destination: Destination,
        batch: Sequence[Delivery],
        deadline: float | None,
    ) -> None:
        parts = [batch]
        refused = 0
        while parts:
            part = parts.pop()
            if self._closed and deadline is None:
                self._outbox.retry(part, at=self._clock(), attempt=False)
                continue
            outcome = self._exchange(destination, part, deadline)
            refused += outcome.verdict is Verdict.SPLIT
            if refused >= _MOST_REFUSALS and len(part) > 1:
                # It is not one of the events: go on later instead of asking a thousand times.
                outcome = attrs.evolve(outcome, verdict=Verdict.THROTTLED)
            if outcome.verdict is Verdict.SPLIT and len(part) > 1:
                middle = len(part) // 2
                parts += [part[middle:], part[:middle]]
            elif outcome.verdict is Verdict.SPLIT:
                self._die(part, _described(outcome))
            elif outcome.verdict is Verdict.DELIVERED:
                lane.failures, lane.stopped = 0, False
                self._outbox.delivered(part)
                self._tell(signals.delivered, deliveries=part, outcome=outcome)
            else:
                self._postpone(lane, part, outcome)
                for rest in parts:
                    self._outbox.retry(rest, at=lane.not_before, attempt=False)
                return

    def _exchange(
        self, destination: Destination, part: Sequence[Delivery], deadline: float | None
    ) -> Outcome:
        timeout = self._settings.timeout
        if deadline is not None:
            timeout = min(timeout, max(0.1, deadline - time.monotonic()))
        try:
            request = attrs.evolve(destination.request(part), timeout=timeout)
            outcome = destination.outcome(self._send(request, destination), part)
            if not isinstance(outcome, Outcome):
                raise TypeError("outcome() must return an Outcome")  # noqa: TRY301
        except TransportError as error:
            return Outcome(verdict=Verdict.RETRY, reason=str(error), retry_after=error.retry_after)
        except Exception as error:
            # Nothing is lost to a destination's mistake before MAX_ATTEMPTS.
            return Outcome(
                verdict=Verdict.RETRY,
                reason=f"the destination failed with {type(error).__name__} at {place(error)}",
            )
        return outcome

    def _postpone(self, lane: _Lane, batch: Sequence[Delivery], outcome: Outcome) -> None:
        now = self._clock()
        lane.failures += 1
        if outcome.verdict is Verdict.STOP:
            at = now + STOPPED
            if not lane.stopped:
                _log.error(
                    "destination %s is stopped, its events are kept: %s",
                    lane.name,
                    _described(outcome),
                )
            lane.stopped = True
        else:
            at = now + backoff(lane.failures, at_least=outcome.retry_after)
            _log.warning("destination %s: %s", lane.name, _described(outcome))
        lane.not_before = at
        costs = outcome.verdict is Verdict.RETRY
        last = self._settings.max_attempts - 1
        given_up = [item for item in batch if costs and item.attempts >= last]
        if given_up:
            self._die(given_up, f"given up after {last + 1} attempts: {_described(outcome)}")
            batch = [item for item in batch if item.attempts < last]
        if batch:
            self._outbox.retry(batch, at=at, attempt=costs)
            self._tell(signals.delivery_retried, deliveries=batch, outcome=outcome, at=at)

    def _die(self, deliveries: Sequence[Delivery], reason: str) -> None:
        self._outbox.dead(deliveries, reason=reason)
        for delivery in deliveries:
            _log.error(
                "%s %s for %s will not be delivered: %s",
                delivery.event_name,
                delivery.event_id,
                delivery.destination,
                reason,
            )
        self._tell(signals.delivery_dead, deliveries=deliveries, reason=reason)


def _described(outcome: Outcome) -> str:
    parts = [outcome.reason or outcome.verdict.value]
    if outcome.code:
        parts.append(f"code {outcome.code}")
    if outcome.trace:
        parts.append(f"fbtrace_id {outcome.trace}")
    return ", ".join(parts)
