"""How long requests wait for a file that somebody else holds."""

from __future__ import annotations

import threading
import time

REQUEST_SECONDS = 0.05
HOPELESS_SECONDS = 0.5
_TIRED_SECONDS = 0.25


class Patience:
    """The patience of the requests of one process with one file.

    A request uses the file more than once: for contexts, for what is held, for deliveries. Whoever
    has waited in vain a moment ago does not wait again, for longer if nobody has got a turn since,
    and nobody waits where no one has got one for a while; a turn that is free is taken all the
    same.
    """

    def __init__(self) -> None:
        self._mine = threading.local()
        self._vain_since: float | None = None
        self._rewarded_at = float("-inf")

    @property
    def hopeless(self) -> bool:
        """Whether nobody has got a turn for a while."""
        since = self._vain_since
        return since is not None and time.monotonic() - since > HOPELESS_SECONDS

    def left(self) -> float:
        """Return the seconds that a request of this thread may wait now."""
        before: float = getattr(self._mine, "vain_at", float("-inf"))
        rest = REQUEST_SECONDS if self._rewarded_at > before else _TIRED_SECONDS
        if self.hopeless or time.monotonic() - before < rest:
            return 0.0
        return REQUEST_SECONDS

    def in_vain(self) -> None:
        """Note that a request of this thread has got no turn."""
        # A try that did not wait counts for nothing: one after the other would find no turn, where
        # other threads have theirs all the time.
        has_waited = self.left() > 0
        now = time.monotonic()
        self._vain_since = self._vain_since or now
        if has_waited:
            self._mine.vain_at = now

    def rewarded(self) -> None:
        """Note that somebody could write."""
        if self._vain_since is not None:
            self._vain_since, self._rewarded_at = None, time.monotonic()
