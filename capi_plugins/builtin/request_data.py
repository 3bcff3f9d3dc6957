"""Completes events with what the visitor's own request tells: address, browser, click ids, user."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote

from capi_plugins.context import RequestContext
from capi_plugins.event_data import NOBODY
from capi_plugins.events import Event, UserData
from capi_plugins.hookspecs import hookimpl
from capi_plugins.http_context import click_of, is_same_site
from capi_plugins.request_owner import Owner, owner_of
from capi_plugins.settings import Settings

_SECRET = re.compile(
    r"""(?:^|[-_.\[])(?:
        e?-?mails?|phone|tel|mobile|(?:first|last|sur|full|user)[-_]?name|birth\w*|dob|address|zip
      | token|\w*token|key|api[-_]?key|secret|pass\w*|pwd|pin|otp|code|state|nonce|sig|signature
      | auth\w*|session\w*|sid|jwt
    )(?:$|[-_.\]])""",
    re.IGNORECASE | re.VERBOSE,
)
_BEFORE_TOKEN = re.compile(
    r"activat|confirm|verif|reset|token|invit|unsubscribe|magic", re.IGNORECASE
)
_TOKEN = re.compile(r"(?=[^-]*[0-9])(?=[^-]*[A-Za-z])[^-]{8,}|[^-]{32,}")
_TOKEN_LENGTH = 16
_ADDRESS = re.compile(r"[^@]@[^@]+\.[^@]")


class RequestData:
    """The built-in ``capi_enrich``.

    It adds to events of websites only (``action_source`` unset or ``website``) and never replaces
    what an event has. When the request is somebody else's, a member of staff's or a payment
    provider's, nothing of it is taken for the shopper's, and where the shopper acted stays open.
    What the context store gives back is the shopper's own.
    """

    def __init__(self) -> None:
        self._staff_are_visitors = False

    @hookimpl
    def capi_configure(self, settings: Settings) -> None:
        """Learn whether members of staff count as visitors."""
        self._staff_are_visitors = not settings.exclude.staff

    @hookimpl
    def capi_enrich(self, event: Event, context: RequestContext) -> Event | None:
        """Fill in what is missing."""
        if not context.in_request or event.action_source not in (None, "website"):
            return None
        owner = owner_of(context, staff_are_visitors=self._staff_are_visitors)
        if owner is Owner.OTHER:
            return None
        browser = browser_data(context, event.user_data)
        fuller = event.fill(action_source="website", user_data=browser, **_urls(context))
        return fuller if context.user is NOBODY else fuller.fill(user_data=context.user)


def browser_data(
    context: RequestContext, known: UserData = NOBODY
) -> Mapping[str, str | float | None]:
    """Read what a request tells of the visitor's browser, by the names of ``UserData``.

    Args:
        context: The request.
        known: What is known already; a click id in it is the one that counts.
    """
    fbc = context.cookies.get("_fbc")
    fbclid = known.fbclid or click_of(context)
    # A click that differs from the cookie's is the later one: Meta's pixel writes the cookie anew
    # whenever it sees one, and it has not seen this one yet.
    use_fbclid = bool(fbclid) and not known.fbc and (not fbc or _click(fbc) != fbclid)
    return {
        "client_ip_address": context.client_ip_address,
        "client_user_agent": context.client_user_agent,
        "fbp": context.cookies.get("_fbp"),
        "fbc": None if use_fbclid else fbc,
        "fbclid": fbclid if use_fbclid else None,
        "fbclid_time": context.received_at if use_fbclid and not known.fbclid else None,
    }


def _click(fbc: str) -> str | None:
    parts = fbc.split(".")
    return parts[3] if len(parts) in (4, 5) else None


def _urls(context: RequestContext) -> dict[str, str | None]:
    page, referrer = context.url, context.referrer_url
    mode = context.headers.get("sec-fetch-mode")
    is_call = (
        mode not in (None, "navigate")
        or context.headers.get("x-requested-with", "").lower() == "xmlhttprequest"
    )
    if is_call and referrer and is_same_site(referrer, page):
        # A script of the page asked; the visitor is on the page.
        page, referrer = referrer, None
    return {
        "event_source_url": without_secrets(page) if page else None,
        "referrer_url": without_secrets(referrer) if referrer else None,
    }


def without_secrets(url: str) -> str:
    """Take out of a URL what holds personal data or secrets.

    Meta must not receive contact data in clear, and pages are reached with tokens to reset a
    password or to pay. A parameter goes when its name says so or its value is an e-mail address;
    a part of the path becomes ``-`` when it is one, or when it follows a part that says so and is
    no words.

    Args:
        url: Absolute, without a fragment.

    Source: Meta's *Business Tools Terms*.
    """
    page, mark, query = url.partition("?")
    if "@" in unquote(unquote(page)) or _BEFORE_TOKEN.search(page):
        page = _without_secret_parts(page)
    if not mark:
        return page
    kept = [part for part in query.split("&") if not _is_secret(part)]
    return f"{page}?{'&'.join(kept)}" if kept else page


def _without_secret_parts(page: str) -> str:
    scheme, mark, rest = page.partition("://")
    host, *parts = rest.split("/")
    kept = [host]
    said = False
    for part in parts:
        secret = _ADDRESS.search(unquote(unquote(part))) or (said and _is_token(part))
        said = said or _BEFORE_TOKEN.search(part) is not None
        kept.append("-" if secret else part)
    return f"{scheme}{mark}{'/'.join(kept)}" if mark else page


def _is_token(part: str) -> bool:
    return len(part) >= _TOKEN_LENGTH and _TOKEN.search(part) is not None


def _is_secret(part: str) -> bool:
    name, _, value = part.partition("=")
    return "@" in unquote(unquote(value)) or _SECRET.search(unquote(name)) is not None
