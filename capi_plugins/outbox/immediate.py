"""Deliveries that leave before ``track()`` returns, for scripts, commands and tests."""

from __future__ import annotations

from capi_plugins.outbox.memory import MemoryOutbox


class ImmediateOutbox(MemoryOutbox):
    """A memory outbox emptied by whoever fills it, in the calling thread.

    What has to be tried again stays in memory and goes with the next event or ``flush()``. Not
    for web requests: it puts the network into them.
    """

    inline = True
