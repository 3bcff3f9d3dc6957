"""Flask's answers, as the core completes them for the browser."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
from flask import Request, Response

from capi_plugins.browser import Cookie


@attrs.frozen
class FlaskAnswer:
    """An answer of Flask; see ``capi_plugins.host_answer.HostAnswer``."""

    request: Request
    response: Response

    @property
    def status(self) -> int:
        """HTTP status."""
        return self.response.status_code

    @property
    def accepts(self) -> str:
        """The ``Accept`` header of the request."""
        return self.request.headers.get("Accept", "")

    @property
    def is_whole(self) -> bool:
        """Whether it is neither streamed nor a file."""
        return self.response.is_sequence and not self.response.direct_passthrough

    def headers(self) -> Mapping[str, str]:
        """Return the headers."""
        return {name.lower(): value for name, value in self.response.headers.items()}

    def future_nonce(self) -> None:
        """Return None: Flask-Talisman writes its policy before events are captured."""

    def body(self) -> bytes:
        """Return the body."""
        return self.response.get_data()

    def encoded(self, element: str) -> bytes:
        """Return an element in UTF-8, the charset of Flask's pages."""
        return element.encode()

    def replace(self, body: bytes) -> None:
        """Put another body in place; its length is told with it."""
        self.response.set_data(body)

    def set_cookie(self, cookie: Cookie) -> None:
        """Set a cookie."""
        self.response.set_cookie(**cookie.arguments())

    def set_header(self, name: str, value: str) -> None:
        """Set a header."""
        self.response.headers[name] = value

    def keep_private(self) -> None:
        """Mark it as private."""
        self.response.cache_control.private = True
