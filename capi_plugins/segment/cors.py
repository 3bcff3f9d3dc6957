"""Which pages may send from a browser, and what browsers are told about it.

Source: WHATWG *Fetch*, the CORS protocol.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from capi_plugins.context import RequestContext
from capi_plugins.segment.ingest_options import EVERYONE

_NAMES = re.compile(r"[A-Za-z0-9, _-]{1,500}")
_USUAL = "Authorization, Content-Type, Content-Encoding, X-Retry-Count"
_REMEMBER = "7200"


class Origins:
    """The pages that may send.

    Args:
        allowed: Origins in lower case, or ``*``. The host's own always is.
    """

    def __init__(self, allowed: frozenset[str]) -> None:
        self._allowed = allowed

    def allow(self, context: RequestContext) -> bool:
        """Whether a request may be used: it comes from an allowed page, or from no page."""
        origin = context.headers.get("origin")
        return origin is None or self._may(origin, context)

    def headers(self, context: RequestContext) -> dict[str, str]:
        """Return what an answer says about who may read it."""
        origin = context.headers.get("origin")
        if origin is None:
            return {}
        if not self._may(origin, context):
            return {"Vary": "Origin"}
        shared = {"Access-Control-Expose-Headers": "Retry-After", "Vary": "Origin"}
        if self._is_named(origin, context):
            credentials = {"Access-Control-Allow-Credentials": "true"}
            return {"Access-Control-Allow-Origin": origin, **credentials, **shared}
        return {"Access-Control-Allow-Origin": EVERYONE, **shared}

    def preflight(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Return what else a browser is told that asks before it sends.

        Args:
            headers: Of its request.
        """
        wanted = headers.get("access-control-request-headers", "")
        return {
            "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
            "Access-Control-Allow-Headers": wanted if _NAMES.fullmatch(wanted) else _USUAL,
            "Access-Control-Max-Age": _REMEMBER,
        }

    def _may(self, origin: str, context: RequestContext) -> bool:
        return EVERYONE in self._allowed or self._is_named(origin, context)

    def _is_named(self, origin: str, context: RequestContext) -> bool:
        if origin.lower() in self._allowed:
            return True
        # Behind a proxy the host may not know that it is reached by https.
        return bool(context.url) and _netloc(origin) == _netloc(context.url or "")


def _netloc(url: str) -> str | None:
    try:
        return urlsplit(url).netloc.lower() or None
    except ValueError:
        return None
