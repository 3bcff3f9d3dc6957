"""Transactions that the database undoes: deadlocks, serialization failures, lost connections."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import capi_django
import psycopg
import pymysql
import pytest
from bookshop.models import Order
from capi_django.models import WaitingDelivery
from django.db import OperationalError, connections, transaction
from django.http import HttpResponse
from django.test import Client

from capi_plugins import Event
from tests.faults.small_shop import accepted, arrived, until
from tests.faults.test_database_servers import Shop
from tests.on_django import databases
from tests.on_django.database_shop import bare_delivery, relay, take

STRICT = {
    "postgresql": {
        "options": "-c default_transaction_isolation=serializable -c deadlock_timeout=20ms"
    },
    "mariadb": {"charset": "utf8mb4", "isolation_level": "repeatable read"},
}
ORDERS = 8


@pytest.fixture(params=STRICT)
def engine(request):
    return request.param


@pytest.fixture
def shop(engine, settings, sandbox, tmp_path, django_db_blocker):
    """A shop whose transactions see nothing of others."""
    server = databases.made(engine, tmp_path)
    with django_db_blocker.unblock():
        databases.known("strict", {**server, "OPTIONS": STRICT[engine]})
        databases.migrated("strict")
        yield Shop(settings, sandbox.url, "strict")
        databases.forgotten("strict")
    databases.removed(engine, server)


class Stranger:
    """Another program at the database, whose transaction the database spares."""

    def __init__(self, shop, engine):
        name = connections[shop.alias].settings_dict["NAME"]
        if engine == "postgresql":
            self._connection = psycopg.connect(
                f"host=127.0.0.1 user=postgres dbname={name} options='-c deadlock_timeout=60s'"
            )
        else:
            self._connection = pymysql.connect(host="127.0.0.1", user="root", database=name)
            # Whoever has written most is spared.
            self.run("INSERT INTO bookshop_voucher SELECT seq, 0 FROM seq_1_to_100")

    def run(self, statement):
        self._connection.cursor().execute(statement)

    def crosses(self, statement):
        """Run a statement that waits for another transaction, and see it do so."""
        running = threading.Thread(target=self._crossed, args=(statement,))
        running.start()
        return running

    def _crossed(self, statement):
        self.run(statement)
        self._connection.rollback()

    def close(self):
        self._connection.close()


@pytest.fixture
def stranger(shop, engine):
    made = Stranger(shop, engine)
    yield made
    made.close()


def blocked(shop, engine):
    """Whether somebody waits for a lock in this database; other tests have others."""
    with connections[shop.alias].cursor() as cursor:
        if engine == "postgresql":
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
        else:
            # InnoDB looks again only when nobody has asked for a tenth of a second.
            time.sleep(0.11)
            cursor.execute(
                "SELECT count(*) FROM information_schema.innodb_trx JOIN "
                "information_schema.processlist ON id = trx_mysql_thread_id "
                "WHERE trx_state = 'LOCK WAIT' AND db = DATABASE()"
            )
        return cursor.fetchone()[0]


@pytest.mark.fault("B15")
def test_orders_that_are_tried_again_have_one_event(shop, sandbox, view, caplog):
    """Three customers order at once from a shop whose transactions may end in a serialization
    failure (PostgreSQL) or a deadlock (MariaDB), and which tries them again; two senders send.

    Each order that was made has one event, which was sent once. No event waits in memory, and
    nothing of ours is said to have failed to be written.
    """
    stock = [Order.objects.using(shop.alias).create(number=f"stock{n}").pk for n in range(2)]
    together, ordered = threading.Barrier(3), threading.Event()
    failed = []

    def page(request):
        number = request.GET["number"]
        while True:
            with contextlib.suppress(OperationalError), transaction.atomic(using=shop.alias):
                first, second = (
                    Order.objects.using(shop.alias).filter(pk=pk) for pk in random.sample(stock, 2)
                )
                first.update(total=1)
                shop.order(number)
                Order.objects.using(shop.alias).count()
                second.update(total=1)
                return HttpResponse(number)
            failed.append(number)

    def come(name):
        together.wait(20)
        for number in range(ORDERS):
            Client().get(f"/do/?number={name}{number}", headers={"user-agent": "Fox"})
        connections[shop.alias].close()

    def send():
        while not ordered.is_set():
            capi_django.get_client().delivering.drain(None, 20)

    view(page)
    with ThreadPoolExecutor(5) as threads:
        senders = [threads.submit(send) for _ in range(2)]
        for customer in [threads.submit(come, name) for name in "abc"]:
            customer.result(60)
        ordered.set()
        for sender in senders:
            sender.result(60)
    shop.send_all()
    assert failed
    made = {f"Purchase.{name}{number}" for name in "abc" for number in range(ORDERS)}
    assert accepted(sandbox) == sorted(made)
    assert set(arrived(sandbox).values()) == {1}
    assert "cannot be written" not in caplog.text


@pytest.mark.fault("B15", "C16")
def test_what_a_deadlock_undoes_of_a_sender_is_done_again(shop, engine, stranger, caplog):
    """A sender writes down that a batch was accepted, and is the victim of a deadlock.

    It writes it down at once, as if nothing had been.
    """
    outbox = relay(shop.alias)
    outbox.put([bare_delivery(Event(event_name="Lead", event_id=str(each))) for each in range(2)])
    batch = take(outbox)
    first, second = (item.key for item in batch)
    table = WaitingDelivery._meta.db_table
    stranger.run(f"UPDATE {table} SET attempts = 0 WHERE id = {second}")
    settling = threading.Thread(target=outbox.delivered, args=(batch,))
    settling.start()
    until(lambda: blocked(shop, engine))
    crossing = stranger.crosses(f"UPDATE {table} SET attempts = 0 WHERE id = {first}")
    settling.join(30)
    crossing.join(30)
    assert not WaitingDelivery.objects.using(shop.alias).exists()
    assert "cannot be written" not in caplog.text
    outbox.close()


@pytest.mark.fault("B15")
@pytest.mark.parametrize("engine", ["mariadb"], indirect=True)
def test_a_host_whose_transaction_is_gone_is_told(shop, engine, stranger, sandbox):
    """The row of an event is what a deadlock of MariaDB's hits: it undoes all of the transaction.

    The host gets the deadlock as from a statement of its own, and not the impression of an order;
    when it tries again there is one order and one event.
    """
    kept = Order.objects.using(shop.alias).create(number="kept").pk
    stranger.run(f"SELECT * FROM {WaitingDelivery._meta.db_table} WHERE due >= 0 FOR UPDATE")
    told, crossings = [], []

    def order():
        try:
            with transaction.atomic(using=shop.alias):
                Order.objects.using(shop.alias).filter(pk=kept).update(total=1)
                shop.order("1")
        except OperationalError as error:
            told.append(error.args[0])
        finally:
            connections[shop.alias].close()

    ordering = threading.Thread(target=order)
    ordering.start()
    until(lambda: blocked(shop, engine))
    crossings.append(stranger.crosses(f"UPDATE bookshop_order SET total = 2 WHERE id = {kept}"))
    for thread in (ordering, *crossings):
        thread.join(30)
    assert told == [1213]
    assert "1" not in shop.orders()
    order()
    shop.send_all()
    assert accepted(sandbox) == ["Purchase.1"]


@pytest.mark.fault("B13", "B15")
@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_a_host_whose_connection_is_gone_is_told(shop, stranger, sandbox):
    """The server ends the connection of a transaction just before the row of an event is written,
    which is the last that happens in it.

    The host gets the error of the connection; there is no order and no event.
    """
    alias = shop.alias

    def cut(execute, sql, params, many, context):
        if "capi_django_waitingdelivery" in sql:
            stranger.run(f"SELECT pg_terminate_backend({pid})")
        return execute(sql, params, many, context)

    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [pid] = cursor.fetchone()
    with connections[alias].execute_wrapper(cut), pytest.raises(OperationalError):
        shop.order("1")
    assert "1" not in shop.orders()
    shop.send_all()
    assert accepted(sandbox) == []
