"""What a shopper had decided, given back by the context store, counts like a consent source."""

from __future__ import annotations

from capi_plugins.consent import Consent, strictest
from capi_plugins.context import RequestContext
from capi_plugins.hookspecs import hookimpl


@hookimpl
def capi_consent(context: RequestContext, destination: str) -> Consent | None:
    """Answer what was decided; for a destination that was not known then, the strictest answer."""
    if destination in context.consents:
        return context.consents[destination]
    return strictest(context.consents.values()) if context.consents else None
