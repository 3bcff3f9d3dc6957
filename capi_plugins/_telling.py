"""Telling of trouble that every request meets: once a minute each."""

from __future__ import annotations

import time
from collections.abc import Callable

_SECONDS = 60.0

Tell = Callable[[str, Exception], None]


class Telling:
    """Passes on what went wrong, unless the same was told of a moment ago.

    Args:
        tell: Logs it: what was being done, and what was raised.
    """

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._told: dict[str, float] = {}

    def failed(self, where: str, error: Exception) -> None:
        """Tell that something failed.

        Args:
            where: What was being done.
            error: What was raised.
        """
        now = time.monotonic()
        if now - self._told.get(where, -_SECONDS) >= _SECONDS:
            self._told[where] = now
            self._tell(where, error)
