"""Whose an order is that is paid in a webhook, by staff, by a task, in a command."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time

import psycopg
import pytest
from bookshop.models import Order
from capi_django.context_store import DatabaseContextStore, identify
from capi_django.models import ShopperContext as Entry
from django.contrib.auth.models import User
from django.db import connections, transaction
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.functional import SimpleLazyObject

from capi_plugins.sandbox import Sandbox
from tests.on_django import databases, test_servers
from tests.on_django.conftest import PROJECT
from tests.outbox import test_context_stores as suite
from tests.waiting import until

PAID = {
    "ON": "model",
    "MODEL": "bookshop.Order",
    "CHANGED": {"paid": True},
    "EVENT": "Purchase",
    "EVENT_ID": "instance.number",
    "USER_DATA": {"email": "instance.email"},
    "CUSTOM_DATA": {"value": "instance.total", "currency": {"VALUE": "EUR"}},
}
CONSENT = {"DEFAULT": "denied", "SOURCES": [{"COOKIE": "ads"}]}
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"
AGREES = "_fbp=fb.1.1700000000000.77; _fbc=fb.1.1700000000000.IwAR77; ads=yes"
REFUSES = "_fbp=fb.1.1700000000000.78; ads=no"
WEBHOOK = {"User-Agent": "PaymentProvider/1.0", "X-Forwarded-For": "198.51.100.99", "Cookie": ""}

# ------------------------------------------------------------------ the store

for name, test in vars(suite).items():
    if name.startswith("test_") and "store" in test.__code__.co_varnames[:1]:
        globals()[name] = test


@pytest.fixture
def store(tables):
    return DatabaseContextStore(tables.alias)


def test_a_store_without_a_table_breaks_no_transaction(tables):
    store = DatabaseContextStore(tables.alias)
    with (
        databases.without_table(tables.alias, Entry) as table,
        transaction.atomic(using=tables.alias),
    ):
        with pytest.raises(Exception, match=table):
            store.find(["a"])
        with pytest.raises(Exception, match=table):
            store.keep(suite.FULL, replace={"a"}, add={"b"}, oldest=0)
        Order.objects.using(tables.alias).create(number="1")
    assert Order.objects.using(tables.alias).count() == 1


# ------------------------------------------------------------------ rows


@pytest.mark.django_db
def test_a_row_is_told_by_its_model_its_key_and_its_user():
    ada = User.objects.create(username="ada")
    order = Order.objects.create(user=ada)
    found = identify(order)
    assert (found.model, found.key, found.user()) == ("bookshop.order", order.pk, ada)
    assert identify(ada).user() == ada
    assert identify(Order()).key is None
    assert identify("text") is None


def test_a_lazy_object_is_left_alone():
    assert identify(SimpleLazyObject(lambda: pytest.fail("evaluated"))) is None


# ------------------------------------------------------------------ in a process


@pytest.fixture
def shop(configure, view, tables, monkeypatch):
    """A shop with its outbox in a database, in which requests are made and paid."""
    delivery = {"OUTBOX": "database", "DATABASE": tables.alias, "WORKER": "external"}
    configure(PAID, DELIVERY=delivery, CONSENT=CONSENT)

    def ask(function, cookies="", **headers):
        view(lambda request: (function(), HttpResponse("ok"))[1])
        client = Client(headers={"user-agent": BROWSER, **headers})
        for pair in filter(None, cookies.split("; ")):
            client.cookies.load(pair)
        assert client.post("/do/").status_code == 200

    ask.make = lambda number: Order.objects.using(tables.alias).create(number=number)
    ask.alias = tables.alias

    def pay(number):
        order = Order.objects.using(tables.alias).get(number=number)
        order.paid = True
        order.save()

    ask.pay = pay
    return ask


def sent(alias):
    from capi_django.models import WaitingDelivery

    return [json.loads(bytes(row.payload)) for row in WaitingDelivery.objects.using(alias).all()]


def test_what_is_held_in_a_transaction_is_the_shoppers_too(shop):
    shop(lambda: shop.make("A1"), AGREES)
    shop(lambda: shop.make("A2"), REFUSES)
    held = []

    def pays():
        with transaction.atomic(using=shop.alias):
            shop.pay("A1")
            shop.pay("A2")
            held.extend(sent(shop.alias))

    shop(pays, **{"user-agent": "Stripe/1.0"})
    assert [item["event_id"] for item in held] == ["Purchase.A1"]
    assert [item["event_id"] for item in sent(shop.alias)] == ["Purchase.A1"]
    assert held[0]["user_data"]["fbc"] == "fb.1.1700000000000.IwAR77"


def test_a_request_without_use_for_it_costs_no_query(shop):
    with CaptureQueriesContext(connections[shop.alias]) as queries:
        shop(lambda: None, AGREES)
    assert len(queries) == 0


def test_a_row_of_a_rolled_back_transaction_leaves_nothing_to_the_next_one(shop):
    def fails():
        with contextlib.suppress(ZeroDivisionError), transaction.atomic(using=shop.alias):
            shop.make("A1")
            raise ZeroDivisionError

    shop(fails, REFUSES)
    shop(lambda: (shop.make("A1"), shop.pay("A1")), AGREES)
    assert [item["event_id"] for item in sent(shop.alias)] == ["Purchase.A1"]


@pytest.mark.parametrize("method", ["keep", "find"])
def test_a_store_that_raises_changes_no_answer(shop, monkeypatch, method):
    shop(lambda: shop.make("A1"), AGREES)

    def broken(*_, **__):
        raise RuntimeError("the store broke")

    monkeypatch.setattr(DatabaseContextStore, method, broken)
    shop(lambda: shop.make("A2"), AGREES)
    shop(lambda: shop.pay("A1"), AGREES)
    assert [item["event_id"] for item in sent(shop.alias)] == ["Purchase.A1"]


# ------------------------------------------------------------------ real servers


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The shop on PostgreSQL, its outbox in there too, behind two processes; and the sandbox."""
    folder = tmp_path_factory.mktemp("shop")
    database = databases.made("postgresql", folder)
    with Sandbox() as sandbox:
        capi = {
            **json.loads(test_servers.settings_for(sandbox)),
            "CONSENT": CONSENT,
            "TRIGGERS": [PAID],
            "PAGE_VIEW": False,
            "DELIVERY": {"OUTBOX": "database"},
        }
        environ = test_servers.environment(
            folder,
            BOOKSHOP_CAPI=json.dumps(capi),
            BOOKSHOP_DATABASES=json.dumps({"default": database}),
            BOOKSHOP_BROKER=str(folder),
        )
        manage(environ, "migrate", "-v0")
        with test_servers.serving("gunicorn gthread", environ) as port:
            yield port, sandbox, environ
    databases.removed("postgresql", database)


def manage(environ, *arguments):
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(
        command, cwd=PROJECT, env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def by_webhook(port, environ, numbers):
    for number in numbers * 3:
        assert test_servers.ask(port, "POST", f"/orders/pay/{number}/", WEBHOOK)[0] == 200


def by_staff(port, environ, numbers):
    code = (
        "from django.contrib.auth.models import User\n"
        "from importlib import import_module\n"
        "from django.conf import settings\n"
        "user = User.objects.create(username='staff', is_staff=True, password='x')\n"
        "session = import_module(settings.SESSION_ENGINE).SessionStore()\n"
        "session.update({'_auth_user_id': str(user.pk), '_auth_user_hash': "
        "user.get_session_auth_hash(), "
        "'_auth_user_backend': 'django.contrib.auth.backends.ModelBackend'})\n"
        "session.create()\n"
        "print('key', session.session_key)\n"
    )
    key = manage(environ, "shell", "-c", code).split("key ")[1].strip()
    cookie = f"sessionid={key}; _fbp=fb.1.1.999; ads=yes"
    staff = {"Cookie": cookie, "X-Forwarded-For": "198.51.100.10", "User-Agent": BROWSER}
    for number in numbers:
        assert test_servers.ask(port, "POST", f"/orders/pay/{number}/", staff)[0] == 200


def by_command(port, environ, numbers):
    code = (
        "from bookshop.models import Order\n"
        f"for order in Order.objects.filter(number__in={numbers}):\n"
        "    order.paid = True\n"
        "    order.save()\n"
    )
    manage(environ, "shell", "-c", code)
    # A command ends before its worker sends; what it stored is anybody's.
    manage(environ, "capi", "deliver", "--once")


def by_task(port, environ, numbers):
    celery = pytest.importorskip("celery")
    folder = environ["BOOKSHOP_BROKER"]
    app = celery.Celery("bookshop", broker="filesystem://")
    app.conf.broker_transport_options = dict.fromkeys(
        ("data_folder_in", "data_folder_out", "control_folder"), folder
    )
    for number in numbers:
        app.send_task("bookshop.tasks.pay", [number])
    app.close()
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "bookshop.tasks", "worker", "-P", "solo"],
        cwd=PROJECT,
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    database = json.loads(environ["BOOKSHOP_DATABASES"])["default"]
    where = f"host=127.0.0.1 user=postgres dbname={database['NAME']}"
    query = "SELECT count(*) FROM bookshop_order WHERE paid AND number LIKE 'task-%'"
    try:
        deadline = time.monotonic() + 60
        with psycopg.connect(where, autocommit=True) as connection:
            while connection.execute(query).fetchone() != (len(numbers),):
                assert worker.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
    finally:
        worker.terminate()
        worker.wait(30)


WAYS = {"webhook": by_webhook, "staff": by_staff, "command": by_command, "task": by_task}


@pytest.mark.parametrize("way", WAYS)
def test_over_http_the_purchase_is_the_shoppers_and_never_a_refusers(served, way):
    port, sandbox, environ = served
    agreed, refused = f"{way}-1", f"{way}-2"
    for number, cookie in ((agreed, AGREES), (refused, REFUSES)):
        headers = {"Cookie": cookie, "X-Forwarded-For": "203.0.113.9", "User-Agent": BROWSER}
        email = f"{number}@example.com"
        status, *_ = test_servers.ask(
            port, "POST", "/orders/place/", headers, number=number, email=email
        )
        assert status == 302
    # The refuser's first: what comes of it would be there by the time the other one is.
    WAYS[way](port, environ, [refused, agreed])
    (purchase,) = until(lambda: of(sandbox, agreed), 30)
    assert of(sandbox, refused) == []
    assert purchase["action_source"] == "website"
    assert purchase["event_source_url"] == "http://shop.example/orders/place/"
    user_data = purchase["user_data"]
    assert user_data["fbp"] == "fb.1.1700000000000.77"
    assert user_data["fbc"] == "fb.1.1700000000000.IwAR77"
    assert user_data["client_ip_address"] == "203.0.113.9"
    assert user_data["client_user_agent"] == BROWSER
    assert sandbox.refused == []


def of(sandbox, number):
    return [
        event.payload
        for event in sandbox.accepted("Purchase")
        if event.payload["event_id"] == f"Purchase.{number}"
    ]
