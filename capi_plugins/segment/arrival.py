"""What a message learns as it arrives: from the batch it is in, and from the request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from capi_plugins.context import NO_REQUEST, RequestContext
from capi_plugins.segment.message import Message, mapping
from capi_plugins.segment.origin import is_from_device

_NOTHING: Mapping[str, Any] = {}
_OF_A_BATCH = ("context", "integrations")


def is_browser(context: RequestContext) -> bool:
    """Whether a page sent a request: browsers say where from, and the libraries of servers do not.

    Args:
        context: The request.
    """
    headers = context.headers
    said = "origin" in headers or "sec-fetch-site" in headers
    return said and (context.client_user_agent or "").startswith("Mozilla/")


def visitors_context(context: RequestContext) -> RequestContext:
    """Return the request in which the events happened: the page's, if a page sent them.

    Args:
        context: The request to this library.
    """
    if not is_browser(context):
        return NO_REQUEST
    return attrs.evolve(context, url=context.referrer_url, referrer_url=None, query={})


def complete(
    message: Mapping[str, Any],
    context: RequestContext,
    *,
    batch: Mapping[str, Any] = _NOTHING,
    kind: str | None = None,
    now: float | None = None,
) -> dict[str, Any]:
    """Return a message with what it does not say itself.

    Args:
        message: As it came.
        context: The request it came with, if that is its sender's own.
        batch: What it came in: its ``context`` and ``integrations`` hold for every message.
        kind: The type that its URL says.
        now: When it was received, seconds since the epoch; None: it was not sent anywhere.
    """
    found = dict(message)
    if kind is not None:
        found["type"] = kind
    if now is not None:
        found["receivedAt"] = now
    if batch.get("sentAt") is not None:
        found.setdefault("sentAt", batch["sentAt"])
    for name in _OF_A_BATCH:
        shared = batch.get(name)
        own = found.get(name)
        if isinstance(shared, Mapping) and (own is None or isinstance(own, Mapping)):
            found[name] = {**shared, **mapping(own)}
    own = found.get("context")
    if own is None or isinstance(own, Mapping):
        found["context"] = _context(dict(mapping(own)), found, context)
    return found


def _context(
    own: dict[str, Any], message: Mapping[str, Any], context: RequestContext
) -> dict[str, Any]:
    browser = is_browser(context)
    # A server's address is nobody's; ``direct`` is how whoever has no library says it.
    direct = browser or own.get("direct") is True
    if not own.get("ip") and (direct or is_from_device(Message(message))):
        own["ip"] = context.client_ip_address
    if not browser:
        return own
    if not own.get("userAgent") and context.client_user_agent:
        own["userAgent"] = context.client_user_agent
    page = own.get("page")
    if (page is None or isinstance(page, Mapping)) and not mapping(page).get("url"):
        own["page"] = {**mapping(page), "url": context.referrer_url}
    return own
