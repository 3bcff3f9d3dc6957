"""The end of a client: when it is asked for, or with its process."""

from __future__ import annotations

import atexit
import logging
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING

from capi_plugins._delivery import FlushResult

if TYPE_CHECKING:
    from capi_plugins._client import Client

_log = logging.getLogger("capi_plugins.client")


class Shutdown:
    """Closes a client, once; at the exit of the process if nobody has asked for it before.

    Args:
        client: The client, which holds this: nobody else does.

    Attributes:
        begun: Whether the client is closed, or is being closed.
    """

    def __init__(self, client: Client) -> None:
        self.begun = False
        self._client = client
        self._at_exit = _run_at_exit(self)

    def run(self, timeout: float | None = None) -> FlushResult:
        """Deliver what can be delivered in time, end the worker, tell the plugins.

        Args:
            timeout: Most seconds; None: ``CAPI["DELIVERY"]["EXIT_TIMEOUT"]``.
        """
        if self.begun:
            return FlushResult(waiting=0)
        self.begun = True
        atexit.unregister(self._at_exit)
        client = self._client
        limit = client.settings.delivery.exit_timeout if timeout is None else timeout
        waiting = 0
        try:
            waiting = client.delivering.close(limit)
        except Exception as error:
            client.failed("closing the outbox", error)
        if waiting:
            _log.warning("%d deliveries were not made before the process ended", waiting)
        client.plugins.shutdown()
        return FlushResult(waiting=waiting)


def _run_at_exit(shutdown: Shutdown) -> Callable[[], None]:
    # A client that nobody holds any more is not kept for its end.
    reference = weakref.ref(shutdown)

    def run() -> None:
        alive = reference()
        if alive is not None:
            alive.run()

    return atexit.register(run)
