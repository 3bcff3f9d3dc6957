"""The cookies ``_fbc`` and ``_fbp``: which of them a visitor lacks.

Source: Meta's page *ClickID and the fbp and fbc Parameters*.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from urllib.parse import urlsplit

import orjson

from capi_plugins.browser import Cookie
from capi_plugins.context import RequestContext
from capi_plugins.destinations.meta.click_ids import (
    SERVER_INDEX,
    is_fbclid,
    is_fbp,
    make_fbc,
    parse_fbc,
)
from capi_plugins.http_context import click_of
from capi_plugins.site import registrable_domain

_MAX_AGE = 90 * 86_400
_MOST = 2**31


def cookies(context: RequestContext, *, now: float) -> list[Cookie]:
    """Make the cookies a visitor lacks.

    ``_fbc`` is made when the landing page had a click id that the cookie does not have, ``_fbp``
    when there is none and a browser asks for a page. What is there is never written anew.

    Args:
        context: The visitor's request.
        now: Seconds since the epoch.
    """
    if context.method not in ("GET", "HEAD") or not context.url:
        return []
    found = {}
    fbclid = click_of(context)
    if fbclid and is_fbclid(fbclid) and _click(context.cookies.get("_fbc")) != fbclid:
        found["_fbc"] = fbclid
    if "_fbp" not in context.cookies and "text/html" in context.headers.get("accept", ""):
        found["_fbp"] = str(secrets.randbelow(_MOST))
    site = _site(context.url) if found else None
    if site is None:
        return []
    domain, secure = site
    index = domain.count(".") if domain else SERVER_INDEX
    seen = int(now * 1000)
    values = {
        "_fbc": lambda text: make_fbc(text, seen=seen, index=index),
        "_fbp": lambda text: f"fb.{index}.{seen}.{text}",
    }
    return [_cookie(name, values[name](text), domain, secure) for name, text in found.items()]


def of_click(body: bytes, context: RequestContext) -> list[Cookie]:
    """Make ``_fbc`` of the click that an event tells of, where the visitor has none.

    Args:
        body: The event.
        context: The visitor's request.
    """
    fbc = (orjson.loads(body).get("user_data") or {}).get("fbc")
    site = _site(context.url or "")
    if not isinstance(fbc, str) or site is None or "_fbc" in context.cookies:
        return []
    return [_cookie("_fbc", fbc, *site)]


def with_clicks(bodies: Sequence[bytes]) -> list[bytes]:
    """Give events of one visitor's browser the click that an earlier one of them tells of.

    Args:
        bodies: The events, by their time.
    """
    found: list[bytes] = []
    click: object = None
    for body in bodies:
        event = orjson.loads(body)
        user = event.get("user_data") or {}
        if click and "fbc" not in user and event.get("action_source") == "website":
            user["fbc"] = click
            body = orjson.dumps({**event, "user_data": user})  # noqa: PLW2901
        click = user.get("fbc", click)
        found.append(body)
    return found


def _site(url: str) -> tuple[str | None, bool] | None:
    """The domain that cookies are set for (None: the host alone), and whether over HTTPS only."""
    try:
        parts = urlsplit(url)
        return registrable_domain(parts.hostname or ""), parts.scheme == "https"
    except ValueError:
        return None


def _cookie(name: str, value: str, domain: str | None, secure: bool) -> Cookie:
    return Cookie(name=name, value=value, domain=domain, max_age=_MAX_AGE, secure=secure)


def traces(context: RequestContext) -> list[str]:
    """Write the ``fbp`` of a visitor as it stands in payloads; nothing for what is none.

    Args:
        context: The visitor's request.
    """
    fbp = context.cookies.get("_fbp", "").strip()
    return [f'"fbp":"{fbp}"'] if is_fbp(fbp) else []


def _click(fbc: str | None) -> str | None:
    known = parse_fbc(fbc) if fbc else None
    return known.fbclid if known else None
