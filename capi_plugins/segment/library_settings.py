"""The settings that Segment's libraries ask for as they start, where their CDN is this host.

Source: observed of ``https://cdn.segment.com/v1/projects/<key>/settings`` by the libraries that
read it.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from capi_plugins.context import RequestContext

_PLACE = "/projects/"


def library_settings(write_key: str, context: RequestContext) -> dict[str, Any]:
    """Return the settings: one integration, this host, and no other place to send to.

    Args:
        write_key: Of the library.
        context: Its request; events go where it went.
    """
    here = urlsplit(context.url or "")
    integration: dict[str, Any] = {
        "apiKey": write_key,
        "unbundledIntegrations": [],
        "addBundledMetadata": True,
        "maybeBundledConfigIds": {},
        "versionSettings": {"version": "4.4.7", "componentTypes": ["browser"]},
    }
    if here.netloc:
        integration["apiHost"] = here.netloc + here.path.partition(_PLACE)[0]
        integration["protocol"] = _scheme(context, here.scheme)
    return {
        "integrations": {"Segment.io": integration},
        "plan": {
            call: {"__default": {"enabled": True, "integrations": {}}}
            for call in ("track", "identify", "group")
        },
        "edgeFunction": {},
        "analyticsNextEnabled": True,
        "middlewareSettings": {},
        "enabledMiddleware": {},
        # The libraries tell Segment how they fare, unless they are told not to.
        "metrics": {"sampleRate": 0},
        "legacyVideoPluginsEnabled": False,
        "remotePlugins": [],
    }


def _scheme(context: RequestContext, seen: str) -> str:
    """Return how the page reaches this host: a page of https sends by https, whatever we see."""
    page = context.headers.get("origin") or context.headers.get("referer") or ""
    return "https" if page.lower().startswith("https:") else seen
