"""A request context from what every web framework has: method, URL, headers and the peer.

Adapters call `request_context`; everything in it comes from strangers, so nothing of it may raise
and everything has a size.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping

from capi_plugins.client_address import client_address
from capi_plugins.context import RequestContext
from capi_plugins.event_data import NOBODY
from capi_plugins.events import UserData

MOST_URL = 2048
"""Most characters of a URL that is sent on."""
MOST_USER_AGENT = 512
"""Most characters of a ``User-Agent`` that is sent on."""

_MOST_VALUE = 16_384
_MOST_PAIRS = 1000


def request_context(
    *,
    method: str,
    url: str,
    headers: Mapping[str, str],
    remote_addr: str | None,
    trusted_proxies: int | tuple[str, ...],
    user: UserData | None = None,
    is_staff: bool | None = None,
    session_key: str | None = None,
    received_at: float | None = None,
    request: object = None,
) -> RequestContext:
    """Make the context of a request; never raises, whatever the visitor sent.

    Args:
        method: HTTP method.
        url: Absolute URL of the request, scheme and host as the visitor's browser has them.
        headers: Header names in lower case and their values; several headers of one name joined
            by commas (``cookie``: by semicolons).
        remote_addr: Address of the peer; empty or None for a Unix socket.
        trusted_proxies: ``settings.trusted_proxies``.
        user: What ``USER_DATA`` found on the signed-in user.
        is_staff: Whether the signed-in user works for the host; None: nobody is signed in.
        session_key: Tells the visitor's session from others, where the host keeps sessions.
        received_at: When the request began, seconds since the epoch.
        request: The framework's own request.
    """
    url = printable(url)
    return RequestContext(
        url=fit_url(url),
        referrer_url=fit_url(printable(headers.get("referer", ""))),
        method=method.upper(),
        client_ip_address=client_address(remote_addr, headers, trusted_proxies),
        client_user_agent=printable(headers.get("user-agent", ""))[:MOST_USER_AGENT] or None,
        cookies=parse_cookies(headers.get("cookie", "")),
        headers=headers,
        query=parse_query(url.partition("#")[0].partition("?")[2]),
        user=user or NOBODY,
        is_staff=is_staff,
        session_key=session_key,
        received_at=received_at,
        request=request,
    )


def click_of(context: RequestContext) -> str | None:
    """Find the click id of the landing page: this page, or the page of ours it was asked from.

    Args:
        context: The request.
    """
    found = context.query.get("fbclid")
    if not found and context.referrer_url and is_same_site(context.referrer_url, context.url):
        found = parse_query(context.referrer_url.partition("?")[2]).get("fbclid")
    return found or None


def is_same_site(referrer: str, url: str | None) -> bool:
    """Whether a page that linked here is of the same host.

    Args:
        referrer: Its URL.
        url: The URL of the request.
    """
    try:
        return url is not None and urllib.parse.urlsplit(referrer).netloc == (
            urllib.parse.urlsplit(url).netloc
        )
    except ValueError:
        return False


def printable(text: str) -> str:
    """Take out what no URL or user agent has: control characters and halves of characters."""
    text = text.strip()
    if text.isprintable():
        return text
    return "".join(char for char in text if char.isprintable())


def fit_url(url: str) -> str | None:
    """Shorten a URL to `MOST_URL` characters; None for an empty one.

    What is kept is kept whole: a parameter that is cut off would be another parameter. The
    fragment goes, then the longest parameters, then the path.
    """
    url = url.partition("#")[0]
    if len(url) <= MOST_URL:
        return url or None
    page, _, query = url.partition("?")
    if len(page) > MOST_URL:
        scheme, separator, rest = page.partition("://")
        page = f"{scheme}{separator}{rest.partition('/')[0]}/"
        return page if separator and len(page) <= MOST_URL else None
    room = MOST_URL - len(page)
    parts = query.split("&")
    kept = set()
    for number in sorted(range(len(parts)), key=lambda number: len(parts[number])):
        room -= len(parts[number]) + 1
        if room < 0:
            break
        kept.add(number)
    query = "&".join(part for number, part in enumerate(parts) if number in kept)
    return f"{page}?{query}" if query else page


def parse_cookies(header: str) -> dict[str, str]:
    """Read a ``Cookie`` header: the first value of each name, as received.

    Unlike ``http.cookies``, one malformed cookie costs that cookie only. Values are not decoded:
    how a value is encoded is the affair of whoever set it.

    Args:
        header: Pairs joined by semicolons.
    """
    found: dict[str, str] = {}
    for pair in _utf8(header).split(";", _MOST_PAIRS)[:_MOST_PAIRS]:
        name, separator, value = pair.partition("=")
        name = name.strip()
        if separator and name and len(value) <= _MOST_VALUE:
            found.setdefault(name, value.strip())
    return found


def parse_query(query: str) -> dict[str, str]:
    """Read a query string: the first value of each name, percent-decoded once.

    Args:
        query: What stands after the question mark.
    """
    found: dict[str, str] = {}
    for pair in query.split("&", _MOST_PAIRS)[:_MOST_PAIRS]:
        if not pair or len(pair) > _MOST_VALUE:
            continue
        name, _, value = pair.partition("=")
        found.setdefault(urllib.parse.unquote_plus(name), urllib.parse.unquote_plus(value))
    return found


def _utf8(header: str) -> str:
    # WSGI hands bytes over as Latin-1 (PEP 3333); what browsers send is UTF-8.
    if header.isascii():
        return header
    try:
        return header.encode("latin-1").decode()
    except UnicodeError:
        return header
