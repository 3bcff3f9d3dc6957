"""Database servers that are restarted, down, or behind a pooler."""

from __future__ import annotations

import contextlib
import threading
import time

import capi_django
import pytest
from bookshop.models import Order
from bookshop.signals import order_placed
from capi_django.models import WaitingDelivery
from django.db import Error, connections, transaction
from django.http import HttpResponse

from capi_plugins.sandbox import Fault
from tests.faults.own_servers import OwnPooler, OwnPostgres
from tests.faults.small_shop import accepted, until
from tests.on_django import databases
from tests.on_django.conftest import BASE
from tests.on_django.database_shop import PURCHASE


class Shop:
    """The bookshop, whose outbox is in a database, and who sends to the sandbox."""

    def __init__(self, settings, url, alias):
        meta = {"DATASET_ID": "1234567890", "ACCESS_TOKEN": "t", "API_URL": url}
        settings.CAPI = {
            **BASE,
            "DESTINATIONS": {"meta": meta},
            "TRIGGERS": [{**PURCHASE, "USER_DATA": {"email": {"VALUE": "ada@example.com"}}}],
            "DELIVERY": {
                "OUTBOX": "database", "DATABASE": alias, "WORKER": "external", "GRACE": 1
            },
        }  # fmt: skip
        self.alias = alias

    def order(self, number):
        with transaction.atomic(using=self.alias):
            order = Order.objects.using(self.alias).create(number=number, total=5)
            order_placed.send(sender=Order, order=order)

    def orders(self):
        return set(Order.objects.using(self.alias).values_list("number", flat=True))

    def waiting(self):
        rows = WaitingDelivery.objects.using(self.alias)
        return set(rows.values_list("event_id", flat=True))

    def send_all(self):
        client = capi_django.get_client()

        def sent():
            client.delivering.drain(None, 20)
            return not WaitingDelivery.objects.using(self.alias).exists()

        until(sent)


@pytest.fixture
def known(django_db_blocker):
    """Returns a function that has Django know a database, tables included."""
    made = []

    def known(alias, settings):
        databases.known(alias, settings)
        made.append(alias)
        databases.migrated(alias)
        return alias

    with django_db_blocker.unblock():
        yield known
        for alias in made:
            databases.forgotten(alias)


@pytest.fixture
def postgres():
    made = OwnPostgres()
    yield made
    made.remove()


@pytest.mark.fault("B13")
def test_an_event_exists_if_its_order_does_though_postgresql_crashes(
    postgres, known, settings, sandbox
):
    """PostgreSQL ends at once and begins anew, three times, while orders are made.

    The events that arrive are those of the orders that exist, whatever the shop was told of its
    commits, once each.
    """
    shop = Shop(settings, sandbox.url, known("crashing", postgres.settings))
    made = threading.Semaphore(0)

    def crash():
        for _ in range(3):
            for _ in range(10):
                made.acquire(timeout=60)
            postgres.crash()

    crashing = threading.Thread(target=crash)
    crashing.start()
    number, failed = 0, 0
    while crashing.is_alive():
        number += 1
        try:
            shop.order(str(number))
            made.release()
        except Error:
            failed += 1
            connections[shop.alias].close()
            time.sleep(0.02)
    crashing.join(60)
    until(lambda: not capi_django.get_client().stats().in_memory)
    shop.send_all()
    orders = shop.orders()
    assert failed
    assert len(orders) >= 20
    assert accepted(sandbox) == sorted(f"Purchase.{number}" for number in orders)


@pytest.mark.fault("B13", "C16")
def test_a_batch_on_its_way_is_sent_once_though_postgresql_crashes_meanwhile(
    postgres, known, settings, sandbox
):
    """PostgreSQL ends at once while a batch is with the other side, is down when the answer comes,
    and begins anew.

    What became of the batch is written down as soon as that can be; nothing is sent again.
    """
    shop = Shop(settings, sandbox.url, known("failing", postgres.settings))
    for number in range(3):
        shop.order(str(number))
    connections[shop.alias].close()
    sandbox.inject(Fault.late_answer(1.5))

    def send():
        with contextlib.suppress(Error):
            capi_django.get_client().delivering.drain(None, 30)
        connections[shop.alias].close()

    sending = threading.Thread(target=send)
    sending.start()
    sandbox.wait_for_requests(1)
    postgres.stop()
    until(lambda: sandbox.requests[0].status == 200 and not sending.is_alive())
    postgres.start()
    connections[shop.alias].close()
    shop.send_all()
    assert accepted(sandbox) == ["Purchase.0", "Purchase.1", "Purchase.2"]
    assert len(sandbox.events) == 3


@pytest.mark.fault("B14")
def test_events_without_a_transaction_wait_while_postgresql_is_down(
    postgres, known, settings, sandbox, caplog
):
    """PostgreSQL is down while events are captured outside of transactions.

    The app gets no error and hardly waits, the health and one error in the log say it, and all
    events are stored and arrive once when it is back.
    """
    shop = Shop(settings, sandbox.url, known("down", postgres.settings))
    capi_django.track("Lead", event_id="before", user_data={"email": "ada@example.com"})
    connections[shop.alias].close()
    postgres.stop()
    waits = []
    for number in range(30):
        began = time.monotonic()
        capi_django.track("Lead", event_id=str(number), user_data={"email": "ada@example.com"})
        waits.append(time.monotonic() - began)
    assert sorted(waits)[15] < 0.05
    assert max(waits) < 1
    client = capi_django.get_client()
    assert client.stats().in_memory == 30
    assert client.stats().problem == "OperationalError"
    assert caplog.text.count("cannot be written") == 1
    postgres.start()
    until(lambda: not client.stats().in_memory)
    shop.send_all()
    assert accepted(sandbox) == sorted(["before", *map(str, range(30))])


@pytest.mark.fault("B16")
@pytest.mark.parametrize("atomic", [False, True])
@pytest.mark.parametrize("kept", [0, 600])
def test_a_pooler_of_transactions_changes_nothing(
    known,
    settings,
    sandbox,
    client,
    view,
    tmp_path,
    atomic,
    kept,
):
    """pgbouncer pools transactions before a database that is not the default one.

    With ATOMIC_REQUESTS and without, with connections that are kept and not: the events of orders
    that were made arrive once, those of an order that was rolled back do not.
    """
    server = databases.made("postgresql", tmp_path)
    pooler = OwnPooler(server)
    try:
        wanted = {
            **server, "PORT": pooler.port, "CONN_MAX_AGE": kept, "ATOMIC_REQUESTS": atomic,
            "DISABLE_SERVER_SIDE_CURSORS": True,
        }  # fmt: skip
        shop = Shop(settings, sandbox.url, known("pooled", wanted))

        def page(request):
            shop.order(request.GET["number"])
            if "fail" in request.GET:
                raise ZeroDivisionError
            return HttpResponse("ok")

        view(page)
        visitor = {"user-agent": "Firefox"}
        for number in range(5):
            assert client.get(f"/do/?number={number}", headers=visitor).status_code == 200
        client.raise_request_exception = False
        assert client.get("/do/?number=9&fail=1", headers=visitor).status_code == 500
        shop.send_all()
        made = shop.orders()
        assert made == {*map(str, range(5)), *([] if atomic else ["9"])}
        assert accepted(sandbox) == sorted(f"Purchase.{number}" for number in made)
    finally:
        connections["pooled"].close()
        pooler.remove()
        databases.removed("postgresql", server)
