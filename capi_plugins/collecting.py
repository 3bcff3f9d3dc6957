"""Takes events that happen in a page alone, from the host's own pages.

Whoever can open a page can write such a request by hand, so it is trusted with little: a name that
the settings allow, what it is about, and which page it was. Who the visitor is comes from the
request, what is bought never does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from capi_plugins.builtin.exclusions import is_bot
from capi_plugins.context import RequestContext
from capi_plugins.destinations.meta.fields import STANDARD_EVENTS
from capi_plugins.exceptions import WebhookError
from capi_plugins.http_context import is_same_site
from capi_plugins.rate import Rate, sender
from capi_plugins.receiving import Read, read_body
from capi_plugins.request_owner import Owner, owner_of
from capi_plugins.settings import NEVER_COLLECTED, BrowserSettings
from capi_plugins.sources.base import SourceResponse, error_response

if TYPE_CHECKING:
    from capi_plugins._client import Client

PATH = "collect"
"""Where it is, below the place where this library is mounted."""
MOST_BYTES = 8_192
"""Longest body it takes."""
MOST_PER_SECOND = 2.0
"""Most events of one client over time; ten seconds' worth may come at once."""

_MEDIA = frozenset({"application/json", "text/plain"})
_RANDOM_ID = re.compile(r"[0-9a-f]{32}")
_MOST_FIELDS = 50
_TAKEN = SourceResponse(status=204, headers={"Cache-Control": "no-store"})


class Collecting:
    """What pages may send, and how much.

    Args:
        settings: ``BROWSER``.
    """

    def __init__(self, settings: BrowserSettings) -> None:
        asked = settings.collect
        every = frozenset(STANDARD_EVENTS) - NEVER_COLLECTED
        self.names = every if asked is True else frozenset(asked or ())
        self.rate = Rate(MOST_PER_SECOND)


def collect(client: Client, context: RequestContext, read: Read) -> SourceResponse:
    """Answer a request of a page; never raises, and repeats nothing of what it was sent.

    The event is noted in the host's request, and goes the way of every event.

    Args:
        client: The client.
        context: The request.
        read: Reads up to so many bytes of its body; empty at the end.
    """
    try:
        return _collect(client, context, read)
    except WebhookError as error:
        answer = error_response(error)
    except Exception as error:
        client.failed("collecting", error)
        said = "something is wrong on this side"
        answer = error_response(WebhookError(said, status=500, code="internal_error"))
    headers = {"Cache-Control": "no-store", **answer.headers}
    if answer.status == 405:  # noqa: PLR2004
        headers["Allow"] = "POST"
    return SourceResponse(status=answer.status, headers=headers, body=answer.body)


def _collect(client: Client, context: RequestContext, read: Read) -> SourceResponse:
    collecting = client.browser.collecting
    if not collecting.names:
        raise WebhookError("there is nothing here", status=404, code="not_found")
    if context.method != "POST":
        raise WebhookError("the method must be POST", status=405, code="not_allowed")
    if not _is_own_page(context):
        said = "only pages of this site may send events here"
        raise WebhookError(said, status=403, code="forbidden")
    who = sender("", context.client_ip_address)
    wait = collecting.rate.wait(who)
    if wait:
        said = "too many events from this address"
        raise WebhookError(said, status=429, code="too_many", retry_after=wait)
    collecting.rate.spend(who, 1)
    event = _event(context.headers, read_body(context.headers, read, MOST_BYTES))
    name: str = event["event_name"]
    if name not in collecting.names:
        said = "event_name is not one that pages may send (CAPI['BROWSER']['COLLECT'])"
        raise WebhookError(said, status=403, code="forbidden")
    fields = _fields(event)
    if _is_visitors(client, context):
        _note(client, context, name, fields, event)
    return _TAKEN


def _is_own_page(context: RequestContext) -> bool:
    """Whether a browser says that a page of this very host sent it; all that is said must agree."""
    site = context.headers.get("sec-fetch-site")
    if site not in (None, "same-origin"):
        return False
    # A page that tells nobody where it is has the origin "null".
    told = [context.headers.get("origin", "null"), context.headers.get("referer", "null")]
    pages = [page for page in told if page != "null"]
    # Hosts alone: behind a proxy the scheme may be another.
    return bool(site or pages) and all(is_same_site(page, context.url) for page in pages)


def _event(headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in _MEDIA:
        raise WebhookError("the body must be JSON, as application/json or text/plain")
    try:
        event = orjson.loads(body)
    except ValueError:
        raise WebhookError("the body is not JSON") from None
    if not isinstance(event, dict) or not isinstance(event.get("event_name"), str):
        raise WebhookError("the body must be an object with an 'event_name'")
    return event


def _fields(event: Mapping[str, Any]) -> dict[str, Any]:
    """Read what a page may say of an event."""
    fields: dict[str, Any] = {}
    # An id of the host's own would keep the event away that it belongs to.
    if (event_id := event.get("event_id")) is not None:
        if not (isinstance(event_id, str) and _RANDOM_ID.fullmatch(event_id)):
            raise WebhookError("event_id must be 32 random hexadecimal digits, or absent")
        fields["event_id"] = event_id
    if (data := event.get("custom_data")) is not None:
        if not isinstance(data, dict) or len(data) > _MOST_FIELDS:
            raise WebhookError(f"custom_data must be an object of at most {_MOST_FIELDS} fields")
        # What is kept under an order's number is given to the event that its payment makes.
        if "order_id" in data:
            raise WebhookError("custom_data must not have an order_id: orders are the server's")
        fields["custom_data"] = data
    return fields


def _is_visitors(client: Client, context: RequestContext) -> bool:
    exclude = client.settings.exclude
    if exclude.bots and is_bot(context.client_user_agent or ""):
        return False
    return owner_of(context, staff_are_visitors=not exclude.staff) is Owner.SHOPPER


def _note(
    client: Client,
    context: RequestContext,
    name: str,
    fields: Mapping[str, Any],
    event: Mapping[str, Any],
) -> None:
    scope = client.current_scope()
    if scope is None:
        said = "requests do not pass through this library: its middleware is missing"
        raise WebhookError(said, status=503, code="unavailable")
    for url in (event.get("url"), context.referrer_url):
        if isinstance(url, str) and is_same_site(url, context.url):
            scope.happened_at(url)
            break
    if event.get("twin") is True:
        scope.sent_by = "track" if name in STANDARD_EVENTS else "trackCustom"
    client.track(name, **fields)
