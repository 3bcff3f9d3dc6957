"""For tests: what a host or a plugin would have sent, without sending anything.

::

    from capi_plugins.testing import capture_events

    with capture_events() as events:
        client.post("/checkout/")
    events.assert_event("Purchase", value=42, currency="EUR")

``capi_plugins.testing.contracts`` has tests that plugins can take over.
"""

from __future__ import annotations

from capi_plugins.testing.captured import CapturedEvent, CapturedEvents, capture_events
from capi_plugins.testing.sandboxed import sandboxed

__all__ = ["CapturedEvent", "CapturedEvents", "capture_events", "sandboxed"]
