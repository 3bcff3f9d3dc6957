"""Django's answers, as the core completes them for the browser."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_cache_control

from capi_plugins.browser import Cookie


@attrs.frozen
class DjangoAnswer:
    """An answer of Django; see ``capi_plugins.host_answer.HostAnswer``."""

    request: HttpRequest
    response: HttpResponseBase

    @property
    def status(self) -> int:
        """HTTP status."""
        return self.response.status_code

    @property
    def accepts(self) -> str:
        """The ``Accept`` header of the request."""
        return accepts(self.request)

    @property
    def is_whole(self) -> bool:
        """Whether it is not streamed."""
        return isinstance(self.response, HttpResponse)

    def headers(self) -> Mapping[str, str]:
        """Return the headers."""
        return {name.lower(): value for name, value in self.response.headers.items()}

    def future_nonce(self) -> str | None:
        """Return the nonce of Django's own policy, or of django-csp's.

        It is made when it is read, and stands in the header only then.
        """
        for name in ("_csp_nonce", "csp_nonce"):
            if (lazy := getattr(self.request, name, None)) is not None:
                return str(lazy)
        return None

    def body(self) -> bytes:
        """Return the body."""
        return self.response.content if isinstance(self.response, HttpResponse) else b""

    def encoded(self, element: str) -> bytes:
        """Return an element in the charset of the page."""
        return element.encode(self.response.charset)

    def replace(self, body: bytes) -> None:
        """Put another body in place."""
        if isinstance(self.response, HttpResponse):
            self.response.content = body
            if "Content-Length" in self.response.headers:
                self.response.headers["Content-Length"] = str(len(body))

    def set_cookie(self, cookie: Cookie) -> None:
        """Set a cookie."""
        self.response.set_cookie(**cookie.arguments())

    def set_header(self, name: str, value: str) -> None:
        """Set a header."""
        self.response.headers[name] = value

    def keep_private(self) -> None:
        """Mark it as private."""
        patch_cache_control(self.response, private=True)


def accepts(request: HttpRequest) -> str:
    """Return the ``Accept`` header of a request."""
    value: str = request.META.get("HTTP_ACCEPT", "")
    return value
