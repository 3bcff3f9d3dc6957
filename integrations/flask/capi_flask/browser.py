"""What goes to the browser with an answer: cookies, and the pixel's code in pages."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Request, Response

from capi_plugins import Client, Processed, RequestScope
from capi_plugins.browser import may_change, may_place, nonce_of, placed, script_element

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
        response.set_cookie(**cookie.arguments())
    if answer.script:
        _place(response, answer.script)
    # No cache may give one visitor's answer to another.
    response.cache_control.private = True


def _place(response: Response, script: str) -> None:
    policy = response.headers.get(_POLICY, "")
    element = script_element(script, policy, nonce_of(policy))
    if element is None:
        return
    page = placed(response.get_data(), element.encode())
    if page is not None:
        # It writes the Content-Length too.
        response.set_data(page)
