"""What became of events, counted by the signals that tell of it."""

from __future__ import annotations

import contextlib
import threading

from capi_plugins import signals


class Account:
    """Counts deliveries while it is open.

    Attributes:
        captured: Events that were captured.
        delivered: Deliveries that were accepted.
        dead: Those given up.
        full: Those that found no room.
        dropped: Those that were not to be sent, duplicates included.
    """

    def __init__(self):
        self.captured = self.delivered = self.dead = self.full = self.dropped = 0
        self._lock = threading.Lock()
        self._open = contextlib.ExitStack()

    def __enter__(self):
        counted = {
            "captured": signals.event_captured,
            "delivered": signals.delivered,
            "dead": signals.delivery_dead,
            "full": signals.outbox_full,
            "dropped": signals.event_dropped,
        }
        for name, signal in counted.items():
            self._open.enter_context(signal.connected_to(self._receiver(name)))
        return self

    def __exit__(self, *error):
        self._open.close()

    def _receiver(self, name):
        def receiver(sender, *, deliveries=(None,), **_):
            with self._lock:
                setattr(self, name, getattr(self, name) + len(deliveries))

        return receiver

    def balances(self, waiting):
        """Whether nothing has got lost: what was captured is somewhere."""
        somewhere = self.delivered + self.dead + self.full + self.dropped + waiting
        return self.captured == somewhere

    def counts(self):
        names = ("captured", "delivered", "dead", "full", "dropped")
        return {name: getattr(self, name) for name in names}
