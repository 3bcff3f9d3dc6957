"""Keeps events of visitors who have not decided yet, until they do.

With ``CAPI["CONSENT"]["DEFAULT"]`` ``"hold"`` an event waits here as what would be sent: encoded,
contact data hashed. No sender looks here. It moves to the outbox when the same visitor consents in
time, and is removed otherwise.
"""

from __future__ import annotations

import collections
import json
import threading
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

import attrs

from capi_plugins.context_store import key_of

MOST_EACH = 50
"""Most events held of one visitor; further ones are dropped."""
MOST_HELD = 20_000
"""Most events a durable store holds; the oldest go."""
MOST_IN_MEMORY = 2_000
"""Most events held in memory."""


@attrs.frozen(kw_only=True)
class HeldEvent:
    """An event of a visitor who has not decided, as one destination would get it.

    Attributes:
        visitor: Tells the visitor from others; a digest.
        user: Who was signed in, a digest; None: nobody.
        destination: Name of the destination.
        event_name: As in ``Delivery``.
        event_id: As in ``Delivery``.
        at: When it happened, seconds since the epoch.
        until: When it is too late to decide, seconds since the epoch.
        granted: The encoded event for a visitor who consents.
        limited: The encoded event for a visitor who limits the use of data.
        expires_at: When the destination stops taking it, seconds since the epoch.
    """

    visitor: str = attrs.field(repr=False)
    user: str | None = attrs.field(default=None, repr=False)
    destination: str
    event_name: str
    event_id: str
    at: float
    until: float
    granted: bytes = attrs.field(repr=False)
    limited: bytes = attrs.field(repr=False)
    expires_at: float | None = None

    @property
    def key(self) -> str:
        """The same for the same event of the same visitor: it is held once."""
        return key_of("held", self.visitor, self.destination, self.event_name, self.event_id)

    def to_json(self) -> str:
        """Write it down."""
        data = attrs.asdict(self)
        for name in ("granted", "limited"):
            # Every byte is a character: hashes stay readable for who has to erase a person.
            data[name] = data[name].decode("latin-1")
        return json.dumps({name: value for name, value in data.items() if value is not None})

    @classmethod
    def from_json(cls, text: str) -> HeldEvent:
        """Read what ``to_json`` wrote.

        Raises:
            ValueError: Something else wrote it.
        """
        try:
            data: dict[str, Any] = json.loads(text)
            for name in ("granted", "limited"):
                data[name] = data[name].encode("latin-1")
            return cls(**data)
        except (TypeError, AttributeError, KeyError) as error:
            raise ValueError("this is no held event") from error


class HeldStore(Protocol):
    """Where events are held. Methods may be called from any thread, and may raise."""

    def hold(self, events: Sequence[HeldEvent]) -> Sequence[HeldEvent]:
        """Hold events; what is held already stays as it is.

        Returns:
            Those not held, because the visitor has too many.
        """
        ...

    def find(self, visitors: Collection[str]) -> Sequence[HeldEvent]:
        """Return what is held of some visitors, those included whose time is over."""
        ...

    def remove(self, keys: Collection[str]) -> None:
        """Remove events; those that are not there are no mistake."""
        ...

    def prune(self, now: float) -> Sequence[HeldEvent]:
        """Remove events whose time is over, and the oldest of too many.

        Args:
            now: Seconds since the epoch.

        Returns:
            What was removed, a thousand of each at most.
        """
        ...

    def forget(self, needles: Collection[str]) -> int:
        """Erase people: remove what holds one of some texts; see ``Outbox.forget``."""
        ...


class MemoryHeldStore:
    """Holds events in the memory of one process.

    Args:
        most: Most events.
    """

    def __init__(self, most: int = MOST_IN_MEMORY) -> None:
        self._most = most
        self._held: dict[str, HeldEvent] = {}
        # Keys of each visitor, in the order in which they came.
        self._visitors: dict[str, dict[str, None]] = {}
        # What had to make room, until somebody asks.
        self._gone: collections.deque[HeldEvent] = collections.deque(maxlen=1_000)
        self._lock = threading.Lock()

    def hold(self, events: Sequence[HeldEvent]) -> Sequence[HeldEvent]:
        """Hold events; see ``HeldStore.hold``."""
        with self._lock:
            new, refused = room_for(events, self._visitors)
            for event in new:
                self._held[event.key] = event
                self._visitors.setdefault(event.visitor, {})[event.key] = None
            while len(self._held) > self._most:
                oldest = next(iter(self._held))
                self._gone.append(self._held[oldest])
                self._pop(oldest)
        return refused

    def find(self, visitors: Collection[str]) -> Sequence[HeldEvent]:
        """Return what is held; see ``HeldStore.find``."""
        with self._lock:
            keys = [key for visitor in visitors for key in self._visitors.get(visitor, ())]
            return [event for key in keys if (event := self._held.get(key))]

    def remove(self, keys: Collection[str]) -> None:
        """Remove events; see ``HeldStore.remove``."""
        with self._lock:
            for key in keys:
                self._pop(key)

    def prune(self, now: float) -> Sequence[HeldEvent]:
        """Remove what is over; see ``HeldStore.prune``."""
        with self._lock:
            gone = [event for event in self._held.values() if event.until < now]
            for event in gone:
                self._pop(event.key)
            gone += self._gone
            self._gone.clear()
        return gone

    def forget(self, needles: Collection[str]) -> int:
        """Erase people; see ``HeldStore.forget``."""
        wanted = [needle.encode() for needle in needles if needle]
        with self._lock:
            gone = [
                key
                for key, event in self._held.items()
                if any(needle in event.granted or needle in event.limited for needle in wanted)
            ]
            for key in gone:
                self._pop(key)
        return len(gone)

    def _pop(self, key: str) -> None:
        event = self._held.pop(key, None)
        if event is not None:
            keys = self._visitors[event.visitor]
            keys.pop(key, None)
            if not keys:
                del self._visitors[event.visitor]


def room_for(
    events: Sequence[HeldEvent], held: Mapping[str, Collection[str]]
) -> tuple[list[HeldEvent], list[HeldEvent]]:
    """Tell what is to be stored from what there is no room for.

    Args:
        events: What is to be held.
        held: The keys of what is held, by visitor.

    Returns:
        What is new and has room, and what has none.
    """
    keys = {event.visitor: set(held.get(event.visitor, ())) for event in events}
    new, refused = [], []
    for event in events:
        known = keys[event.visitor]
        if event.key in known:
            continue
        if len(known) >= MOST_EACH:
            refused.append(event)
            continue
        known.add(event.key)
        new.append(event)
    return new, refused
