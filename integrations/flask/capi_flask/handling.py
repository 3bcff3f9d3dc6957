"""One request being handled: what is gathered until it ends, and how it ended."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flask import has_request_context, request

from capi_flask import transactions
from capi_flask.browser import FlaskAnswer
from capi_flask.context import context_of, request_offer
from capi_plugins import FinishedRequest
from capi_plugins.host_answer import complete

if TYPE_CHECKING:
    from flask import Request, Response

    from capi_flask.installed import Installed

_KEY = "_capi_flask"
_MAIL = re.compile(r"(^|[/_.-])e?mails?([/_.-]|$)|\.txt$")
_FAILED = 500


class Pages:
    """The templates a request renders; the last whole page is the one its answer shows."""

    def __init__(self) -> None:
        self._begun: tuple[str, Mapping[str, Any]] | None = None
        self._rendered: tuple[str, Mapping[str, Any]] | None = None
        # Of a template that stands in the code, which may be the text of a mail as well.
        self._unnamed: Mapping[str, Any] = {}

    def begun(self, name: str | None, context: Mapping[str, Any]) -> None:
        """Take note of a template about to be rendered: all there is of a streamed one."""
        if not name:
            self._unnamed = context
        elif self._begun is None and not _MAIL.search(name):
            self._begun = (name, context)

    def rendered(self, name: str | None, context: Mapping[str, Any]) -> None:
        """Take note of a rendered template, unless it is the text of a mail."""
        if name and not _MAIL.search(name):
            self._rendered = (name, context)

    def last(self) -> tuple[str | None, Mapping[str, Any]]:
        """Return name and context of the page."""
        return self._rendered or self._begun or (None, self._unnamed)


class Handling:
    """One request of one app.

    Attributes:
        installed: The app's state.
        scope: The core's scope.
        pages: The templates rendered.
        messages: What was flashed, as it was given.
        finished: Whether its events were captured.
    """

    def __init__(self, installed: Installed, taken: Request) -> None:
        self.installed = installed
        self._request = taken
        self.pages = Pages()
        self.messages: list[object] = []
        self.finished = False
        received_at = time.time()
        client = installed.client
        self._opened = client.request(lambda: context_of(taken, client, received_at))
        self.scope = self._opened.__enter__()
        self._open = True

    @classmethod
    def begin(cls, installed: Installed) -> None:
        """Open the current request."""
        taken = request._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001
        vars(taken)[_KEY] = cls(installed, taken)

    @staticmethod
    def of(installed: Installed) -> Handling | None:
        """Return the handling of the current request, if it is one of this app."""
        if not has_request_context():
            return None
        handling = vars(request._get_current_object()).get(_KEY)  # type: ignore[attr-defined]  # noqa: SLF001
        if isinstance(handling, Handling) and handling.installed is installed:
            return handling
        return None

    def finish(self, response: Response | None) -> None:
        """Capture the events of the request; only the first call does.

        Args:
            response: The answer; None when an exception left the app without one.
        """
        if self.finished:
            return
        self.finished = True
        client = self.installed.client
        with transactions.no_autoflush():
            processed = client.finish(self.scope, self.described(response))
            if response is not None:
                answer = FlaskAnswer(self._request, response)
                complete(client, self.scope, answer, processed)

    def described(self, response: Response | None) -> FinishedRequest:
        """Say how the request ended.

        Args:
            response: The answer; None when there is none.
        """
        taken = self._request
        template, context = self.pages.last()
        return FinishedRequest(
            method=taken.method,
            route=taken.endpoint,
            path=taken.path,
            status=_FAILED if response is None else response.status_code,
            content_type="" if response is None else (response.mimetype or ""),
            template=template,
            location="" if response is None else response.headers.get("Location", ""),
            offer=lambda: self.offer(response, template, context),
        )

    def offer(
        self,
        response: Response | None = None,
        template: str | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Return the names that paths of a trigger may start at."""
        return {
            **request_offer(self._request),
            # A response is callable, and a path would call it.
            "response": lambda: response,
            "template": template,
            "context": context or {},
            "messages": lambda: [str(message) for message in self.messages],
        }

    def end(self) -> None:
        """Leave the request; may be called again, for Flask tears a kept context down twice."""
        self.finish(None)
        if self._open:
            self._open = False
            with contextlib.suppress(RuntimeError):
                self._opened.__exit__(None, None, None)
