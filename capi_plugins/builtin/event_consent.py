"""What the origin of an event says of consent counts like a consent source."""

from __future__ import annotations

from capi_plugins.consent import Consent
from capi_plugins.events import Event
from capi_plugins.hookspecs import hookimpl


@hookimpl
def capi_consent(event: Event) -> Consent | None:
    """Answer what the event itself carries."""
    return event.consent
