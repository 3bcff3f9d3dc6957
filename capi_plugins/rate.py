"""How much one sender may send, in bounded memory."""

from __future__ import annotations

import collections
import ipaddress
import math
import threading
import time
from collections.abc import Callable

_SECONDS_OF_BURST = 10
_MOST_SENDERS = 10_000
_LONGEST_WAIT = 300
_HOME_NETWORK = 64  # what one customer of an IPv6 provider has


class Rate:
    """Lets every sender have so many events a second, and ten seconds' worth at once.

    A request is let in while something is left, and may take more than is left: batches are not
    torn apart, and who sent too much waits longer.

    Args:
        per_second: Most events a second; 0: any number.
        clock: Seconds.
        most_senders: How many senders are remembered; the longest silent one is forgotten first.
    """

    def __init__(
        self,
        per_second: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        most_senders: int = _MOST_SENDERS,
    ) -> None:
        self._per_second = per_second
        self._burst = per_second * _SECONDS_OF_BURST
        self._clock = clock
        self._most = most_senders
        self._left: collections.OrderedDict[str, tuple[float, float]] = collections.OrderedDict()
        self._lock = threading.Lock()

    def wait(self, sender: str) -> int:
        """Return how many seconds a sender has to wait; 0: it may send."""
        if not self._per_second:
            return 0
        with self._lock:
            left = self._now_left(sender)
        if left > 0:
            return 0
        return min(math.ceil((1 - left) / self._per_second), _LONGEST_WAIT)

    def spend(self, sender: str, events: int) -> None:
        """Count what a sender sent.

        Args:
            sender: Who.
            events: How many events; a request without any costs as much as one.
        """
        if not self._per_second:
            return
        with self._lock:
            left = self._now_left(sender) - max(events, 1)
            self._left[sender] = (left, self._clock())
            self._left.move_to_end(sender)
            if len(self._left) > self._most:
                self._left.popitem(last=False)

    def _now_left(self, sender: str) -> float:
        left, then = self._left.get(sender, (self._burst, self._clock()))
        return min(left + (self._clock() - then) * self._per_second, self._burst)


def sender(write_key: str, address: str | None) -> str:
    """Name a sender by its key and network.

    Args:
        write_key: The key, if it is known to be right.
        address: The client's address; None: unknown, all of those count as one.
    """
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return f"{write_key}@"
    if found.version == 6:  # noqa: PLR2004 - IPv6
        return f"{write_key}@{ipaddress.ip_network((found, _HOME_NETWORK), strict=False)}"
    return f"{write_key}@{found}"
