"""A thousand orders at once in one event loop, and how long the loop stands still meanwhile.

    python async_orders.py FILE

In each round they come in without the package and with it; then another connection holds the
outbox's file for a while, and looking at one of the orders takes long. Prints the longest time
between two turns of the loop of each, seconds, and what the latter took of the processor.
"""

import asyncio
import gc
import json
import os
import sqlite3
import sys
import threading
import time

os.environ["DJANGO_SETTINGS_MODULE"] = "async_orders"

from bookshop.settings import *  # noqa: F403
from django.urls import path

from capi_plugins import hookimpl

ROOT_URLCONF = "async_orders"
ORDERS = 1000
HELD_FOR = 0.7
SLOW = 0.6
"""Seconds that looking at one of the orders takes."""
ROUNDS = 4
GOOD = 0.05
"""Seconds: no further round is needed to tell the package from a busy machine."""
captured_in = set()


@hookimpl
def capi_enrich(event):
    sys.modules["async_orders"].captured_in.add(threading.get_ident())
    if event.event_id.endswith("-500"):
        time.sleep(SLOW)


async def order(request, number):
    import capi_django
    from django.http import HttpResponse

    await asyncio.sleep(0)
    if not number.startswith("without"):
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


async def orders(application, name):
    """Have orders come in, one with each turn of the loop; return its longest turns."""
    longest, busiest, over = 0.0, 0.0, False

    async def tick():
        nonlocal longest, busiest
        began, used = time.perf_counter(), time.thread_time()
        while not over:
            await asyncio.sleep(0)
            longest = max(longest, time.perf_counter() - began)
            busiest = max(busiest, time.thread_time() - used)
            began, used = time.perf_counter(), time.thread_time()

    ticking = asyncio.create_task(tick())
    visits = []
    for number in range(ORDERS):
        visits.append(asyncio.create_task(visit(application, f"{name}-{number}")))
        await asyncio.sleep(0)
    assert set(await asyncio.gather(*visits)) == {200}
    over = True
    await ticking
    return longest, busiest


def hold(file, held):
    """Keep others from writing to the file for a while."""
    connection = sqlite3.connect(file, isolation_level=None, timeout=30)
    connection.execute("BEGIN EXCLUSIVE")
    held.set()
    time.sleep(HELD_FOR)
    connection.execute("ROLLBACK")
    connection.close()


async def main(without, application, file):
    # So that whatever is loaded or opened with the first request is.
    await visit(without, "without")
    await visit(application, "first")
    # It stops whoever happens to allocate, for as long as the whole program is large.
    gc.disable()
    for number in range(ROUNDS):
        found = [(await orders(without, f"without-{number}"))[0]]
        held = threading.Event()
        holding = threading.Thread(target=hold, args=(file, held))
        holding.start()
        assert held.wait(30)
        found += await orders(application, f"order-{number}")
        holding.join()
        print(json.dumps(found), flush=True)  # noqa: T201
        if found[1] < GOOD:
            break


if __name__ == "__main__":
    from django.conf import settings
    from django.core.asgi import get_asgi_application

    application = get_asgi_application()
    ours = "capi_django.middleware.CapiMiddleware"
    settings.MIDDLEWARE = [each for each in settings.MIDDLEWARE if each != ours]
    without = get_asgi_application()
    asyncio.run(main(without, application, sys.argv[1]))
    import async_orders
    import capi_django

    assert async_orders.captured_in
    assert threading.get_ident() not in async_orders.captured_in
    assert capi_django.flush(60)
