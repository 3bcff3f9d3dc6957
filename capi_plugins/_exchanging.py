"""One request and its answer, and several of them at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import attrs

from capi_plugins._place import place
from capi_plugins.background import started
from capi_plugins.destinations.base import Destination, Outcome, Request, Response, Verdict
from capi_plugins.exceptions import ConfigurationError, TransportError
from capi_plugins.leaving import pass_on
from capi_plugins.outbox.base import Delivery

_MOMENT = 1.0


class Exchanging:
    """Sends to destinations; whatever comes of it is an outcome.

    Args:
        send: Sends a request; raises ``TransportError`` when no answer came.
        timeout: Seconds that a request may take.
    """

    def __init__(self, send: Callable[[Request, Destination], Response], *, timeout: float) -> None:
        self._send = send
        self._timeout = timeout

    def together(
        self,
        destination: Destination,
        parts: Sequence[Sequence[Delivery]],
        deadline: float | None,
    ) -> tuple[list[tuple[Sequence[Delivery], Outcome]], list[Sequence[Delivery]]]:
        """Send parts, the first of them in this thread, and wait for all.

        Args:
            destination: Where to.
            parts: What goes into one request each.
            deadline: When it has to be over, on the monotonic clock; None: every request has its
                own limit.

        Returns:
            What came of them, and those for which there was no thread to send them.
        """
        late = Outcome(verdict=Verdict.DOWN, reason="the request did not end in time")
        outcomes: dict[int, Outcome] = {}

        def exchange(number: int) -> None:
            outcomes[number] = self._exchange(destination, parts[number], deadline)

        threads: dict[int, threading.Thread] = {}
        for number in range(1, len(parts)):
            thread = started(exchange, f"capi-{destination.name}+", number)
            # Without a thread it is sent later.
            if thread is not None:
                threads[number] = thread
        exchange(0)
        for thread in threads.values():
            # Each request has its own limit; whoever overruns it by far is not waited for.
            thread.join(2 * self._timeout)
            # Where the process stood still, the time is over before the thread had any of it.
            thread.join(_MOMENT)
        sent = [0, *threads]
        unsent = [part for number, part in enumerate(parts) if number not in sent]
        return [(parts[number], outcomes.get(number, late)) for number in sent], unsent

    def _exchange(
        self, destination: Destination, part: Sequence[Delivery], deadline: float | None
    ) -> Outcome:
        timeout = self._timeout
        if deadline is not None:
            timeout = min(timeout, max(0.1, deadline - time.monotonic()))
        try:
            request = attrs.evolve(destination.request(part), timeout=timeout)
            outcome = destination.outcome(self._send(request, destination), part)
            if not isinstance(outcome, Outcome):
                raise TypeError("outcome() must return an Outcome")  # noqa: TRY301
        except TransportError as error:
            return Outcome(verdict=Verdict.DOWN, reason=str(error), retry_after=error.retry_after)
        except ConfigurationError as error:
            return Outcome(verdict=Verdict.STOP, reason="; ".join(error.problems))
        except Exception as error:
            pass_on(error)
            # Nothing is lost to a destination's mistake before MAX_ATTEMPTS.
            return Outcome(
                verdict=Verdict.RETRY,
                reason=f"the destination failed with {type(error).__name__} at {place(error)}",
            )
        return outcome


def requests(batch: Sequence[Delivery], limit: int, max_bytes: int) -> list[Sequence[Delivery]]:
    """Part deliveries into what one request may hold; a delivery alone may be larger.

    Args:
        batch: The deliveries.
        limit: Most of them in a request.
        max_bytes: Most bytes of payload in a request.
    """
    parts: list[Sequence[Delivery]] = []
    start = size = 0
    for number, delivery in enumerate(batch):
        size += len(delivery.payload)
        if number > start and (number - start == limit or size > max_bytes):
            parts.append(batch[start:number])
            start, size = number, len(delivery.payload)
    parts.append(batch[start:])
    return parts
