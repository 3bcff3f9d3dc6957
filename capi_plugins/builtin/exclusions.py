"""Keeps away what no visitor did: the host's own people, machines, and pages nobody looks at.

Browsing is told apart from everything else. An order that a member of staff marks as paid is a
shopper's order, and the request of a machine that brings a conversion is nearly always a payment
provider's: such events stay. What these requests *look at* is no visitor's interest, and goes.
"""

from __future__ import annotations

import fnmatch
import functools
import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from capi_plugins.context import RequestContext
from capi_plugins.events import BROWSING, Event
from capi_plugins.exceptions import DropEvent
from capi_plugins.hookspecs import hookimpl
from capi_plugins.settings import ExcludeSettings, Settings

# Who says so: crawlers, link previews, uptime monitors, health checks, page tests, and the HTTP
# libraries that scrapers leave at their default. Not here: libraries that apps are built with
# (okhttp, CFNetwork, Dart), servers of headless shops (node, axios), browsers run by tests. Cubot
# makes telephones.
_BOT = re.compile(
    r"""
        (?<!cu)bot(?:\b|[_-]) | crawl | spider | slurp | scrapy
      | facebookexternalhit | facebookcatalog | meta-external | ^whatsapp/ | embedly | preview
      | mediapartners | google-read-aloud | google-inspectiontool | feedfetcher | bingpreview
      | lighthouse | pagespeed | gtmetrix | pingdom | uptime | statuscake | site24x7 | monitor
      | kube-probe | health-?[ ]?check | ^GoogleHC/ | ^Envoy/HC | ^Consul[ ]Health
      | ^Mastodon/ | ^Iframely | vkshare | cardyb
      | ^(?:curl|wget|libwww-perl|go-http-client|python-(?:requests|urllib|httpx))\b | aiohttp
    """,
    re.IGNORECASE | re.VERBOSE,
)
_PROBED = re.compile(
    r"/_?(?:health(?:z|[_-]?checks?)?|livez|liveness|readyz|readiness|alive|heartbeat|ping)"
    r"(?:/(?:live|liveness|ready|readiness|startup))?/?$",
    re.IGNORECASE,
)
_PREFETCH_HEADERS = ("sec-purpose", "purpose", "x-purpose", "x-moz")
_PREFETCH = re.compile(r"prefetch|preview|prerender", re.IGNORECASE)


class Exclusions:
    """The built-in ``capi_filter``, as ``CAPI["EXCLUDE"]`` says."""

    def __init__(self) -> None:
        self._exclude = ExcludeSettings()
        self._emails: re.Pattern[str] | None = None

    @hookimpl
    def capi_configure(self, settings: Settings) -> None:
        """Read ``CAPI["EXCLUDE"]``."""
        self._exclude = settings.exclude
        patterns = [fnmatch.translate(pattern.strip().lower()) for pattern in self._exclude.emails]
        self._emails = re.compile("|".join(patterns)) if patterns else None

    @hookimpl
    def capi_filter(self, event: Event, context: RequestContext) -> None:
        """Raise ``DropEvent`` for what no visitor did."""
        if context.in_request:
            reason = self._request_reason(context, browsing=event.event_name in BROWSING)
            if reason is not None:
                raise DropEvent(reason)
        if self._emails is not None and self._is_own_email(event, context, self._emails):
            raise DropEvent("excluded: the e-mail address is the host's own")

    def _request_reason(self, context: RequestContext, *, browsing: bool) -> str | None:
        exclude = self._exclude
        if context.method == "HEAD":
            return "excluded: a HEAD request shows nobody a page"
        if exclude.prefetch and _is_prefetch(context):
            return "excluded: the browser fetched the page in advance"
        if browsing and exclude.staff and context.is_staff:
            return "excluded: browsing of a member of staff"
        agent = context.client_user_agent or ""
        if browsing and exclude.bots and (is_bot(agent) or _is_probe(context.url, agent)):
            return "excluded: browsing of a bot"
        if exclude.paths and (browsing or not context.is_staff):
            path = _path(context.url)
            if any(pattern.search(path) for pattern in exclude.paths):
                return "excluded: the path is in CAPI['EXCLUDE']['paths']"
        return None

    @staticmethod
    def _is_own_email(event: Event, context: RequestContext, own: re.Pattern[str]) -> bool:
        emails = _texts(event.user_data.email)
        if not context.is_staff:
            emails += _texts(context.user.email)
        return any(own.match(email.strip().lower()) for email in emails)


# Visitors share a few hundred user agents, and the pattern is the costliest part of a page view.
@functools.lru_cache(maxsize=1024)
def is_bot(user_agent: str) -> bool:
    """Whether a program says that it is none of a visitor's.

    Args:
        user_agent: The ``User-Agent``.
    """
    return _BOT.search(user_agent) is not None


def _is_probe(url: str | None, agent: str) -> bool:
    # A shop may sell health, so the path alone does not tell.
    return not agent.startswith("Mozilla/") and _PROBED.search(_path(url)) is not None


def _is_prefetch(context: RequestContext) -> bool:
    headers = context.headers
    return any(
        name in headers and _PREFETCH.search(headers[name]) is not None
        for name in _PREFETCH_HEADERS
    )


def _path(url: str | None) -> str:
    try:
        return urlsplit(url or "").path
    except ValueError:
        return ""


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Sequence):
        return [item for item in value if isinstance(item, str)]
    return []
