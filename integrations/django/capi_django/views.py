"""The views below the URLconf: sources, the script ``bridge.js``, and what pages send."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from capi_django import conf
from capi_django.context import context_now
from capi_plugins import Client, RequestContext, WebhookError, collecting
from capi_plugins.bridge import serve
from capi_plugins.receiving import respond
from capi_plugins.sources.base import SourceResponse, error_response

_WRONG = error_response(
    WebhookError("the settings of this server are wrong", status=503, code="unavailable")
)


# Senders prove who they are by a write key or a signature, and cookies prove nothing here.
@csrf_exempt
@login_not_required
def receive(request: HttpRequest, path: str) -> HttpResponse:
    """Answer a request to a source.

    Args:
        request: The request.
        path: What follows the prefix of the URLconf.
    """
    return _response(_answer(request, path))


# It takes nothing that does not come from a page of the host, and looks at that by itself.
@csrf_exempt
@login_not_required
def collect(request: HttpRequest) -> HttpResponse:
    """Take an event that happened in a page.

    Args:
        request: The request.
    """
    client = conf.client()
    if client is None:
        return _response(_WRONG)
    return _response(collecting.collect(client, _context(client, request), request.read))


@login_not_required
def bridge(request: HttpRequest) -> HttpResponse:
    """Serve the script that copies a banner's answer into a cookie.

    Args:
        request: The request.
    """
    given = {name.lower(): value for name, value in request.headers.items()}
    return _response(serve(request.method or "", given))


def _answer(request: HttpRequest, path: str) -> SourceResponse:
    client = conf.client()
    if client is None:
        return _WRONG
    return respond(client, path, _context(client, request), request.read)


def _context(client: Client, request: HttpRequest) -> RequestContext:
    try:
        return context_now(client, request)
    except Exception as error:
        client.failed("context", error)
        return RequestContext(method=request.method)


def _response(answer: SourceResponse) -> HttpResponse:
    response = HttpResponse(answer.body, status=answer.status, content_type="")
    del response.headers["Content-Type"]
    for name, value in answer.headers.items():
        response.headers[name] = value
    return response
