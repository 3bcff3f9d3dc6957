"""The plugins that ship with the core. They use public names only, as anybody's plugin would."""

from __future__ import annotations

from capi_plugins.builtin import destinations, event_consent, page_view, stored_consent
from capi_plugins.builtin.consent import ConsentSources
from capi_plugins.builtin.exclusions import Exclusions
from capi_plugins.builtin.http import HttpSender
from capi_plugins.builtin.journaling import Journaling
from capi_plugins.builtin.request_data import RequestData


def builtin_plugins() -> dict[str, object]:
    """Return the built-in plugins by name, in the order in which they are asked."""
    return {
        "destinations": destinations,
        "page_view": page_view,
        "event_consent": event_consent,
        "context_store": stored_consent,
        "consent_sources": ConsentSources(),
        "request_data": RequestData(),
        "exclusions": Exclusions(),
        "http": HttpSender(),
        "journal": Journaling(),
    }
