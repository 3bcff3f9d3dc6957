"""What goes to the browser with an answer: cookies, and the pixel's code in pages."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from flask import Request, Response

from capi_plugins import Client, Processed, RequestScope
from capi_plugins.browser import forbids_inline, may_change, may_place, nonce_of, placed

_log = logging.getLogger("capi_plugins.flask")
_POLICY = "Content-Security-Policy"
_OK = 200


def complete(
    client: Client,
    scope: RequestScope,
    request: Request,
    response: Response,
    processed: Sequence[Processed],
) -> None:
    """Add to an answer what goes to the browser.

    Args:
        client: The client.
        scope: The core's scope of the request.
        request: The request.
        response: The host's answer.
        processed: What became of the request's events.
    """
    settings = client.settings.browser
    navigates = "text/html" in request.headers.get("Accept", "")
    wanted = (settings.cookies or settings.pixel) and (processed or navigates)
    if not (wanted or scope.cookies):
        return
    headers = {name.lower(): value for name, value in response.headers.items()}
    if not may_change(headers):
        return
    page = (
        settings.pixel
        and response.status_code == _OK
        and response.is_sequence
        and not response.direct_passthrough
        and may_place(headers)
    )
    answer = client.browser_answer(scope, processed, page=page)
    cookies = (*answer.cookies, *scope.cookies)
    if not (cookies or answer.script):
        return
    for cookie in cookies:
        response.set_cookie(
            cookie.name,
            cookie.value,
            max_age=cookie.max_age,
            domain=cookie.domain,
            secure=cookie.secure,
            httponly=cookie.http_only,
            samesite=cookie.samesite,
        )
    if answer.script:
        _place(response, answer.script)
    # No cache may give one visitor's answer to another.
    response.cache_control.private = True


def _place(response: Response, script: str) -> None:
    policy = response.headers.get(_POLICY, "")
    nonce = nonce_of(policy)
    if nonce is None and forbids_inline(policy):
        _log.warning("the pixel is left out of pages: their Content-Security-Policy has no nonce")
        return
    attribute = f' nonce="{nonce}"' if nonce else ""
    page = placed(response.get_data(), f"<script{attribute}>{script}</script>".encode())
    if page is not None:
        # It writes the Content-Length too.
        response.set_data(page)
