"""Sends a stream of events and tells of each what became of it, in bounded memory."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import attrs

from capi_plugins import Client, Event, signals
from capi_plugins._triggers import Triggers
from capi_plugins.cli.lines import Answers, Line
from capi_plugins.cli.outcomes import advice
from capi_plugins.destinations.base import Destination, Outcome, Verdict
from capi_plugins.outbox.base import Delivery, Stored
from capi_plugins.outbox.memory import MemoryOutbox

MOST_OUT = 2_000
"""Most deliveries under way: the input is read no faster than they leave."""
MOST_BYTES_OUT = 16_000_000
_TICK = 0.2
Identity = tuple[str, str, str]


def _identity(delivery: Delivery) -> Identity:
    return delivery.destination, delivery.event_name, delivery.event_id


class ToldOutbox(MemoryOutbox):
    """An outbox that answers for every delivery when it is settled.

    Args:
        answers: Where answers go.

    Attributes:
        line: The number of the line whose event is being put.
        changed: Notified whenever something is settled or a destination stops.
        out: What is under way: line number and size by identity.
        settled: How many deliveries were settled.
        delivered_count: How many of them were accepted.
        stopped: Destinations that take nothing any more, and what they said.
        last: What each destination said last when it did not accept.
    """

    def __init__(self, answers: Answers) -> None:
        super().__init__(max_deliveries=10 * MOST_OUT, max_bytes=10 * MOST_BYTES_OUT)
        self._answers = answers
        self.line = 0
        self.changed = threading.Condition()
        self.out: dict[Identity, tuple[int, int]] = {}
        self.bytes_out = 0
        self.settled = self.delivered_count = 0
        self.stopped: dict[str, Outcome] = {}
        self.last: dict[str, Outcome] = {}

    def put(self, deliveries: Sequence[Delivery]) -> Stored:
        """Store deliveries and remember their line."""
        # Held over both, so that nothing is settled before it is known to be out.
        with self.changed:
            stored = super().put(deliveries)
            left_out = [*stored.duplicates, *stored.refused]
            for delivery in deliveries:
                if delivery in left_out:
                    continue
                self.out[_identity(delivery)] = (self.line, len(delivery.payload))
                self.bytes_out += len(delivery.payload)
        for delivery in stored.duplicates:
            reason = "duplicate: its event_id was sent before"
            self._answers.bad(self.line, reason, delivery.event_id, delivery.destination)
        for delivery in stored.refused:
            reason = "there is no room for so large an event"
            self._answers.bad(self.line, reason, delivery.event_id, delivery.destination)
        return stored

    def delivered(self, deliveries: Sequence[Delivery]) -> None:
        """Remove accepted deliveries and answer for them."""
        super().delivered(deliveries)
        self._settle(deliveries, None)

    def dead(self, deliveries: Sequence[Delivery], *, reason: str) -> None:
        """Put deliveries aside and answer for them."""
        super().dead(deliveries, reason=reason)
        self._settle(deliveries, reason)

    def retried(
        self, _client: Client, *, deliveries: Sequence[Delivery], outcome: Outcome, at: float
    ) -> None:
        """Hear that a destination did not accept: maybe it never will."""
        del at
        with self.changed:
            for name in {delivery.destination for delivery in deliveries}:
                self.last[name] = outcome
                if outcome.verdict is Verdict.STOP:
                    self.stopped[name] = outcome
            self.changed.notify_all()

    def give_up(self, reason: str) -> None:
        """Answer for everything that is still under way."""
        with self.changed:
            left, self.out = self.out, {}
        for (destination, _, event_id), (line, _) in left.items():
            last = self.last.get(destination)
            why = f"not sent: {last or reason}"
            self._answers.bad(line, why, event_id, destination)

    def _settle(self, deliveries: Sequence[Delivery], reason: str | None) -> None:
        with self.changed:
            for delivery in deliveries:
                if (known := self.out.pop(_identity(delivery), None)) is None:
                    continue
                line, size = known
                self.bytes_out -= size
                self.settled += 1
                self.delivered_count += reason is None
                self._answer(line, delivery, reason)
            self.changed.notify_all()

    def _answer(self, line: int, delivery: Delivery, reason: str | None) -> None:
        # This is a thread of the worker: who reads the input finds out by answers.check().
        with contextlib.suppress(OSError):
            if reason is None:
                self._answers.good(
                    event_id=delivery.event_id, destination=delivery.destination, line=line
                )
            else:
                self._answers.bad(line, reason, delivery.event_id, delivery.destination)


class Sending:
    """One run of ``capi send``.

    It has a client of its own with the host's settings and plugins, whose outbox and worker are in
    this process: what waits in the host's outbox is not touched, and nothing is left in it.

    Args:
        host: The host's client.
        answers: Where answers go.
        timeout: Seconds without any progress after which it gives up.
        test_event_code: Overrides the destinations' own.
        tick: Called with every line, and while waiting with None.

    Attributes:
        outbox: What is under way and what became of the rest.
        why: Why it ended before everything was sent; empty when it did not.
        read_all: Whether the input was read to its end.
    """

    def __init__(
        self,
        host: Client,
        answers: Answers,
        *,
        timeout: float,
        test_event_code: str | None = None,
        tick: Callable[[Line | None], None],
    ) -> None:
        self.outbox = ToldOutbox(answers)
        self.why = ""
        self.read_all = False
        self._answers = answers
        self._timeout = timeout
        self._tick = tick
        delivery = attrs.evolve(host.settings.delivery, worker="thread")
        self._client = Client(
            settings=attrs.evolve(host.settings, delivery=delivery),
            plugins=host.plugins,
            destinations={
                name: _marked(destination, test_event_code)
                for name, destination in host.destinations.items()
            },
            triggers=Triggers(()),
            sources={},
            outbox=lambda: self.outbox,
            user_lookups={},
        )

    def run(self, lines: Iterable[Line]) -> None:
        """Send the events of the lines, until all is settled or it has to end before that."""
        hearing = signals.delivery_retried.connected_to(self.outbox.retried, sender=self._client)
        with hearing, _no_log_of_deliveries():
            try:
                self._feed(lines)
                self._wait(self._nothing_moves)
                self.why = self.why or _why_stopped(self.outbox.stopped)
            except KeyboardInterrupt:
                self.why = "interrupted"
                self._client.flush(self._client.settings.delivery.exit_timeout)
                raise
            finally:
                try:
                    self.outbox.give_up(self.why)
                finally:
                    self._client.close(0)

    def _feed(self, lines: Iterable[Line]) -> None:
        for line in lines:
            self._tick(line)
            if line.event is None:
                self._answers.bad(line.number, line.reason, line.event_id, None)
            else:
                self._send(line.number, line.event)
            self._wait(self._room)
            if self.outbox.stopped:
                self.why = _why_stopped(self.outbox.stopped)
            if self.why:
                return
        self.read_all = True

    def _send(self, number: int, event: Event) -> None:
        self.outbox.line = number
        results = self._client.capture(event)
        if not results:
            reason = "internal error: the log on standard error says where"
            self._answers.bad(number, reason, event.event_id, None)
        for result in results:
            if result.payload is None:
                reason = result.reason or "dropped"
                self._answers.bad(number, reason, result.event.event_id, result.destination)

    def _room(self) -> bool:
        outbox = self.outbox
        return bool(outbox.stopped) or (
            len(outbox.out) < MOST_OUT and outbox.bytes_out < MOST_BYTES_OUT
        )

    def _nothing_moves(self) -> bool:
        return all(destination in self.outbox.stopped for destination, *_ in self.outbox.out)

    def _wait(self, done: Callable[[], bool]) -> None:
        outbox = self.outbox
        settled, since = outbox.settled, time.monotonic()
        while True:
            self._answers.check()
            with outbox.changed:
                if done() or self.why:
                    return
                outbox.changed.wait(_TICK)
                if outbox.settled != settled:
                    settled, since = outbox.settled, time.monotonic()
            if time.monotonic() - since > self._timeout:
                self.why = f"nothing was settled for {self._timeout:g} seconds"
                return
            self._tick(None)


def _why_stopped(stopped: Mapping[str, Outcome]) -> str:
    return "; ".join(
        f"destination {name} is stopped: {outcome}. To do: {advice(outcome)}"
        for name, outcome in stopped.items()
    )


@contextlib.contextmanager
def _no_log_of_deliveries() -> Iterator[None]:
    """Keep quiet what the answers tell of every event."""
    loggers = [logging.getLogger(f"capi_plugins.{name}") for name in ("worker", "client")]
    levels = [logger.level for logger in loggers]
    loggers[0].setLevel(logging.CRITICAL)
    loggers[1].setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _marked(destination: Destination, test_event_code: str | None) -> Destination:
    if test_event_code is None:
        return destination
    options = {**destination.options, "TEST_EVENT_CODE": test_event_code}
    return type(destination)(destination.name, options)
