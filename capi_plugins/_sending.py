"""Sending a batch: taken from the outbox, joined to requests, settled as the answers say."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence

import attrs

from capi_plugins import signals
from capi_plugins._exchanging import Exchanging, requests
from capi_plugins._retry import CAP, STOPPED, backoff
from capi_plugins._standings import Standings
from capi_plugins.destinations.base import Destination, Outcome, Request, Response, Verdict
from capi_plugins.outbox.base import Delivery, Outbox
from capi_plugins.settings import DeliverySettings

_log = logging.getLogger("capi_plugins.worker")
_MOST_REFUSALS = 64
_AT_ONCE = 4
_SMALLER_AFTER = 4
_FIRST = 0.0
PACE = 0.1
"""Least seconds from batch to batch while what waited for a destination to recover is sent."""
GATHER = 0.2
"""Least seconds from request to request where less waits than one request may hold."""
LOOK = 5.0
"""How often a stopped destination's configuration is looked at, seconds."""


class Lane:
    """What the worker of this process knows of one destination.

    Attributes:
        name: The destination's name.
        thread: Sends there; None while there is none.
        failures: Requests in a row that were not accepted.
        not_before: When the next request may be made, seconds since the epoch.
        stopped: Whether its configuration is wrong.
        recovering: Whether it has answered again, and what waited for that is being sent.
        look_at: When its configuration is looked at again while it is stopped, monotonic clock.
        sending: Whether the thread is at work.
        proven: Whether the last request was accepted.
        share: How much of a full batch is sent at once: less after failures in a row, in case it is
            something in the batch that the other side fails at.
        idle: Whether the thread waits for something to send, as far as it knows.
        gather_until: When the next request is worth its cost however little waits, monotonic clock.
        in_hand: Batches that an exception has left, until the outbox has taken them back.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.thread: threading.Thread | None = None
        self.failures = 0
        self.not_before = 0.0
        self.stopped = False
        self.recovering = False
        self.look_at = 0.0
        self.sending = False
        self.proven = False
        self.share = 1.0
        self.idle = True
        self.gather_until = 0.0
        self.in_hand: list[Sequence[Delivery]] = []


class Sending:
    """Delivers batches. Its arguments are those of ``Worker``.

    Attributes:
        ending: What is not under way yet is given back instead of being sent.
    """

    def __init__(
        self,
        outbox: Outbox,
        settings: DeliverySettings,
        *,
        destination: Callable[[str], Destination | None],
        send: Callable[[Request, Destination], Response],
        tell: Callable[..., None],
        clock: Callable[[], float],
    ) -> None:
        self.ending = False
        self._outbox = outbox
        self._settings = settings
        self._destination = destination
        self._exchanging = Exchanging(send, timeout=settings.timeout)
        self._tell = tell
        self._clock = clock
        self._standings = Standings(outbox)

    def is_stopped(self, lane: Lane) -> bool:
        """Whether the configuration of a destination is wrong, as far as any process knows."""
        return lane.stopped and self._standings.is_stopped(lane.name, self._destination(lane.name))

    def look_again(self, lane: Lane) -> None:
        """Let a stopped destination go on if its configuration is another one by now.

        Or if another process has got through to it since.
        """
        moment = time.monotonic()
        if not lane.stopped or moment < lane.look_at:
            return
        lane.look_at = moment + LOOK
        now = self._clock()
        if self._standings.held_until(lane.name, self._destination(lane.name), now=now) <= now:
            lane.not_before = 0.0

    def step(
        self, lane: Lane, deadline: float | None, *, due: float = 0.0, several: bool = False
    ) -> bool:
        """Take what is next and deliver it.

        Args:
            lane: Of which destination.
            deadline: When it has to be over, on the monotonic clock; None: every request has its
                own limit.
            due: What is due by then is taken, though the clock may not say so yet.
            several: Whether to have several requests under way at once, where much waits and the
                last request was accepted.

        Returns:
            Whether there was a batch that was dealt with.
        """
        now = self._clock()
        destination = self._destination(lane.name)
        limit = self._settings.batch_size
        most = 4_000_000
        if destination is not None:
            limit, most = min(limit, destination.MAX_BATCH), destination.MAX_BATCH_BYTES
        limit = max(1, int(limit * lane.share))
        at_once = _AT_ONCE if several and lane.proven and not lane.recovering else 1
        batch: Sequence[Delivery] = ()
        try:
            batch = self._outbox.take(
                lane.name, limit=limit * at_once, max_bytes=most * at_once, now=max(now, due)
            )
            if not batch:
                return False
            began = time.monotonic()
            self._settle(lane, destination, batch, deadline, now, (limit, most))
        except BaseException:
            # A thread may be killed by an exception at any line, and what nobody gives back would
            # wait for this process to end. What is settled already stays so.
            if batch:
                lane.in_hand.append(batch)
                self.give_back(lane)
            raise
        full = len(batch) >= limit
        lane.gather_until = 0.0 if full else began + GATHER
        lane.recovering = lane.recovering and full
        if lane.recovering and deadline is None and not self.ending:
            # What waits from an outage must not become the next one.
            time.sleep(max(0.0, began + PACE - time.monotonic()))
        return True

    def give_back(self, lane: Lane) -> None:
        """Have the outbox take back what an exception has left in hand.

        Raises:
            Exception: What the outbox raises; what it has not taken is kept for the next time.
        """
        for batch in tuple(lane.in_hand):
            self._outbox.retry(batch, at=self._clock(), attempt=False)
            with contextlib.suppress(ValueError):
                lane.in_hand.remove(batch)

    def _settle(
        self,
        lane: Lane,
        destination: Destination | None,
        batch: Sequence[Delivery],
        deadline: float | None,
        now: float,
        room: tuple[int, int],
    ) -> None:
        expired = [item for item in batch if item.expires_at is not None and item.expires_at <= now]
        if expired:
            self._die(expired, "expired: too old for the destination")
            batch = [item for item in batch if item.expires_at is None or item.expires_at > now]
        if not batch:
            return
        # Asked last, with the batch in hand: whoever had the destination before has told by now.
        held_until = self._standings.turn(lane.name, destination, now=now)
        if held_until > now:
            self._outbox.retry(batch, at=_FIRST, attempt=False)
            lane.not_before, lane.stopped = held_until, True
        elif destination is None:
            outcome = Outcome(verdict=Verdict.STOP, reason="no destination of this name exists")
            self._postpone(lane, None, batch, outcome)
        else:
            self._deliver(lane, destination, requests(batch, *room), deadline)

    def _deliver(
        self,
        lane: Lane,
        destination: Destination,
        parts: list[Sequence[Delivery]],
        deadline: float | None,
    ) -> None:
        """Send parts, all at once and then what was split one by one."""
        refused = 0
        together, parts = parts, []
        while together:
            if self.ending and deadline is None:
                for part in together + parts:
                    self._outbox.retry(part, at=self._clock(), attempt=False)
                return
            failed: list[tuple[Sequence[Delivery], Outcome]] = []
            answered, unsent = self._exchanging.together(destination, together, deadline)
            parts += unsent
            for part, outcome in answered:
                refused += outcome.verdict is Verdict.SPLIT
                enough = refused >= _MOST_REFUSALS and len(part) + len(parts) > 1
                if enough and outcome.verdict is Verdict.SPLIT:
                    # It is not one of the events: go on later instead of asking a thousand times.
                    later = attrs.evolve(outcome, verdict=Verdict.THROTTLED, retry_after=CAP)
                    failed.append((part, later))
                elif outcome.verdict is Verdict.SPLIT and len(part) > 1:
                    middle = len(part) // 2
                    parts += [part[middle:], part[:middle]]
                elif not self._settled(lane, destination, part, outcome):
                    failed.append((part, outcome))
            if failed:
                due = self._postpone_all(lane, destination, failed)
                for rest in parts:
                    self._outbox.retry(rest, at=due, attempt=False)
                return
            together = self._next(parts)

    def _next(self, parts: list[Sequence[Delivery]]) -> list[Sequence[Delivery]]:
        """Choose what goes next of what was split: somebody may have been forgotten meanwhile."""
        while parts:
            if part := self._outbox.remaining(parts.pop()):
                return [part]
        return []

    def _settled(
        self, lane: Lane, destination: Destination, part: Sequence[Delivery], outcome: Outcome
    ) -> bool:
        """Settle what the destination has taken, or refused for good; False: it has to wait."""
        if outcome.verdict not in (Verdict.DELIVERED, Verdict.SPLIT):
            return False
        self._standings.answered(lane.name, destination, now=self._clock())
        if outcome.verdict is Verdict.SPLIT:
            self._die(part, str(outcome))
        else:
            lane.recovering = lane.recovering or lane.failures > 0
            lane.failures, lane.stopped, lane.proven = 0, False, True
            lane.share = min(1.0, lane.share * 2)
            self._outbox.delivered(part)
            self._tell(signals.delivered, deliveries=part, outcome=outcome)
        return True

    def _postpone_all(
        self,
        lane: Lane,
        destination: Destination,
        failed: Sequence[tuple[Sequence[Delivery], Outcome]],
    ) -> float:
        """Keep parts for later that failed together: one failure of the destination."""
        failures, due, not_before = lane.failures, _FIRST, 0.0
        for part, outcome in failed:
            lane.failures = failures
            due = max(due, self._postpone(lane, destination, part, outcome))
            not_before = max(not_before, lane.not_before)
        lane.not_before = not_before
        return due

    def _postpone(
        self,
        lane: Lane,
        destination: Destination | None,
        batch: Sequence[Delivery],
        outcome: Outcome,
    ) -> float:
        """Keep a batch for later; return when the deliveries are due for whoever may send them."""
        now = self._clock()
        lane.failures += 1
        lane.proven = False
        long = lane.failures >= _SMALLER_AFTER or lane.share < 1
        if outcome.verdict is Verdict.DOWN and long:
            lane.share = max(1 / self._settings.batch_size, lane.share / 2)
        stops = outcome.verdict is Verdict.STOP
        if stops:
            at = now + STOPPED
            if not lane.stopped:
                _log.error(
                    "destination %s is stopped, its events are kept: %s",
                    lane.name,
                    outcome,
                )
            lane.stopped, lane.look_at = True, time.monotonic() + LOOK
        else:
            at = now + backoff(lane.failures, at_least=outcome.retry_after)
            _log.warning("destination %s: %s", lane.name, outcome)
        lane.not_before = at
        self._standings.refused(
            lane.name,
            destination,
            now=now,
            reason=str(outcome),
            stopped_until=at if stops else None,
        )
        # What is stopped waits for nothing but its configuration, the oldest first: it is due at
        # once for a process that has another one, and the first to be found too old.
        due = _FIRST if stops else at
        costs = outcome.verdict is Verdict.RETRY
        last = self._settings.max_attempts - 1
        given_up = [item for item in batch if costs and item.attempts >= last]
        if given_up:
            self._die(given_up, f"given up after {last + 1} attempts: {outcome}")
            batch = [item for item in batch if item.attempts < last]
        if batch:
            self._outbox.retry(batch, at=due, attempt=costs)
            self._tell(signals.delivery_retried, deliveries=batch, outcome=outcome, at=at)
        return due

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
