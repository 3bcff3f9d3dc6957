"""The signals: blinker signals that tell what happened. Receivers cannot change or break it.

Every signal is sent with the ``Client`` as sender. Connect with ``weak=False`` or keep a reference:
blinker holds receivers weakly. ::

    from capi_plugins.signals import event_dropped


    def tell(sender, *, event, destination, reason):
        print(event.event_name, destination, reason)


    event_dropped.connect(tell)
"""

from __future__ import annotations

import logging
from typing import Any

from blinker import NamedSignal, Namespace

from capi_plugins.leaving import is_failure

_log = logging.getLogger("capi_plugins.signals")
_namespace = Namespace()

event_captured = _namespace.signal(
    "event_captured", doc="An event came in. Arguments: ``event``, ``context``."
)
event_dropped = _namespace.signal(
    "event_dropped",
    doc="""An event goes no further. Arguments: ``event`` (None when it could not be built),
    ``destination`` (its name, or None: for all of them), ``reason``.""",
)
event_held = _namespace.signal(
    "event_held",
    doc="""An event waits until its visitor decides. Arguments: ``event``, ``destination``. It is
    released or dropped later.""",
)
event_released = _namespace.signal(
    "event_released",
    doc="""The visitor consented, and an event that was held goes on. Arguments: ``event`` (its
    name, id and time), ``destination``.""",
)
field_dropped = _namespace.signal(
    "field_dropped",
    doc="""An event goes on without some of its fields. Arguments: ``event``, ``destination``,
    ``notes`` (a tuple of ``FieldNote``).""",
)
delivered = _namespace.signal(
    "delivered", doc="A batch was accepted. Arguments: ``deliveries``, ``outcome``."
)
delivery_retried = _namespace.signal(
    "delivery_retried",
    doc="""A batch will be tried again. Arguments: ``deliveries``, ``outcome``, ``at`` (seconds
    since the epoch).""",
)
delivery_dead = _namespace.signal(
    "delivery_dead",
    doc="Deliveries will not be tried again. Arguments: ``deliveries``, ``reason``.",
)
outbox_full = _namespace.signal(
    "outbox_full", doc="Deliveries found no room and are lost. Arguments: ``deliveries``."
)
plugin_failed = _namespace.signal(
    "plugin_failed",
    doc="""An implementation of a hook raised. Arguments: ``plugin`` (its name), ``hook``,
    ``error``.""",
)


def tell(signal: NamedSignal, sender: object, **arguments: Any) -> None:
    """Send a signal; a receiver that raises is logged and the others still hear it.

    Args:
        signal: One of the signals of this module.
        sender: The client.
        **arguments: What the signal's own text names.
    """
    if not signal.receivers:
        return
    for receiver in signal.receivers_for(sender):
        try:
            receiver(sender, **arguments)
        except BaseException as error:
            if not is_failure(error):
                raise
            # The text of an exception may hold personal data, its type does not.
            _log.error("a receiver of %s failed with %s", signal.name, type(error).__name__)
