"""Where deliveries go instead of their outbox, while a test looks at them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from capi_plugins.outbox.base import Outbox


class Diversion:
    """Stands for the outboxes of all clients of this process for a while.

    Args:
        outbox: Makes an outbox for a client; it is filled and never emptied.
    """

    def __init__(self, outbox: Callable[[], Outbox]) -> None:
        self.outbox = outbox


_lock = threading.Lock()
# Of the process and not of a thread: a test's server handles requests in threads of its own.
_diversions: list[Diversion] = []


def current() -> Diversion | None:
    """Return the diversion in force, the innermost one."""
    diversions = _diversions[-1:]
    return diversions[0] if diversions else None


@contextlib.contextmanager
def divert(diversion: Diversion) -> Iterator[None]:
    """Have all deliveries of this process go there; nothing that is put is sent.

    Args:
        diversion: Where they go.
    """
    with _lock:
        _diversions.append(diversion)
    try:
        yield
    finally:
        with _lock:
            _diversions.remove(diversion)
