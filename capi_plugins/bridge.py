"""The script that copies a banner's answer from the browser into a cookie, and how it is served."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from importlib import resources

from capi_plugins.sources.base import SourceResponse

COOKIE = "capi_consent"
"""The cookie that the script writes and the consent source ``bridge`` reads."""
PATH = "bridge.js"
"""Where it is served, below the place where this library is mounted."""

_METHODS = ("GET", "HEAD")


@functools.cache
def script() -> tuple[bytes, str]:
    """Return the script and its ``ETag``."""
    body = resources.files("capi_plugins").joinpath(PATH).read_bytes()
    return body, f'"{hashlib.sha256(body).hexdigest()[:16]}"'


def serve(method: str, headers: Mapping[str, str]) -> SourceResponse:
    """Answer a request for the script; the answer is the same for everybody.

    Args:
        method: HTTP method, upper case.
        headers: Header names in lower case and their values.
    """
    if method not in _METHODS:
        return SourceResponse(status=405, headers={"Allow": ", ".join(_METHODS)})
    body, etag = script()
    kept = {"ETag": etag, "Cache-Control": "public, max-age=3600"}
    # Proxies that compress make the tag a weak one.
    known = [tag.strip().removeprefix("W/") for tag in headers.get("if-none-match", "").split(",")]
    if etag in known or "*" in known:
        return SourceResponse(status=304, headers=kept)
    kept |= {
        "Content-Type": "text/javascript; charset=utf-8",
        "Content-Length": str(len(body)),
        "X-Content-Type-Options": "nosniff",
    }
    return SourceResponse(headers=kept, body=body if method == "GET" else b"")
