"""The middleware: opens a scope for every request, and captures its events when it is over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from capi_django import conf, visitor
from capi_django.browser import DjangoAnswer, accepts
from capi_django.context import Visit, visiting
from capi_plugins import FinishedRequest, RequestScope
from capi_plugins.host_answer import complete, navigates


class CapiMiddleware:
    """Captures the events of requests; the answer stays as it is, whatever happens in here.

    Belongs after ``AuthenticationMiddleware``. One class for both worlds: under ASGI the events
    are captured in the thread in which Django runs synchronous code, because looking up the user
    may ask the database.

    Args:
        get_response: The next in the chain.

    Raises:
        ConfigurationError: ``settings.CAPI`` is wrong; a server must not start that way.
    """

    sync_capable = True
    async_capable = True

    def __init__(
        self,
        get_response: Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]],
    ) -> None:
        conf.require()
        if client := conf.client():
            client.browser.prepare()
        self.get_response: Callable[[HttpRequest], Any] = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Handle a request."""
        if self._is_async:
            return self._handle_async(request)
        return self._handle(request)

    def _handle(self, request: HttpRequest) -> HttpResponseBase:
        client = conf.client()
        if client is None:
            return self.get_response(request)  # type: ignore[no-any-return]
        with visiting(client, request) as (visit, scope):
            try:
                response: HttpResponseBase = self.get_response(request)
            except BaseException:
                _finish(visit, scope, None)
                raise
            _finish(visit, scope, response)
            return response

    async def _handle_async(self, request: HttpRequest) -> HttpResponseBase:
        client = conf.client()
        if client is None:
            return await self.get_response(request)  # type: ignore[no-any-return]
        with visiting(client, request) as (visit, scope):
            try:
                response: HttpResponseBase = await self.get_response(request)
            except BaseException:
                await _finish_async(visit, scope, None)
                raise
            await _finish_async(visit, scope, response)
            return response


def _finish(visit: Visit, scope: RequestScope, response: HttpResponseBase | None) -> None:
    finished = _finished(visit, response)
    if finished is not None:
        _capture(visit, scope, finished)


async def _finish_async(
    visit: Visit, scope: RequestScope, response: HttpResponseBase | None
) -> None:
    finished = _finished(visit, response)
    if finished is None:
        return
    before = _cancelled()
    try:
        pages = navigates(accepts(visit.request))
        noted = scope.pending or scope.created
        if pages or noted or visit.client.triggers.for_request(finished):
            hop = sync_to_async(_capture, thread_sensitive=True)
            await hop(visit, scope, finished)
    except Exception as error:
        visit.client.failed("finish", error)
    if _cancelled() > before:
        # asgiref has told a plugin that was waiting for a coroutine, and nobody else.
        raise asyncio.CancelledError


def _cancelled() -> int:
    """How often the request was cancelled."""
    task = asyncio.current_task()
    return task.cancelling() if task else 0


def _capture(visit: Visit, scope: RequestScope, finished: FinishedRequest) -> None:
    with visitor.keeping_session(visit.request):
        processed = visit.client.finish(scope, finished)
        try:
            if visit.response is not None:
                answer = DjangoAnswer(visit.request, visit.response)
                complete(visit.client, scope, answer, processed)
        except Exception as error:
            visit.client.failed("the browser half", error)


def _finished(visit: Visit, response: HttpResponseBase | None) -> FinishedRequest | None:
    try:
        return visit.finished(response)
    except Exception as error:
        visit.client.failed("finish", error)
        return None
