"""ASGI: the same events, and contexts that never mix."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import capi_django
import pytest
from asgiref.sync import async_to_sync, iscoroutinefunction, sync_to_async
from bookshop.models import Order
from bookshop.signals import order_placed
from capi_django.middleware import CapiMiddleware
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpResponse, StreamingHttpResponse
from django.test import AsyncClient, Client

from capi_plugins import hookimpl
from tests.on_django.conftest import Wire

pytestmark = pytest.mark.django_db(transaction=True)

DONE = {"ON": "request", "ROUTE": "async_do", "EVENT": "Contact"}
PLACED = {
    "ON": "signal",
    "SIGNAL": "bookshop.signals.order_placed",
    "EVENT": "Lead",
    "EVENT_ID": "order.number",
}


def get(path="/async/do/", *, cookies=(), **how):
    async def ask():
        client = AsyncClient(raise_request_exception=False)
        client.cookies.load(dict(cookies))
        return await client.get(path, **how)

    return asyncio.run(ask())


def test_one_class_is_sync_and_async(configure):
    async def get_response(request): ...

    configure()
    assert iscoroutinefunction(CapiMiddleware(get_response))
    assert not iscoroutinefunction(CapiMiddleware(lambda request: HttpResponse()))


def test_an_async_view_makes_events(configure, recorder, view):
    async def page(request):
        capi_django.track("Lead")
        await asyncio.sleep(0)
        return HttpResponse("ok")

    configure(DONE)
    view(page)
    assert get(headers={"user-agent": "Firefox"}).content == b"ok"
    assert recorder.names == ["Lead", "Contact"]
    assert recorder.context.client_user_agent == "Firefox"


def test_the_user_is_looked_up_in_the_thread_of_synchronous_code(configure, recorder, view):
    async def page(request):
        return HttpResponse("ok")

    client = Client()
    client.force_login(User.objects.create_user("ada", "ada@example.com"))
    configure({**DONE, "USER_DATA": {"email": "request.user.email"}})
    view(page)
    answer = get(cookies={"sessionid": client.cookies["sessionid"].value})
    assert "Vary" not in answer.headers
    assert recorder.events[0].user_data.email == "ada@example.com"
    assert recorder.context.user.email == "ada@example.com"


def test_what_auser_found_is_not_looked_up_again(configure, recorder, view, monkeypatch):
    from django.contrib import auth

    async def page(request):
        return HttpResponse((await request.auser()).email)

    client = Client()
    client.force_login(User.objects.create_user("ada", "ada@example.com"))
    configure(DONE)
    view(page)
    monkeypatch.setattr(auth, "get_user", lambda request: pytest.fail("looked up again"))
    assert (
        get(cookies={"sessionid": client.cookies["sessionid"].value}).content == b"ada@example.com"
    )
    assert recorder.context.user.email == "ada@example.com"


def test_commit_decides_in_synchronous_code_of_an_async_view(configure, recorder, view):
    @sync_to_async
    def buy(number, *, fail):
        with transaction.atomic():
            order_placed.send(sender=Order, order=Order.objects.create(number=number))
            if fail:
                raise RuntimeError("declined")

    async def page(request):
        await buy("A1", fail=False)
        await buy("A2", fail=True)

    configure(DONE, PLACED)
    view(page)
    assert get().status_code == 500
    assert [event.event_id for event in recorder.events] == ["Lead.A1"]


def test_asend_makes_events(configure, recorder, view):
    async def page(request):
        await order_placed.asend(sender=Order, order={"number": "A1"})
        return HttpResponse("ok")

    configure(PLACED)
    view(page)
    get()
    assert [event.event_id for event in recorder.events] == ["Lead.A1"]
    assert recorder.context.in_request


def test_a_request_without_events_makes_no_hop(configure, view, monkeypatch):
    from capi_django import middleware

    async def page(request):
        return HttpResponse("ok")

    configure({**DONE, "ROUTE": "home"})
    view(page)
    monkeypatch.setattr(middleware, "sync_to_async", lambda *_, **__: pytest.fail("hopped"))
    assert get().content == b"ok"


def test_a_view_that_is_cancelled_still_sold_what_it_sold(configure, recorder, rf):
    async def ask():
        sold = asyncio.Event()

        async def get_response(request):
            capi_django.track("Lead")
            sold.set()
            await asyncio.Event().wait()

        task = asyncio.ensure_future(CapiMiddleware(get_response)(rf.get("/")))
        await sold.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    configure()
    asyncio.run(ask())
    assert recorder.names == ["Lead"]


def test_a_request_that_is_cancelled_while_a_plugin_works_is_cancelled(configure, recorder, rf):
    working = threading.Event()

    class Asking:
        @hookimpl
        def capi_enrich(self):
            async_to_sync(self.ask)()

        async def ask(self):
            working.set()
            await asyncio.Event().wait()

    async def ask():
        async def get_response(request):
            capi_django.track("Lead")
            return HttpResponse("ok")

        task = asyncio.ensure_future(CapiMiddleware(get_response)(rf.get("/async/do/")))
        assert await asyncio.to_thread(working.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    configure(PLUGINS=[Wire(), Asking()])
    asyncio.run(ask())


def test_a_stream_is_not_touched(configure, recorder, view):
    async def numbers():
        for number in range(3):
            yield str(number).encode()

    async def page(request):
        return StreamingHttpResponse(numbers(), content_type="text/html")

    async def ask():
        answer = await AsyncClient().get("/async/do/")
        return [chunk async for chunk in answer.streaming_content]

    configure(DONE)
    view(page)
    assert asyncio.run(ask()) == [b"0", b"1", b"2"]
    assert recorder.names == ["Contact"]


VISITORS = 24


def mixed(recorder):
    """Events that have the context of somebody else."""
    return [
        (event.event_name, context.query.get("visitor"))
        for event, context in recorder.captured
        if event.event_name.removeprefix("Visit") != context.query.get("visitor")
    ]


def test_interleaved_coroutines_never_mix(configure, recorder, view):
    async def page(request):
        visitor = request.GET["visitor"]
        capi_django.track(f"Visit{visitor}")
        await together[0].wait()
        await sync_to_async(capi_django.track)(f"Visit{visitor}")
        return HttpResponse(visitor)

    async def ask():
        together.append(asyncio.Barrier(VISITORS))
        client = AsyncClient()
        asked = [client.get(f"/async/do/?visitor={number}") for number in range(VISITORS)]
        return await asyncio.gather(*asked)

    together: list[asyncio.Barrier] = []
    configure()
    view(page)
    answers = asyncio.run(ask())
    assert [answer.content.decode() for answer in answers] == [str(n) for n in range(VISITORS)]
    assert len(recorder.events) == 2 * VISITORS
    assert mixed(recorder) == []


def test_interleaved_threads_never_mix(configure, recorder, view):
    together = threading.Barrier(VISITORS)

    def page(request):
        visitor = request.GET["visitor"]
        capi_django.track(f"Visit{visitor}")
        together.wait(20)
        capi_django.track(f"Visit{visitor}")
        return HttpResponse(visitor)

    configure()
    view(page)
    with ThreadPoolExecutor(VISITORS) as pool:
        asked = [pool.submit(Client().get, f"/do/?visitor={n}") for n in range(VISITORS)]
        assert {answer.result().status_code for answer in asked} == {200}
    assert len(recorder.events) == 2 * VISITORS
    assert mixed(recorder) == []
