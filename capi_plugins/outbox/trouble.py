"""Whether a store can be written at the moment, and what is said of it."""

from __future__ import annotations

import logging
import threading
import time

from capi_plugins.outbox.patience import HOPELESS_SECONDS
from capi_plugins.outbox.sqlite_file import Unavailable

_log = logging.getLogger("capi_plugins.outbox")
_LOG_SECONDS = 60.0


class Trouble:
    """The trouble of one process with a store; it is logged once.

    Attributes:
        problem: Why it cannot be written; None while all is well.

    Args:
        name: The store's, for logs.
    """

    def __init__(self, name: str) -> None:
        self.problem: str | None = None
        self._name = name
        self._lock = threading.Lock()
        self._logged_problem: str | None = None
        self._failing_since: float | None = None
        self._logged_at = -_LOG_SECONDS

    @property
    def hopeless(self) -> bool:
        """Whether nobody has got a turn for a while: requests need not wait for one more."""
        since = self._failing_since
        return since is not None and time.monotonic() - since > HOPELESS_SECONDS

    def is_over(self) -> None:
        """Note that the store can be written."""
        if self._failing_since is None:
            return
        with self._lock:
            if self.problem is not None and self._logged_problem is not None:
                _log.warning("outbox %s can be written again", self._name)
            self._failing_since = self.problem = self._logged_problem = None

    def met(self, error: Unavailable) -> None:
        """Note that the store cannot be written.

        Args:
            error: Why.
        """
        now = time.monotonic()
        with self._lock:
            if self._failing_since is None:
                self._failing_since = now
            self.problem = error.problem
            # A turn missed now and then is no news.
            if error.passing and not self.hopeless:
                return
            if self._logged_problem is None and now - self._logged_at >= _LOG_SECONDS:
                self._logged_at, self._logged_problem = now, error.problem
                _log.error(
                    "outbox %s cannot be written: %s; events are kept in memory",
                    self._name,
                    error.problem,
                )
