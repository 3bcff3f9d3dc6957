"""Whose request it is: the shopper's own, or one that is only about the shopper."""

from __future__ import annotations

import enum
import functools
import re

from capi_plugins.context import RequestContext

# Payment providers, mail services and the like call a host about somebody else.
_SIGNED = re.compile(r"signature|hmac|transmission-sig|^webhook-id$", re.MULTILINE)
_WEBHOOK_AGENT = re.compile(r"webhook|hookshot|captain-hook|^Stripe/|^PayPal", re.IGNORECASE)
_BROWSER = re.compile(r"^(?:Mozilla|Opera)/")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class Owner(enum.Enum):
    """Who sent a request."""

    SHOPPER = "shopper"
    UNCLEAR = "unclear"
    """A program that does not say who it is: an app of the shopper's, or another server."""
    OTHER = "other"
    """A member of staff, a webhook, or nobody: there is no request."""


def owner_of(context: RequestContext, *, staff_are_visitors: bool = False) -> Owner:
    """Tell whose request it is.

    ``OTHER`` is a request of a member of staff, one that carries a signature or the user agent of
    a webhook, and no request at all. ``UNCLEAR`` is one that changes something (``POST``, ...) and
    has nothing of a browser: no cookie, no ``Origin``, no ``Sec-Fetch-Site``, nobody signed in,
    and a user agent that no browser has. Everything else is the shopper's own.

    Args:
        context: The request.
        staff_are_visitors: Whether members of staff count as shoppers (``EXCLUDE["staff"]`` off).
    """
    if not context.in_request or (context.is_staff and not staff_are_visitors):
        return Owner.OTHER
    agent = context.client_user_agent or ""
    if _is_signed(tuple(context.headers)) or _is_webhook_agent(agent):
        return Owner.OTHER
    if (
        context.method in _SAFE
        or context.cookies
        or context.is_staff is not None
        or "origin" in context.headers
        or "sec-fetch-site" in context.headers
        or _BROWSER.match(agent)
    ):
        return Owner.SHOPPER
    return Owner.UNCLEAR


# Visitors share a few hundred user agents, and fewer sets of headers.
@functools.lru_cache(maxsize=1024)
def _is_webhook_agent(user_agent: str) -> bool:
    return _WEBHOOK_AGENT.search(user_agent) is not None


@functools.lru_cache(maxsize=1024)
def _is_signed(header_names: tuple[str, ...]) -> bool:
    return _SIGNED.search("\n".join(header_names)) is not None
