"""The worker: decides when what waits in the outbox is sent, and in which thread.

Each destination has a lane of its own, a daemon thread that starts when something waits and ends
when nothing has for a while: an endpoint that hangs stops its own lane only.
"""

from __future__ import annotations

import itertools
import logging
import random
import threading
import time
from collections.abc import Callable, Collection

from capi_plugins._retry import CAP, LONGEST_WISH, backoff
from capi_plugins._sending import LOOK, Lane, Sending
from capi_plugins.background import started
from capi_plugins.destinations.base import Destination, Request, Response
from capi_plugins.outbox.base import Outbox
from capi_plugins.settings import DeliverySettings

_log = logging.getLogger("capi_plugins.worker")
_IDLE = 60.0
_POLL = 0.5
_MOMENT = 0.05


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
        self._clock = clock
        self._sending = Sending(
            outbox, settings, destination=destination, send=send, tell=tell, clock=clock
        )
        self._lanes: dict[str, Lane] = {}
        # The outbox is never asked with the condition held: it may have to wait for a file, and
        # requests need the condition to wake lanes. Counting the news keeps wake-ups from getting
        # lost in between.
        self._changed = threading.Condition()
        self._news = 0
        self._hurry = threading.Event()
        self._looked = not outbox.durable
        self._closed = False

    # ------------------------------------------------------------------ from other threads

    def wake(self, destinations: Collection[str]) -> None:
        """Have the lanes of some destinations look into the outbox."""
        # One that sends looks again by itself.
        if all((lane := self._lanes.get(name)) and lane.sending for name in destinations):
            return
        with self._changed:
            news = False
            for name in destinations:
                lane = self._lane(name)
                self._start(lane)
                # What comes while a destination rests changes nothing before the rest is over, and
                # a lane that wakes up takes time from the request that woke it.
                news = news or lane.idle or lane.not_before <= self._clock()
            if news:
                self._tell_lanes()

    def run_inline(self, *, timeout: float | None = None, only: str | None = None) -> None:
        """Deliver what is due in the calling thread.

        Args:
            timeout: Seconds for all of it; None: each request's own limit.
            only: Name of the one destination; None: all.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        for lane in list(self._lanes.values()):
            self._sending.give_back(lane)
        for name in self._outbox.waiting_for():
            if only not in (None, name):
                continue
            with self._changed:
                lane = self._lane(name)
            self._sending.look_again(lane)
            while not (self._rests(lane) or self._is_over(deadline)):
                if not self._sending.step(lane, deadline):
                    break

    def _rests(self, lane: Lane) -> bool:
        now = self._clock()
        # Longer than anybody waits: the clock was set back since.
        return now < lane.not_before <= now + LONGEST_WISH + CAP

    def _is_over(self, deadline: float | None) -> bool:
        return self._closed if deadline is None else time.monotonic() >= deadline

    def serve(self, over: Callable[[], bool], *, once: bool) -> None:
        """Be the sender of a process that does nothing else.

        Args:
            over: Whether to end; asked twice a second.
            once: End as well as soon as nothing is due.

        Raises:
            Exception: What the outbox raises, if it is for once; else that is waited out.
        """
        failures = 0
        while not over():
            seen = self._news
            try:
                if not self._can_start():
                    self.run_inline()
                with self._changed:
                    self._tell_lanes()
                    seen = self._news
                if once and not self._any_progress(0.0):
                    return
                failures = 0
            except Exception as error:
                if once:
                    raise
                failures += 1
                if failures == 1:
                    _log.error("the outbox cannot be read: %s", type(error).__name__)
            self._wait_for_news(seen, _POLL)

    def flush(self, timeout: float, *, here: bool = False) -> int:
        """Wait until nothing waits any more.

        Args:
            timeout: Most seconds to wait.
            here: Send in the calling thread, and start none that would go on sending afterwards.

        Returns:
            How many deliveries still wait: the time ran out, or they are not due before it does.
        """
        deadline = time.monotonic() + timeout
        # Else a host that allows no threads, or an interpreter that is shutting down.
        here = here or not self._can_start()
        if not here:
            self._hurry.set()
            with self._changed:
                self._tell_lanes()
        try:
            return self._flushed(deadline, here=here)
        finally:
            self._hurry.clear()

    def _flushed(self, deadline: float, *, here: bool) -> int:
        while True:
            seen = self._news
            if here:
                self.run_inline(timeout=deadline - time.monotonic())
            left = deadline - time.monotonic()
            # Asked before counting: what is settled in between would be counted, and no progress.
            progress = left > 0 and self._any_progress(left)
            waiting = self._outbox.stats().waiting
            if not waiting or not progress:
                return waiting
            # Other processes send too, and tell nobody.
            alone = not (here or self._outbox.durable)
            self._wait_for_news(seen, left if alone else min(left, _POLL))

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
            self._closed = self._sending.ending = True
            self._hurry.set()
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
            lanes = list(self._lanes.values())
        return sorted(lane.name for lane in lanes if self._sending.is_stopped(lane))

    # ------------------------------------------------------------------ lanes

    def _lane(self, name: str) -> Lane:
        return self._lanes.get(name) or self._lanes.setdefault(name, Lane(name))

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

    def _start(self, lane: Lane) -> bool:
        if self._closed:
            return False
        if lane.thread is not None and lane.thread.is_alive():
            return True
        lane.thread = started(self._run, f"capi-{lane.name}", lane)
        return lane.thread is not None

    def _any_progress(self, within: float) -> bool:
        """Whether some lane is sending, or will be before the time is over."""
        latest = self._clock() + within
        for name in self._outbox.waiting_for():
            due = self._due(self._lane(name))
            if due is not None and due <= latest:
                return True
        return any(lane.sending for lane in list(self._lanes.values()))

    def _due(self, lane: Lane) -> float | None:
        due = self._outbox.next_due(lane.name)
        return None if due is None else max(due, lane.not_before)

    def _run(self, lane: Lane) -> None:
        wait = 0.0
        while True:
            try:
                self._rest(lane, wait)
                self._sending.give_back(lane)
                self._look_around()
                due = self._wait_until_due(lane)
                if due is None:
                    return
                with self._changed:
                    if self._closed:
                        return
                    lane.sending = True
                lane.not_before = wait = 0.0
                self._gather(lane)
                self._sending.step(lane, None, due=due, several=True)
            except BaseException as error:
                # The outbox failed, or the thread was to be killed: whatever a destination does
                # ends in an outcome, and nothing but the end of the process ends a lane.
                _log.error("delivery to %s failed with %s", lane.name, type(error).__name__)
                lane.failures += 1
                wait = backoff(lane.failures)
                lane.not_before = self._clock() + wait

    def _gather(self, lane: Lane) -> None:
        """Let some more come, unless somebody waits: requests of a few cost most of the work."""
        left = lane.gather_until - time.monotonic()
        if left > 0:
            self._hurry.wait(left)

    def _rest(self, lane: Lane, wait: float) -> None:
        """Tell that a lane does not send just now, and wait after a failure."""
        with self._changed:
            lane.sending = False
            self._tell_lanes()
            if wait and not self._closed:
                self._changed.wait(wait)

    def _look_around(self) -> None:
        """Once, look for what earlier processes have left in a durable outbox."""
        with self._changed:
            looked, self._looked = self._looked, True
        if not looked:
            self.wake(self._outbox.waiting_for())

    def _wait_until_due(self, lane: Lane) -> float | None:
        """Wait; return as of when something is due, None: the lane ends.

        How long is read from the clock once, and then waited by one that is never set: a clock
        that stands still or is set back meanwhile stops nothing.
        """
        awaited, until = None, 0.0
        looks = itertools.count()
        while True:
            # Read first: what becomes news after this ends the waits below.
            seen = self._news
            lane.idle = True
            if self._closed:
                return None
            self._sending.look_again(lane)
            due = self._due(lane)
            if due is None:
                if not self._wait_for_news(seen, _IDLE) and self._ends(lane, seen):
                    return None
                continue
            lane.idle = False
            now = self._clock()
            if due != awaited:
                # Longer than anybody waits: the clock was set back before.
                wait = due - now if due - now <= LONGEST_WISH + CAP else _POLL
                awaited, until = due, time.monotonic() + wait
            left = min(due - now, until - time.monotonic())
            if left <= 0:
                return max(now, due)
            # What other processes put is due before that, perhaps; each look costs a query.
            most = _IDLE
            if self._outbox.durable:
                most = random.uniform(_POLL, 2 * _POLL) * 2 ** min(next(looks), 3)  # noqa: S311
            most = min(most, LOOK) if lane.stopped else most
            self._wait_for_news(seen, min(left, most))

    def _ends(self, lane: Lane, seen: int) -> bool:
        """End a lane that had nothing to do, unless other processes may bring it something."""
        with self._changed:
            if self._outbox.durable or self._news != seen:
                return False
            lane.thread = None
            return True
