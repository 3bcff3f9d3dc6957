"""Connections to the host's database that the server ends, and statements that it does."""

from __future__ import annotations

import threading

import capi_django
import pytest
from bookshop.models import Order
from bookshop.signals import order_placed
from django.db import Error, connections, transaction
from django.http import HttpResponse

from tests.faults.small_shop import accepted
from tests.faults.test_database_servers import Shop, known  # noqa: F401 - a fixture
from tests.on_django import databases
from tests.on_django.database_shop import rolled_back

VISITOR = {"user-agent": "Firefox"}
WHO = {"postgresql": "SELECT pg_backend_pid()", "mariadb": "SELECT CONNECTION_ID()"}
END = {"postgresql": "SELECT pg_terminate_backend({})", "mariadb": "KILL {}"}


@pytest.fixture(params=WHO)
def shop(request, known, settings, sandbox, tmp_path):  # noqa: F811
    server = databases.made(request.param, tmp_path)
    try:
        shop = Shop(settings, sandbox.url, known("cut", {**server, "CONN_MAX_AGE": 600}))
        shop.vendor = request.param
        yield shop
    finally:
        connections["cut"].close()
        databases.removed(request.param, server)


def cut(shop):
    """End the connection of this thread, as a server does that finds it idle for too long."""
    with connections[shop.alias].cursor() as cursor:
        cursor.execute(WHO[shop.vendor])
        (pid,) = cursor.fetchone()

    def end():
        with connections[shop.alias].cursor() as cursor:
            cursor.execute(END[shop.vendor].format(pid))
        connections[shop.alias].close()

    thread = threading.Thread(target=end)
    thread.start()
    thread.join(30)


@pytest.mark.fault("B14")
def test_an_event_is_stored_though_the_server_has_ended_an_idle_connection(
    shop, sandbox, client, view
):
    """PostgreSQL or MariaDB has ended the connection that a worker has kept, and a request without
    a query of its own captures an event.

    The event is stored by the end of the request, over a new connection, and arrives once.
    """

    def page(request):
        capi_django.track("Lead", event_id="idle", user_data={"email": "ada@example.com"})
        return HttpResponse("ok")

    view(page)
    shop.order("first")
    cut(shop)
    assert client.get("/do/", headers=VISITOR).status_code == 200
    assert capi_django.get_client().stats().in_memory == 0
    assert shop.waiting() == {"Purchase.first", "idle"}
    shop.send_all()
    assert accepted(sandbox) == ["Purchase.first", "idle"]


@pytest.mark.fault("B13", "B15")
def test_a_transaction_that_the_server_ends_takes_its_event_along(shop, sandbox, client, view):
    """The server ends the connection in the middle of a transaction with an order, as it does with
    those that are idle for too long, and the host tries again.

    The order that exists has its event, once; the one that was lost has none, and the error is the
    host's own.
    """

    def page(request):
        with transaction.atomic(using=shop.alias):
            order = Order.objects.using(shop.alias).create(number=request.GET["number"], total=5)
            order_placed.send(sender=Order, order=order)
            if "cut" in request.GET:
                cut(shop)
            Order.objects.using(shop.alias).count()
        return HttpResponse("ok")

    view(page)
    with pytest.raises(Error):
        client.get("/do/?number=1&cut=1", headers=VISITOR)
    connections[shop.alias].close()
    assert shop.waiting() == set()
    assert client.get("/do/?number=1", headers=VISITOR).status_code == 200
    shop.send_all()
    assert accepted(sandbox) == ["Purchase.1"]


@pytest.mark.fault("B15")
def test_a_statement_of_ours_that_fails_leaves_the_transaction_as_it_is(shop, sandbox):
    """Another connection has locked the outbox's table, so that an insert there ends at the time
    limit of the database, in the middle of two transactions of the host's.

    One commits with its order, and the event arrives all the same. The other is rolled back, and
    has no event.
    """
    table = "capi_django_waitingdelivery"
    locked, done = threading.Event(), threading.Event()

    def lock():
        with connections[shop.alias].cursor() as cursor:
            if shop.vendor == "postgresql":
                cursor.execute("BEGIN")
                cursor.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            else:
                cursor.execute(f"LOCK TABLES {table} WRITE")
            locked.set()
            done.wait(30)
            cursor.execute("ROLLBACK" if shop.vendor == "postgresql" else "UNLOCK TABLES")
        connections[shop.alias].close()

    shop.order("before")
    limit = {
        "postgresql": "SET lock_timeout = '50ms'", "mariadb": "SET lock_wait_timeout = 1"
    }[shop.vendor]  # fmt: skip
    with connections[shop.alias].cursor() as cursor:
        cursor.execute(limit)
    thread = threading.Thread(target=lock)
    thread.start()
    assert locked.wait(30)
    try:
        shop.order("meanwhile")
        with rolled_back(shop.alias):
            shop.order("undone")
    finally:
        done.set()
        thread.join(30)
    assert shop.orders() == {"before", "meanwhile"}
    shop.send_all()
    assert set(accepted(sandbox)) == {"Purchase.before", "Purchase.meanwhile"}
