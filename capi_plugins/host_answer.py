"""Adds to an answer of the host what goes to the browser: the same steps in every framework.

An adapter says how an answer of its framework is read and changed; when, and to what, is said here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from capi_plugins.browser import (
    TWIN,
    Cookie,
    may_change,
    may_place,
    nonce_of,
    placed,
    script_element,
)

if TYPE_CHECKING:
    from capi_plugins._client import Client
    from capi_plugins._pipeline import Processed
    from capi_plugins._scope import RequestScope

_POLICY = "content-security-policy"
_OK = 200


class HostAnswer(Protocol):
    """An answer of the host and the request it answers, as an adapter shows them."""

    @property
    def status(self) -> int:
        """HTTP status."""
        ...

    @property
    def accepts(self) -> str:
        """The ``Accept`` header of the request; empty: none."""
        ...

    @property
    def is_whole(self) -> bool:
        """Whether the body is there in one piece and may be replaced."""
        ...

    def headers(self) -> Mapping[str, str]:
        """Return header names in lower case and their values."""
        ...

    def future_nonce(self) -> str | None:
        """Return the nonce of a policy that is not in the headers yet; None: there is none."""
        ...

    def body(self) -> bytes:
        """Return the body; asked only where ``is_whole``."""
        ...

    def encoded(self, element: str) -> bytes:
        """Return an element as it stands in the body."""
        ...

    def replace(self, body: bytes) -> None:
        """Put another body in place of it, and its length where one is told."""
        ...

    def set_cookie(self, cookie: Cookie) -> None:
        """Set a cookie."""
        ...

    def set_header(self, name: str, value: str) -> None:
        """Set a header."""
        ...

    def keep_private(self) -> None:
        """Tell caches that they must not give it to anybody else."""
        ...


def navigates(accepts: str) -> bool:
    """Whether a browser asks for a page, as far as it says.

    Args:
        accepts: The ``Accept`` header.
    """
    return "text/html" in accepts


def complete(
    client: Client, scope: RequestScope, answer: HostAnswer, processed: Sequence[Processed]
) -> None:
    """Add to an answer what goes to the browser.

    Args:
        client: The client.
        scope: The core's scope of the request.
        answer: The host's answer.
        processed: What became of the request's events.
    """
    settings = client.settings.browser
    wanted = bool(
        (settings.cookies or settings.pixel)
        and (processed or scope.released or navigates(answer.accepts))
        # Most visitors have their cookies; without an event that is not known yet.
        and (settings.pixel or scope.released or scope.lacking or not processed)
    )
    if not (wanted or scope.cookies):
        return
    headers = answer.headers()
    if not may_change(headers):
        return
    page = settings.pixel and answer.status == _OK and answer.is_whole and may_place(headers)
    added = client.browser_answer(scope, processed, page=page)
    cookies = (*added.cookies, *scope.cookies)
    if added.twin:
        answer.set_header(TWIN, added.twin)
    if not (cookies or added.script):
        return
    for cookie in cookies:
        answer.set_cookie(cookie)
    if added.script:
        _place(answer, headers.get(_POLICY, ""), added.script)
    # No cache may give one visitor's answer to another.
    answer.keep_private()


def _place(answer: HostAnswer, policy: str, script: str) -> None:
    element = script_element(script, policy, nonce_of(policy) or answer.future_nonce())
    if element is None:
        return
    page = placed(answer.body(), answer.encoded(element))
    if page is not None:
        answer.replace(page)
