"""What an adapter knows of the request in which an event happened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from urllib.parse import parse_qs, unquote, urlsplit

import attrs

from capi_plugins.consent import Consent
from capi_plugins.event_data import NOBODY
from capi_plugins.events import UserData

_NOTHING: Mapping[str, str] = MappingProxyType({})
_NO_CONSENTS: Mapping[str, Consent] = MappingProxyType({})


@attrs.frozen(kw_only=True)
class RequestContext:
    """A request in neutral words, made lazily: only when the request has an event.

    Attributes:
        url: Absolute URL of the page, as the visitor's browser has it.
        referrer_url: The ``Referer`` header.
        method: HTTP method, upper case.
        client_ip_address: The visitor's own address, proxies resolved by the adapter.
        client_user_agent: The ``User-Agent`` header, verbatim.
        cookies: Cookie names and values, as received.
        headers: Header names in lower case and their values.
        query: First value of each query parameter, percent-decoded once.
        user: What ``USER_DATA`` found on the signed-in user.
        is_staff: Whether the signed-in user works for the host (None: nobody is signed in).
        session_key: Tells the visitor's session from others, where the host keeps sessions.
        received_at: When the request began, seconds since the epoch.
        consents: What the visitor had decided when this was kept, by destination; it counts like
            a consent source. Empty, unless it comes from the context store.
        restored: Whether this is, wholly, what the context store kept of the shopper.
        request: The framework's own request, for plugins that know it. None outside a request.
    """

    url: str | None = None
    referrer_url: str | None = None
    method: str | None = None
    client_ip_address: str | None = attrs.field(default=None, repr=False)
    client_user_agent: str | None = attrs.field(default=None, repr=False)
    cookies: Mapping[str, str] = attrs.field(default=_NOTHING, repr=False)
    headers: Mapping[str, str] = attrs.field(default=_NOTHING, repr=False)
    query: Mapping[str, str] = attrs.field(default=_NOTHING, repr=False)
    user: UserData = attrs.field(default=NOBODY, repr=False)
    is_staff: bool | None = None
    session_key: str | None = attrs.field(default=None, repr=False)
    received_at: float | None = None
    consents: Mapping[str, Consent] = attrs.field(default=_NO_CONSENTS, repr=False)
    restored: bool = False
    request: object = attrs.field(default=None, repr=False, eq=False)

    @property
    def in_request(self) -> bool:
        """Whether the event happened in somebody's HTTP request."""
        return self.method is not None


NO_REQUEST = RequestContext()
"""The context of events that happen outside any request."""


# Of Django's ``login_required`` and Flask-Login, and of others.
_COMING_BACK = ("next", "return_to", "redirect_to", "continue")


@attrs.frozen(kw_only=True)
class FinishedRequest:
    """How a request ended; what request triggers are matched against.

    Attributes:
        method: HTTP method, upper case.
        route: The framework's name of the route: Django's ``view_name``, Flask's endpoint.
        path: Path of the URL, without the query.
        status: HTTP status of the answer.
        content_type: Media type of the answer, lower case, without parameters.
        template: Name of the template rendered for the answer, where the framework tells.
        location: Where the answer leads to, as its header says; empty: nowhere.
        offer: Called once, when a trigger matches: the names its paths may start at
            (``request``, ``user``, ``kwargs``, ``form``, ``context``, ...).
    """

    method: str
    route: str | None
    path: str
    status: int
    content_type: str = ""
    template: str | None = None
    location: str = ""
    offer: Callable[[], Mapping[str, object]] = attrs.field(default=dict, repr=False, eq=False)

    @property
    def is_put_off(self) -> bool:
        """Whether the visitor is to sign in first and to come back: nothing has been done yet."""
        if not self.location:
            return False
        try:
            query = parse_qs(urlsplit(self.location).query)
            asked = [value for name in _COMING_BACK for value in query.get(name, ())]
            paths = [unquote(urlsplit(value).path) for value in asked]
        except ValueError:
            return False
        # What is mounted below a prefix knows its path without it.
        below = self.path if len(self.path) > 1 else None
        return any(path == self.path or (below and path.endswith(below)) for path in paths)
