"""Trouble with a store that every request uses: told once a minute, and the store left alone."""

from __future__ import annotations

import time
from collections.abc import Callable

from capi_plugins.leaving import pass_on

_TOLD_SECONDS = 60.0
_REST_SECONDS = 1.0

Tell = Callable[[str, Exception], None]


class Trouble:
    """What went wrong with a store, and whether it is to be left alone for now.

    Args:
        tell: Logs it: what was being done, and what was raised.
    """

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._told: dict[str, float] = {}
        self._rest_until = 0.0

    @property
    def is_recent(self) -> bool:
        """Whether there was some a moment ago.

        A store that hangs must not cost every request of the host its patience.
        """
        return time.monotonic() < self._rest_until

    def met(self, where: str, error: Exception, *, passing: bool = False) -> None:
        """Note that something failed, and tell it unless the same was told of a moment ago.

        Args:
            where: What was being done.
            error: What was raised.
            passing: Whether the store was only busy and need not be left alone.
        """
        pass_on(error)
        now = time.monotonic()
        if not passing:
            self._rest_until = now + _REST_SECONDS
        if now - self._told.get(where, -_TOLD_SECONDS) >= _TOLD_SECONDS:
            self._told[where] = now
            self._tell(where, error)
