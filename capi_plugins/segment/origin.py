"""When and where: event time, action source, and the URL of the page."""

from __future__ import annotations

import re
from urllib.parse import urljoin

import attrs

from capi_plugins.events import AppData, FieldNote, parse_time
from capi_plugins.segment.device import platform, read_app
from capi_plugins.segment.message import Message, text
from capi_plugins.segment.options import ACTION_SOURCES, Options
from capi_plugins.segment.people import user_agent
from capi_plugins.segment.private import clean_url
from capi_plugins.segment.spec import fold

_EARLIEST = 946_684_800  # the year 2000; whatever is earlier is a clock that was never set
_URL = re.compile(r"https?://[^/?#\s@]+(?:[/?][^\s]*)?", re.IGNORECASE)
_MOST_URL = 2000
_LONGEST_URL = 8000
_BROWSER_LIBRARIES = ("analyticsjs", "analyticsnext", "rudderlabsjavascriptsdk", "jitsujs")
_APP_LIBRARIES = re.compile(
    r"""(?:^|[^a-z])(?:
        ios|swift|android|kotlin|react-?native|flutter|xamarin|unity|cordova|ionic|nativescript
    )(?:[^a-z]|$)""",
    re.IGNORECASE | re.VERBOSE,
)
_CHANNELS = {"mobile": "app", "browser": "website", "web": "website"}


@attrs.frozen(kw_only=True)
class Origin:
    """Where an event happened.

    Attributes:
        action_source: Meta's word for it.
        event_source_url: The page.
        referrer_url: The page before it.
        app_data: The app.
    """

    action_source: str
    event_source_url: str | None = attrs.field(default=None, repr=False)
    referrer_url: str | None = attrs.field(default=None, repr=False)
    app_data: AppData | None = None


def event_time(message: Message, now: float) -> int:
    """Return when it happened, by the receiver's clock, seconds since the epoch.

    ``timestamp`` is corrected where it was received, and taken as it is beside an
    ``originalTimestamp``. Without, the device's clock is corrected by what it said when it sent
    the message: ``receivedAt - (sentAt - originalTimestamp)``. What cannot be read falls back to
    the next. Nothing happens after it was received.

    Args:
        message: The message.
        now: Seconds since the epoch.

    Source: Segment's *Spec: Common Fields*, timestamps.
    """
    raw = message.raw
    given, own, sent, received = (
        _moment(raw.get(name))
        for name in ("timestamp", "originalTimestamp", "sentAt", "receivedAt")
    )
    latest = int(now) if received is None else received
    corrected = given if own is not None else None
    by_device = own if own is not None else given
    if corrected is None and by_device is not None:
        corrected = by_device
        if sent is not None and received is not None:
            corrected = received - max(sent - by_device, 0)
    if corrected is None:
        corrected = received if received is not None else sent
    return latest if corrected is None else min(corrected, latest)


def _moment(value: object) -> int | None:
    if value is None:
        return None
    seconds = parse_time(value) if isinstance(value, str | int | float) else None
    return seconds if seconds is not None and seconds >= _EARLIEST else None


def read_origin(message: Message, options: Options, when: int, notes: list[FieldNote]) -> Origin:
    """Read where it happened; what Meta demands of the place decides whether it is believed.

    Args:
        message: The message.
        options: The site's URL, and the place of events that do not tell.
        when: The event's time, seconds since the epoch.
        notes: Receives what was left out.
    """
    page = _page(message, options)
    source = _given(message) or _derived(message, page, options)
    app_data = None
    if source == "website":
        page = page or options.site_url
        if page is None or user_agent(message) is None:
            notes.append(
                FieldNote("action_source", "'website' needs a page URL and a user agent: 'other'")
            )
            source = "other"
    elif source == "app":
        app_data = read_app(message, when)
        if app_data is None:
            notes.append(
                FieldNote("action_source", "'app' needs an operating system with version: 'other'")
            )
            source = "other"
    return Origin(
        action_source=source,
        event_source_url=page,
        referrer_url=_url(message.page.get("referrer")) or _url(message.properties.get("referrer")),
        app_data=app_data,
    )


def is_from_device(message: Message) -> bool:
    """Whether a phone's own library sent a message, so that its address is the person's."""
    channel = (text(message.raw.get("channel")) or "").lower()
    return channel == "mobile" or _APP_LIBRARIES.search(_library(message)) is not None


def _library(message: Message) -> str:
    library = message.context.get("library")
    return (text(library.get("name")) or "") if isinstance(library, dict) else ""


def _given(message: Message) -> str | None:
    for place in message.everywhere:
        found = text(place.get("actionsource"))
        if found is not None:
            name = found.lower().replace("-", "_").replace(" ", "_")
            if name in ACTION_SOURCES:
                return name
    return None


def _derived(message: Message, page: str | None, options: Options) -> str:
    name = _library(message)
    channel = _CHANNELS.get((text(message.raw.get("channel")) or "").lower())
    in_app = platform(message) is not None and (
        "app" in message.context or bool(message.device) or message.type == "screen"
    )
    if any(browser in fold(name) for browser in _BROWSER_LIBRARIES):
        # In the browser of a phone, too, which has an operating system as well.
        return "website"
    if _APP_LIBRARIES.search(name) or message.type == "screen":
        return "app"
    if channel is not None:
        return channel
    if in_app and page is None:
        return "app"
    if page is not None and user_agent(message) is not None:
        # A server that passes on what a browser did says so by the browser's page.
        return "website"
    return "website" if message.type == "page" else options.action_source


def _page(message: Message, options: Options) -> str | None:
    places = (message.page.get("url"), message.properties.get("url"), message.context.get("url"))
    if message.type == "track":
        # There it is more often the product's page than the visitor's.
        places = (places[0], places[2], places[1])
    for value in places:
        found = _url(value)
        if found is not None:
            return found
    path = message.page.get("path")
    if options.site_url and isinstance(path, str) and path.startswith("/"):
        return _url(urljoin(options.site_url, "/" + path.lstrip("/")))
    return None


def _url(value: object) -> str | None:
    if not isinstance(value, str) or len(value) > _LONGEST_URL:
        return None
    url = value.strip()
    if not url.isprintable() or not _URL.fullmatch(url):
        return None
    url = clean_url(url)
    if len(url) > _MOST_URL:
        url = url.partition("?")[0]
    return url if len(url) <= _MOST_URL and _URL.fullmatch(url) else None
