"""An outbox on trial: with a clock, and what its contract does to it again and again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from capi_plugins.outbox.base import DeadLetter, Delivery, Outbox

SETTLED: dict[str, dict[str, Any]] = {
    "delivered": {},
    "retry": {"attempt": True},
    "dead": {"reason": "refused"},
}
"""How deliveries are settled, and with what."""


class Trial:
    """An outbox and its clock.

    Args:
        make: Makes an empty outbox.
        moves_time: Whether it takes the clock.
    """

    def __init__(self, make: Callable[[Callable[[], float]], Outbox], *, moves_time: bool) -> None:
        self.now = float(int(time.time()))
        self._moves = moves_time
        self.outbox = make(self.clock)

    def clock(self) -> float:
        """Say what time it is for the outbox, seconds since the epoch."""
        return self.now if self._moves else time.time()

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    def put(self, *event_ids: str) -> None:
        """Put new deliveries."""
        stored = self.outbox.put([delivery(event_id) for event_id in event_ids])
        if stored.refused or stored.duplicates:
            raise AssertionError(f"the outbox did not take {event_ids}: {stored}")

    def take(
        self,
        destination: str = "paper",
        *,
        limit: int = 100,
        max_bytes: int = 1_000_000,
        later: float = 0.0,
    ) -> list[Delivery]:
        """Take a batch, now or some seconds later."""
        now = self.clock() + later
        return list(self.outbox.take(destination, limit=limit, max_bytes=max_bytes, now=now))

    def settle(self, how: str, batch: Sequence[Delivery]) -> None:
        """Settle a batch in one of the ways of ``SETTLED``."""
        more = {"at": self.now + 60} if how == "retry" else {}
        getattr(self.outbox, how)(batch, **SETTLED[how], **more)

    def kill(self, *event_ids: str, reason: str = "refused") -> None:
        """Put deliveries and have them given up."""
        self.put(*event_ids)
        self.outbox.dead(self.take(), reason=reason)

    def letters(self) -> list[DeadLetter]:
        """Return the dead letters, the newest first."""
        return list(self.outbox.dead_letters(10))

    def keys(self) -> list[int]:
        """Return their keys."""
        return [each.delivery.key for each in self.letters() if each.delivery.key is not None]


def delivery(
    event_id: str,
    *,
    destination: str = "paper",
    name: str = "Purchase",
    payload: bytes | None = None,
    expires_at: float | None = None,
) -> Delivery:
    """Make a delivery."""
    return Delivery(
        destination=destination,
        event_name=name,
        event_id=event_id,
        payload=b'{"id": "%s"}' % event_id.encode() if payload is None else payload,
        expires_at=expires_at,
    )


def of(event_id: str, key: str) -> Delivery:
    """Make a delivery with a person's match key."""
    return delivery(event_id, payload=b'{"em":["%s"]}' % key.encode())


def ids(deliveries: Iterable[Delivery]) -> list[str]:
    """Return the ids of events."""
    return [item.event_id for item in deliveries]
