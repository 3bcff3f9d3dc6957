"""What the sandbox has received: bounded, thread-safe, and able to wait for more."""

from __future__ import annotations

import threading
import uuid
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from typing import Any, Final

import attrs

from capi_plugins.sandbox.refusals import Notice, Refusal

DEDUP_WINDOW: Final = 48 * 3600
"""Seconds within which a second copy of an event is dropped (Meta: deduplicate events)."""
DEDUP_KEYS: Final = 500_000
BYTES_KEPT: Final = 128 * 1024 * 1024


@attrs.frozen(kw_only=True)
class ReceivedEvent:
    """One event of one request, and what became of it.

    Attributes:
        dataset: Id of the dataset it was sent to.
        payload: The event as decoded; None stands for a request whose events were not readable.
        received_at: Unix seconds.
        test_event_code: The Test Events id of its request.
        duplicate: Accepted, but a copy of one received within 48 hours before.
        request_id: The request it came in.
        warnings: Remarks on an event that passes.
        refusal: What the whole request was refused for; None when it was accepted.
        problems: All that is wrong with this one event, not just the first.
        seq: Its number in the order of arrival.
    """

    dataset: str
    payload: Any = attrs.field(repr=False)
    received_at: float
    test_event_code: str | None = None
    duplicate: bool = False
    request_id: str = ""
    warnings: tuple[Notice, ...] = ()
    refusal: Refusal | None = None
    problems: tuple[Refusal, ...] = ()
    seq: int = 0

    @property
    def name(self) -> str:
        """The event's name; empty where there is none."""
        name = self.payload.get("event_name") if isinstance(self.payload, dict) else None
        return name if isinstance(name, str) else ""

    @property
    def reason(self) -> str:
        """Why it was refused, in short; empty when it was accepted."""
        return self.refusal.reason if self.refusal else ""

    @property
    def status(self) -> str:
        """``accepted``, ``duplicate`` or ``refused``."""
        if self.refusal is not None:
            return "refused"
        return "duplicate" if self.duplicate else "accepted"


@attrs.frozen(kw_only=True)
class ReceivedRequest:
    """One request to the Graph API and its answer.

    Attributes:
        method: HTTP method.
        path: Path without the query.
        query: Query parameters, secrets hidden.
        headers: Headers, secrets hidden.
        status: HTTP status answered; 0 when the sandbox gave no answer on purpose.
        answer: The answered body: decoded JSON, or text; None without an answer.
        events: The events it carried.
        reason: Why it was refused, in short; empty when it was accepted.
        token_source: ``query``, ``header``, ``body`` or empty.
        encoding: How the body was encoded.
        size: Bytes of the body as sent.
        received_at: Unix seconds.
        latency: Seconds from arrival to the verdict.
        fault: The injected fault that changed the answer, if any.
        request_id: Its name in the sandbox.
    """

    method: str
    path: str
    query: dict[str, str] = attrs.field(repr=False)
    headers: dict[str, str] = attrs.field(repr=False)
    status: int
    answer: Any = attrs.field(repr=False)
    events: tuple[ReceivedEvent, ...]
    reason: str
    token_source: str
    encoding: str
    size: int
    received_at: float
    latency: float
    fault: str = ""
    request_id: str = attrs.field(factory=lambda: uuid.uuid4().hex[:12])


class Store:
    """The newest requests with their events, and the memory of what was already counted."""

    def __init__(self, limit: int = 10_000) -> None:
        """Hold at most ``limit`` events; the oldest requests leave first."""
        self._limit = limit
        self._changed = threading.Condition()
        self._requests: deque[ReceivedRequest] = deque()
        self._counts: Counter[str] = Counter()
        self._events = 0
        self._bytes = 0
        self._seen: OrderedDict[tuple[str, str, str], float] = OrderedDict()
        self.seq = 0
        self.generation = 0
        self.version = 0

    @property
    def changed(self) -> threading.Condition:
        """Held while reading several things that belong together; notified on every change."""
        return self._changed

    def record(
        self, build: Callable[[Callable[[str, Any, float], bool]], ReceivedRequest]
    ) -> ReceivedRequest:
        """Keep a request and number its events.

        Args:
            build: Makes the request, given a function that says whether an event of a dataset,
                received at a time, is a duplicate. Both run under the store's lock, so of two
                copies that arrive together exactly one counts.

        Returns:
            The request as kept.
        """
        with self._changed:
            request = build(self._is_duplicate)
            events = []
            for event in request.events:
                self.seq += 1
                events.append(attrs.evolve(event, seq=self.seq, request_id=request.request_id))
            request = attrs.evolve(request, events=tuple(events))
            self._requests.append(request)
            self._account(request, 1)
            while len(self._requests) > 1 and (
                self._events > self._limit
                or len(self._requests) > self._limit
                or self._bytes > BYTES_KEPT
            ):
                self._account(self._requests.popleft(), -1)
            self._notify()
            return request

    def _notify(self) -> None:
        self.version += 1
        self._changed.notify_all()

    def _account(self, request: ReceivedRequest, sign: int) -> None:
        self._events += sign * len(request.events)
        self._bytes += sign * request.size
        for event in request.events:
            if event.status == "accepted":
                self._counts[event.name] += sign

    def _is_duplicate(self, dataset: str, payload: Any, now: float) -> bool:
        event_id = payload.get("event_id")
        if not isinstance(event_id, str) or not event_id:
            return False
        if payload.get("action_source") == "business_messaging":
            return False  # Meta does not deduplicate these.
        key = (dataset, payload["event_name"], event_id)
        first = self._seen.get(key)
        if first is not None and now - first < DEDUP_WINDOW:
            return True
        self._seen.pop(key, None)
        self._seen[key] = now
        while len(self._seen) > DEDUP_KEYS:
            self._seen.popitem(last=False)
        return False

    @property
    def requests(self) -> list[ReceivedRequest]:
        """The requests kept, oldest first."""
        with self._changed:
            return list(self._requests)

    def entries(self, after: int = 0) -> list[tuple[ReceivedEvent, ReceivedRequest]]:
        """Return the events numbered above ``after`` with their requests, oldest first."""
        found: list[tuple[ReceivedEvent, ReceivedRequest]] = []
        with self._changed:
            for request in reversed(self._requests):
                if request.events and request.events[-1].seq <= after:
                    break
                found.extend(
                    (event, request) for event in reversed(request.events) if event.seq > after
                )
        return found[::-1]

    def events(self, *statuses: str) -> list[ReceivedEvent]:
        """Return the events of the given statuses, oldest first."""
        return [event for event, _ in self.entries() if event.status in statuses]

    def wait_for(self, count: int, timeout: float, name: str | None) -> list[ReceivedEvent]:
        """Wait until ``count`` events have been accepted, duplicates left out.

        Args:
            count: How many.
            timeout: Seconds.
            name: Only events of this name.

        Returns:
            The accepted events.

        Raises:
            TimeoutError: Fewer came; the text says what did.
        """
        with self._changed:
            arrived = self._changed.wait_for(lambda: self._count(name) >= count, timeout)
            if not arrived:
                wanted = f"{count} {name or ''}".strip()
                raise TimeoutError(
                    f"waited {timeout:g} s for {wanted} events, got {self._count(name)};"
                    f" {self._summary()}"
                )
            found = self.events("accepted")
        return [event for event in found if name is None or event.name == name]

    def _count(self, name: str | None) -> int:
        return self._counts.total() if name is None else self._counts[name]

    def _summary(self) -> str:
        tally: Counter[str] = Counter()
        for request in self._requests:
            if request.status == 0:
                tally["unanswered request"] += 1
            elif not request.events:
                tally[f"request without events ({request.status})"] += 1
            for event in request.events:
                label = f"{event.name or 'unnamed event'} {event.status}"
                tally[f"{label} ({event.reason})" if event.reason else label] += 1
        if not tally:
            return "nothing arrived at all"
        return "arrived: " + ", ".join(f"{times} x {what}" for what, times in tally.items())

    def wait_for_news(self, after: int, generation: int, timeout: float) -> bool:
        """Wait until there is an event numbered above ``after``, or the store was cleared."""
        with self._changed:
            return self._changed.wait_for(
                lambda: self.seq > after or self.generation != generation, timeout
            )

    def wait_for_change(self, version: int, timeout: float) -> bool:
        """Wait until anything changed since ``version``, be it only the sandbox's settings."""
        with self._changed:
            return self._changed.wait_for(lambda: self.version != version, timeout)

    def wait_for_requests(self, count: int, timeout: float) -> list[ReceivedRequest]:
        """Wait until ``count`` requests have come, whatever their verdict.

        Raises:
            TimeoutError: Fewer came; the text says what did.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._requests) >= count, timeout):
                raise TimeoutError(
                    f"waited {timeout:g} s for {count} requests, got {len(self._requests)};"
                    f" {self._summary()}"
                )
            return list(self._requests)

    def touch(self) -> None:
        """Tell those who watch that settings of the sandbox changed."""
        with self._changed:
            self._notify()

    def wake(self) -> None:
        """Make everyone who waits look again, as when the server stops."""
        with self._changed:
            self.generation += 1
            self._notify()

    def clear(self) -> None:
        """Forget everything, deduplication included; numbers go on counting."""
        with self._changed:
            self._requests.clear()
            self._counts.clear()
            self._seen.clear()
            self._events = self._bytes = 0
            self.generation += 1
            self._notify()
