"""Tests that plugins take over: what the project relies on.

::

    from capi_plugins.testing.contracts import DestinationContract


    class TestPinboard(DestinationContract):
        def make(self):
            return Pinboard("pinboard", {"AD_ACCOUNT": "7", "KEY": "a-secret-key"})

They need no pytest: with ``unittest.TestCase`` as a second base class they run there as well.
"""

from __future__ import annotations

from capi_plugins.testing.destination_contract import DestinationContract
from capi_plugins.testing.hook_contract import HookContract
from capi_plugins.testing.outbox_contract import OutboxContract
from capi_plugins.testing.source_contract import SourceContract

__all__ = ["DestinationContract", "HookContract", "OutboxContract", "SourceContract"]
