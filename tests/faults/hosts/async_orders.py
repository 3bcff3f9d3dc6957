"""A thousand orders at once in one event loop, and in which threads their events were captured."""

import asyncio
import os
import sys
import threading

os.environ["DJANGO_SETTINGS_MODULE"] = "async_orders"

from bookshop.settings import *  # noqa: F403
from django.urls import path

from capi_plugins import hookimpl

ROOT_URLCONF = "async_orders"
captured_in = set()
ORDERS = int(os.environ.get("ORDERS", "1000"))


@hookimpl
def capi_enrich():
    sys.modules["async_orders"].captured_in.add(threading.get_ident())


async def order(request, number):
    import capi_django
    from django.http import HttpResponse

    await asyncio.sleep(0)
    capi_django.track("Purchase", event_id=number, custom_data={"value": 5, "currency": "EUR"})
    return HttpResponse(number)


urlpatterns = [path("order/<str:number>/", order)]


async def visit(application, number):
    """Make one request as a server does."""
    sent = []
    asked = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive():
        if not asked:
            await asyncio.Event().wait()
        return asked.pop()

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "path": f"/order/{number}/", "raw_path": b"", "query_string": b"",
        "headers": [(b"host", b"127.0.0.1"), (b"user-agent", b"Mozilla/5.0 (X11) Firefox/140.0"),
                    (b"cookie", b"_fbp=fb.1.1700000000000.1234567890")],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "root_path": "",
    }  # fmt: skip
    await application(scope, receive, send)
    return sent[0]["status"]


async def main(application):
    answers = await asyncio.gather(*(visit(application, f"o{n}") for n in range(ORDERS)))
    assert set(answers) == {200}


if __name__ == "__main__":
    from django.core.asgi import get_asgi_application

    application = get_asgi_application()
    asyncio.run(main(application))
    import async_orders
    import capi_django

    assert async_orders.captured_in
    assert threading.get_ident() not in async_orders.captured_in
    assert capi_django.flush(60)
