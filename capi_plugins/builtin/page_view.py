"""A PageView for every page the host answers with, when ``CAPI["PAGE_VIEW"]`` is on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from capi_plugins.hookspecs import hookimpl
from capi_plugins.settings import Settings


@hookimpl
def capi_triggers(settings: Settings) -> Sequence[Mapping[str, Any]]:
    """Offer the trigger."""
    if not settings.page_view:
        return []
    return [
        {
            "ON": "request",
            "METHOD": "GET",
            "STATUS": 200,
            "CONTENT_TYPE": "text/html",
            "EVENT": "PageView",
        }
    ]
