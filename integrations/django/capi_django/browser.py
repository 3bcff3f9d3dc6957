"""What goes to the browser with an answer: cookies, and the pixel's code in pages."""

from __future__ import annotations

from collections.abc import Sequence

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_cache_control

from capi_django.context import Visit
from capi_plugins import Processed, RequestScope
from capi_plugins.browser import may_change, may_place, nonce_of, placed, script_element

_POLICY = "Content-Security-Policy"
_OK = 200


def navigates(request: HttpRequest) -> bool:
    """Whether a browser asks for a page, as far as it says."""
    return "text/html" in request.META.get("HTTP_ACCEPT", "")


def complete(
    visit: Visit,
    scope: RequestScope,
    response: HttpResponseBase,
    processed: Sequence[Processed],
) -> None:
    """Add to an answer what goes to the browser.

    Args:
        visit: The request.
        scope: The core's scope of it.
        response: The host's answer.
        processed: What became of the request's events.
    """
    client = visit.client
    settings = client.settings.browser
    wanted = (settings.cookies or settings.pixel) and (processed or navigates(visit.request))
    if not (wanted or scope.cookies):
        return
    headers = {name.lower(): value for name, value in response.headers.items()}
    if not may_change(headers):
        return
    page = (
        settings.pixel
        and response.status_code == _OK
        and isinstance(response, HttpResponse)
        and may_place(headers)
    )
    answer = client.browser_answer(scope, processed, page=page)
    cookies = (*answer.cookies, *scope.cookies)
    if not (cookies or answer.script):
        return
    for cookie in cookies:
        response.set_cookie(**cookie.arguments())
    if answer.script and isinstance(response, HttpResponse):
        _place(visit.request, response, answer.script)
    # No cache may give one visitor's answer to another.
    patch_cache_control(response, private=True)


def _place(request: HttpRequest, response: HttpResponse, script: str) -> None:
    policy = response.headers.get(_POLICY, "")
    element = script_element(script, policy, nonce_of(policy) or _future_nonce(request))
    if element is None:
        return
    page = placed(response.content, element.encode(response.charset))
    if page is not None:
        response.content = page
        if "Content-Length" in response.headers:
            response.headers["Content-Length"] = str(len(page))


def _future_nonce(request: HttpRequest) -> str | None:
    """The nonce of a policy still to be written: Django's own or django-csp's.

    It is made when it is read, and stands in the header only then.
    """
    for name in ("_csp_nonce", "csp_nonce"):
        if (lazy := getattr(request, name, None)) is not None:
            return str(lazy)
    return None
