"""How long requests wait for a file that somebody else holds."""

from __future__ import annotations

import threading
import time

REQUEST_SECONDS = 0.05
HOPELESS_SECONDS = 0.5


class Patience:
    """The patience of the requests of one process with one file.

    A request uses the file more than once: for contexts, for what is held, for deliveries. Whoever
    has waited in vain a moment ago does not wait again, and nobody waits where no one has got a
    turn for a while; a turn that is free is taken all the same.
    """

    def __init__(self) -> None:
        self._mine = threading.local()
        self._vain_since: float | None = None

    @property
    def hopeless(self) -> bool:
        """Whether nobody has got a turn for a while."""
        since = self._vain_since
        return since is not None and time.monotonic() - since > HOPELESS_SECONDS

    def left(self) -> float:
        """Return the seconds that a request of this thread may wait now."""
        if self.hopeless or time.monotonic() - self._vain_at() < REQUEST_SECONDS:
            return 0.0
        return REQUEST_SECONDS

    def _vain_at(self) -> float:
        at: float = getattr(self._mine, "vain_at", float("-inf"))
        return at

    def in_vain(self) -> None:
        """Note that a request of this thread has got no turn."""
        now = time.monotonic()
        self._vain_since = self._vain_since or now
        if now - self._vain_at() >= REQUEST_SECONDS:
            # Not of a try that did not wait: or one after the other would find no turn, where other
            # threads have theirs all the time.
            self._mine.vain_at = now

    def rewarded(self) -> None:
        """Note that somebody could write."""
        self._vain_since = None
