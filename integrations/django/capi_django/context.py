"""One request of the host: its neutral context, and what it offers to the paths of triggers."""

from __future__ import annotations

import contextlib
import contextvars
import functools
import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.contrib.sessions.backends.base import SessionBase
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from capi_django import rendering, visitor
from capi_plugins import Client, FinishedRequest, RequestContext, RequestScope, UserData
from capi_plugins.http_context import request_context

_REDIRECTS = range(300, 400)
_FAILED = 500

Offer = Mapping[str, Any]


class Visit:
    """One request on its way through the host.

    Args:
        client: The client.
        request: The host's request.
    """

    def __init__(self, client: Client, request: HttpRequest) -> None:
        self.client = client
        self.request = request
        self.response: HttpResponseBase | None = None
        self.pages: list[rendering.Page] = []
        self._copy: HttpRequest | None = None
        self._over = False
        self._started = time.time()

    def context(self) -> RequestContext:
        """Return the request in neutral words."""
        request = self.request
        user, is_staff = self._signed_in()
        return request_context(
            method=request.method or "",
            url=_url(request),
            headers=_headers(request.META),
            remote_addr=request.META.get("REMOTE_ADDR"),
            trusted_proxies=self.client.settings.trusted_proxies,
            user=user,
            is_staff=is_staff,
            session_key=self._session_key(),
            received_at=self._started,
            request=self.copy,
        )

    def finished(self, response: HttpResponseBase | None) -> FinishedRequest:
        """Say how the request ended, for request triggers.

        Args:
            response: The answer; None when an exception went through.
        """
        self.response, self._over = response, True
        match = self.request.resolver_match
        headers = {} if response is None else response.headers
        media = headers.get("Content-Type", "")
        return FinishedRequest(
            method=self.request.method or "",
            route=match.view_name if match else None,
            path=self.request.path,
            status=_FAILED if response is None else response.status_code,
            content_type=media.partition(";")[0].strip().lower(),
            template=self.page.name if self.page else None,
            location=headers.get("Location", ""),
            offer=self.offer,
        )

    def offer(self) -> Offer:
        """Return the names that paths may start at; functions among them are called on demand."""
        return {
            "request": lambda: self.copy,
            "user": lambda: getattr(self.copy, "user", None),
            "session": lambda: getattr(self.copy, "session", {}),
            "kwargs": lambda: getattr(self.request.resolver_match, "kwargs", {}),
            "args": lambda: self.copy.GET,
            "form": lambda: self.copy.POST,
            "json": self._json,
            "response": lambda: self.response,
            "context": lambda: self.traceless(self.page.context) if self.page else {},
        }

    def traceless(self, named: Offer) -> Offer:
        """Put the copies of the request and of its user in place of the originals."""
        user = self.request.__dict__.get("user")

        def safe(value: Any) -> Any:
            if value is self.request:
                return self.copy
            return self.copy.user if value is user and user is not None else value

        return {name: safe(value) for name, value in named.items()}

    @property
    def copy(self) -> HttpRequest:
        """The request, safe to read: as it is now, and once its view is done, for good."""
        if self._copy is not None:
            return self._copy
        copy = visitor.copy_of(self.request)
        if self._over:
            self._copy = copy
        return copy

    @contextlib.contextmanager
    def one_copy(self) -> Iterator[None]:
        """Look at one copy for a moment: each would look up the user anew."""
        before, self._copy = self._copy, self.copy
        try:
            yield
        finally:
            self._copy = before

    @property
    def page(self) -> rendering.Page | None:
        """The page that was rendered; what was rendered for a redirect was something else."""
        if self.response is not None and self.response.status_code in _REDIRECTS:
            return None
        return self.pages[-1] if self.pages else None

    def _signed_in(self) -> tuple[UserData | None, bool | None]:
        try:
            user = getattr(self.copy, "user", None)
            if user is None or not user.is_authenticated:
                return None, None
            return self.client.user_data(user), bool(getattr(user, "is_staff", False))
        except Exception as error:
            self.client.failed("reading the user", error)
            return None, None

    def _session_key(self) -> str | None:
        # Asking for the key alone marks the session neither as accessed nor as modified.
        session: Any = self.request.__dict__.get("session")
        return session.session_key if issubclass(type(session), SessionBase) else None

    def _json(self) -> Any:
        # Django REST framework reads the body itself and keeps what it made of it.
        drf = (getattr(self.response, "renderer_context", None) or {}).get("request")
        data = getattr(drf, "__dict__", {}).get("_full_data")
        if isinstance(data, Mapping | list):
            return data
        body = self.copy.__dict__.get("_body")
        media = self.copy.content_type or ""
        if body is None or not (media == "application/json" or media.endswith("+json")):
            return None
        return json.loads(body)


_current: contextvars.ContextVar[Visit | None] = contextvars.ContextVar("capi_visit", default=None)


@contextlib.contextmanager
def visiting(client: Client, request: HttpRequest) -> Iterator[tuple[Visit, RequestScope]]:
    """Make a request the current one.

    Args:
        client: The client.
        request: The host's request.
    """
    visit = Visit(client, request)
    with client.request(visit.context) as scope:
        token = _current.set(visit)
        pages = rendering.pages.set(visit.pages)
        try:
            yield visit, scope
        finally:
            rendering.pages.reset(pages)
            _current.reset(token)


def offered(named: Offer) -> Callable[[], Offer]:
    """Bind what a signal names to what the current request offers.

    Args:
        named: The signal's own names; they win.

    Returns:
        Makes the offer, when the fields are read.
    """
    visit = _current.get()
    if visit is None:
        return lambda: named
    return lambda: {**visit.offer(), **visit.traceless(named)}


def context_now(client: Client, request: HttpRequest) -> RequestContext:
    """Return the context of a request whose view is still at work.

    Args:
        client: The client.
        request: The host's request.
    """
    visit = Visit(client, request)
    with visitor.keeping_session(request), visit.one_copy():
        return visit.context()


@contextlib.contextmanager
def looking_early() -> Iterator[None]:
    """Let the current request, if there is one, be read while its view is still at work."""
    visit = _current.get()
    if visit is None:
        yield
        return
    with visitor.keeping_session(visit.request), visit.one_copy():
        yield


def _headers(meta: Mapping[str, Any]) -> dict[str, str]:
    """Read headers as ``request.headers`` does, without the wrapper it makes for each."""
    found = {
        name: value
        for key, value in meta.items()
        if (name := _header_name(key)) and isinstance(value, str)
    }
    for key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if meta.get(key):
            found[key.replace("_", "-").lower()] = str(meta[key])
    return found


# Browsers send the same few names, and never anything of a person in one.
@functools.lru_cache(maxsize=512)
def _header_name(key: str) -> str:
    return key[5:].replace("_", "-").lower() if key.startswith("HTTP_") else ""


def _url(request: HttpRequest) -> str:
    try:
        # build_absolute_uri() without the parts that are for links relative to the page.
        return f"{request.scheme}://{request.get_host()}{request.get_full_path()}"
    except (DisallowedHost, ValueError):
        return ""
