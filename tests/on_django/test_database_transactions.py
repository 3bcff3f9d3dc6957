"""Committed and queued are the same thing, in three databases."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal as posix_signal
import subprocess
import sys
import threading
import time

import capi_django
import pytest
from bookshop.models import Line, Order
from bookshop.signals import order_placed
from capi_django.models import SeenEvent, WaitingDelivery
from capi_django.outbox import DatabaseOutbox
from capi_django.outbox_rows import Rows
from django.db import OperationalError, connections, transaction
from django.http import HttpResponse

from capi_plugins import Consent, Event, hookimpl, signals
from capi_plugins.outbox.base import Delivery
from tests.on_django import databases
from tests.on_django.conftest import BASE, PROJECT, Wire

VISITOR = {"external_id": "42"}
PURCHASE = {
    "ON": "signal",
    "SIGNAL": "bookshop.signals.order_placed",
    "EVENT": "Purchase",
    "EVENT_ID": "order.number",
    "USER_DATA": {"external_id": {"VALUE": "42"}},
    "CUSTOM_DATA": {
        "value": "order.total",
        "currency": {"VALUE": "EUR"},
        "contents": {"EACH": "order.lines.all", "id": "item.sku"},
    },
}
PAID = {
    "ON": "model",
    "MODEL": "bookshop.Order",
    "CHANGED": {"paid": True},
    "EVENT": "Lead",
    "USER_DATA": {"external_id": {"VALUE": "42"}},
}


class Shop:
    """A shop whose outbox is in a database; nobody sends until a test does."""

    def __init__(self, tables, configure):
        self.alias = tables.alias
        self.settings = tables.settings
        self._configure = configure
        self.configure(PURCHASE)

    def configure(self, *triggers, plugins=(), **delivery):
        delivery = {"OUTBOX": "database", "DATABASE": self.alias, "WORKER": "external", **delivery}
        self._configure(*triggers, PLUGINS=[Wire(), *plugins], DELIVERY=delivery)

    def order(self, number="1", **fields):
        order = Order.objects.using(self.alias).create(number=number, **fields)
        order_placed.send(sender=Order, order=order)
        return order

    @property
    def rows(self):
        return list(WaitingDelivery.objects.using(self.alias).order_by("id"))

    @property
    def payloads(self):
        return [json.loads(bytes(row.payload)) for row in self.rows]

    @property
    def ids(self):
        return [row.event_id for row in self.rows]

    @property
    def due(self):
        return [row.due == 0 for row in self.rows]


@pytest.fixture
def shop(tables, configure):
    return Shop(tables, configure)


@pytest.fixture
def atomic_requests(tables, monkeypatch):
    monkeypatch.setitem(connections[tables.alias].settings_dict, "ATOMIC_REQUESTS", True)


@contextlib.contextmanager
def rolled_back(using):
    with contextlib.suppress(ZeroDivisionError), transaction.atomic(using=using):
        yield
        raise ZeroDivisionError


def relay(alias, **options):
    return DatabaseOutbox(alias, **options)


def take(outbox, *, after=0.0, limit=1000):
    return outbox.take("meta", limit=limit, max_bytes=10_000_000, now=time.time() + after)


def bare_delivery(event):
    return Delivery(
        destination="meta", event_name=event.event_name, event_id=event.event_id, payload=b"{}"
    )


# ------------------------------------------------------------------ commit and rollback


def test_a_row_is_written_in_the_transaction_and_completed_at_the_end(client, shop, view):
    seen = {}

    def page(request):
        with transaction.atomic(using=shop.alias):
            order = shop.order(total=5)
            seen["inside"] = shop.payloads
        Line.objects.using(shop.alias).create(order=order, sku="book")
        seen["committed"], seen["due"] = shop.payloads, shop.rows[0].due - time.time()
        return HttpResponse("ok")

    view(page)
    assert client.get("/do/", headers={"user-agent": "Firefox"}).status_code == 200
    (early,) = seen["committed"]
    assert seen["inside"] == [early]
    assert early["custom_data"] == {"value": 5.0, "currency": "EUR"}
    assert early["user_data"]["client_user_agent"] == "Firefox"
    assert 50 < seen["due"] <= 60
    (final,) = shop.payloads
    assert final["custom_data"]["contents"] == [{"id": "book"}]
    assert final["event_id"] == early["event_id"] == "Purchase.1"
    assert shop.due == [True]
    assert [row.admitted for row in shop.rows] == [True]


def test_both_versions_of_an_event_have_the_same_random_id(client, shop, view):
    early = []

    def page(request):
        with transaction.atomic(using=shop.alias):
            shop.order(paid=True)
            capi_django.track("Contact", user_data=VISITOR)
        early.extend(shop.ids)
        return HttpResponse("ok")

    shop.configure(PAID)
    view(page)
    client.get("/do/")
    assert len(set(early)) == 2
    assert shop.ids == early
    assert shop.due == [True, True]


def test_outside_of_a_request_it_is_completed_after_the_commit(shop):
    with transaction.atomic(using=shop.alias):
        shop.order()
        assert shop.due == [False]
    assert shop.due == [True]


@pytest.mark.parametrize("fails", [False, True])
def test_atomic_requests(client, shop, view, atomic_requests, fails):
    def page(request):
        shop.order()
        capi_django.track("Contact", user_data=VISITOR)
        if fails:
            raise RuntimeError("the payment broke")
        return HttpResponse("ok")

    view(page)
    client.raise_request_exception = False
    client.get("/do/")
    assert len(shop.rows) == (0 if fails else 2)
    assert all(shop.due)


def test_without_a_transaction_it_is_queued_at_the_end(client, shop, view):
    def page(request):
        shop.order()
        assert shop.rows == []
        return HttpResponse("ok")

    view(page)
    client.get("/do/")
    assert shop.ids == ["Purchase.1"]


def test_a_transaction_of_another_database_does_not_decide(shop, engines):
    other = (
        engines("sqlite") if not shop.alias.startswith("outbox_sqlite") else engines("postgresql")
    )
    other.empty()
    with rolled_back(other.alias):
        capi_django.track("Contact", user_data=VISITOR)
        order = Order.objects.using(other.alias).create(number="2")
        order_placed.send(sender=Order, order=order)
        assert len(shop.rows) == 1
    assert [row.event_name for row in shop.rows] == ["Contact"]


def test_an_event_is_queued_once_within_48_hours(shop, recorder):
    for _ in range(2):
        with transaction.atomic(using=shop.alias):
            shop.order("7")
    assert shop.ids == ["Purchase.7"]
    assert recorder.dropped == ["duplicate: this event_id was queued within the last 48 hours"]


def test_a_duplicate_that_a_dead_process_left_is_found_when_it_is_taken(shop):
    with transaction.atomic(using=shop.alias):
        shop.order("7")
    WaitingDelivery.objects.using(shop.alias).update(admitted=False, owner="dead", due=1)
    WaitingDelivery.objects.using(shop.alias).create(
        destination="meta", event_name="Purchase", event_id="Purchase.7", payload=b"{}", put_at=1
    )
    SeenEvent.objects.using(shop.alias).all().delete()
    assert [item.event_id for item in take(relay(shop.alias))] == ["Purchase.7"]
    assert len(shop.rows) == 1


# ------------------------------------------------------------------ consent and conditions


class Decides:
    """A consent plugin whose answer a test changes."""

    answer = Consent.GRANTED

    @hookimpl
    def capi_consent(self):
        return self.answer


@pytest.mark.parametrize(
    ("first", "last", "rows"),
    [
        (Consent.GRANTED, Consent.DENIED, 0),
        (Consent.DENIED, Consent.GRANTED, 1),
        (Consent.DENIED, Consent.DENIED, 0),
    ],
)
def test_consent_is_asked_at_both_moments(client, shop, view, first, last, rows):
    decides = Decides()

    def page(request):
        decides.answer = first
        with transaction.atomic(using=shop.alias):
            shop.order()
        assert len(shop.rows) == (first is Consent.GRANTED)
        decides.answer = last
        return HttpResponse("ok")

    shop.configure(PURCHASE, plugins=[decides])
    view(page)
    client.get("/do/")
    assert len(shop.rows) == rows
    assert all(shop.due)


def test_what_does_not_hold_in_the_end_is_withdrawn(client, shop, view):
    def page(request):
        with transaction.atomic(using=shop.alias):
            order = shop.order(status="new")
        order.status = "cancelled"
        return HttpResponse("ok")

    shop.configure({**PURCHASE, "WHEN": {"order.status": "new"}})
    view(page)
    client.get("/do/")
    assert shop.rows == []
    shop.order(status="new")
    assert shop.ids == ["Purchase.1"]


def test_reading_early_leaves_the_instance_as_it_is(client, shop, view):
    def page(request):
        with transaction.atomic(using=shop.alias):
            order = shop.order()
            assert "user" not in order._state.fields_cache
        return HttpResponse("ok")

    shop.configure({**PURCHASE, "USER_DATA": {"external_id": ["order.user.email", "order.number"]}})
    view(page)
    assert client.get("/do/").status_code == 200
    assert shop.ids == ["Purchase.1"]


# ------------------------------------------------------------------ faults


class Breaks:
    """A plugin whose query fails in the database."""

    def __init__(self, alias):
        self.alias = alias

    @hookimpl
    def capi_enrich(self, event):
        with connections[self.alias].cursor() as cursor:
            cursor.execute("SELECT nothing FROM nowhere")


def test_a_query_of_a_plugin_that_fails_does_not_poison_the_transaction(shop, caplog):
    shop.configure(PURCHASE, plugins=[Breaks(shop.alias)])
    with transaction.atomic(using=shop.alias):
        shop.order()
        Order.objects.using(shop.alias).create(number="after")
    assert Order.objects.using(shop.alias).count() == 2
    assert shop.ids == ["Purchase.1"]


def test_a_row_that_cannot_be_written_does_not_poison_the_transaction(shop, monkeypatch):
    def broken(*_, **__):
        with connections[shop.alias].cursor() as cursor:
            cursor.execute("INSERT INTO nowhere VALUES (1)")

    with transaction.atomic(using=shop.alias):
        with monkeypatch.context() as patch:
            patch.setattr("capi_django.outbox_rows.Rows.insert", broken)
            shop.order()
        Order.objects.using(shop.alias).create(number="after")
    assert Order.objects.using(shop.alias).count() == 2
    assert shop.ids == ["Purchase.1"]


def test_a_refusal_that_could_not_be_written_down_is_made_up_for(shop, monkeypatch):
    outbox = relay(shop.alias)
    delivery = bare_delivery(Event(event_name="Lead", event_id="1"))
    with transaction.atomic(using=shop.alias):
        held = outbox.hold(lambda: [delivery], due=time.time())
    with monkeypatch.context() as patch:
        patch.setattr("capi_django.outbox_rows.Rows.remove", lambda *_: 1 / 0)
        outbox.complete([], held)
    assert len(shop.rows) == 1
    assert take(outbox, after=60) == []
    assert shop.rows == []
    outbox.close()


def test_without_the_tables_events_are_kept_in_memory_and_it_is_said_once(
    engine, tmp_path, configure, django_db_blocker, caplog
):
    with django_db_blocker.unblock():
        settings = databases.made(engine, tmp_path)
        databases.known("bare", settings)
        try:
            outbox = relay("bare")
            with caplog.at_level(logging.ERROR, "capi_plugins"):
                for number in range(5):
                    processed = Event(event_name="Lead", event_id=str(number))
                    outbox.put([bare_delivery(processed)])
                    with transaction.atomic(using="bare"):
                        assert not outbox.joins("bare")
            assert outbox.stats().in_memory == 5
            assert outbox.stats().problem == (
                "its tables are missing, run 'manage.py migrate capi_django'"
            )
            assert caplog.text.count("migrate capi_django") == 1
            assert not outbox.durable
            batch = take(outbox)
            assert len(batch) == 5
            outbox.retry(batch, at=time.time(), attempt=False)
            databases.migrated("bare")
            deadline = time.monotonic() + 20
            while outbox.stats().in_memory:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            assert WaitingDelivery.objects.using("bare").count() == 5
            assert outbox.durable
            outbox.close()
        finally:
            databases.forgotten("bare")
            databases.removed(engine, settings)


# ------------------------------------------------------------------ relays


def test_what_a_slow_request_completes_too_late_is_a_duplicate(shop, recorder):
    with transaction.atomic(using=shop.alias):
        with transaction.atomic(using=shop.alias):
            shop.order(total=5)
        # The relay of another process, after the grace period.
        transaction.on_commit(lambda: relayed.extend(sent(shop.alias)), using=shop.alias)
        relayed = []
        connections[shop.alias].run_on_commit.reverse()
    assert [item.event_id for item in relayed] == ["Purchase.1"]
    assert shop.rows == []
    assert recorder.dropped == ["duplicate: this event_id was queued within the last 48 hours"]


def test_what_is_taken_just_before_it_is_completed_is_sent_and_not_lost(shop):
    outbox, other = relay(shop.alias), Rows(shop.alias)
    final = bare_delivery(Event(event_name="Lead", event_id="1"))
    with transaction.atomic(using=shop.alias):
        (held,) = outbox.hold(lambda: [final], due=1)
    taken = other.claim("meta", limit=9, max_bytes=9_999, now=time.time(), owner="other")
    assert list(outbox.complete([held], ()).duplicates) == [held]
    assert len(other.admit_claimed(taken, "other", time.time())) == 1
    outbox.close()


def sent(alias):
    outbox = relay(alias)
    batch = take(outbox, after=61)
    outbox.delivered(batch)
    outbox.close()
    return batch


def test_another_relay_takes_over_when_a_lease_is_over_and_not_before(shop):
    shop.order()
    dead, alive = relay(shop.alias), relay(shop.alias)
    batch = take(dead)
    assert len(batch) == 1
    assert take(alive) == []
    due = alive.next_due("meta")
    assert 50 < due - time.time() < 62
    assert dead.next_due("meta") is None
    WaitingDelivery.objects.using(shop.alias).update(leased_until=1)
    assert [item.event_id for item in take(alive)] == ["Purchase.1"]
    # Whoever lost the lease settles nothing.
    dead.delivered(batch)
    dead.retry(batch, at=0, attempt=True)
    dead.dead(batch, reason="x")
    assert len(shop.rows) == 1
    assert shop.rows[0].attempts == 0
    dead.close()
    alive.close()


def test_leases_are_prolonged_while_a_batch_is_on_its_way(shop):
    shop.order()
    outbox = relay(shop.alias, lease=0.3)
    batch = take(outbox)
    first = shop.rows[0].leased_until
    deadline = time.monotonic() + 20
    while shop.rows[0].leased_until == first:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    outbox.delivered(batch)
    assert shop.rows == []
    outbox.close()


@pytest.mark.parametrize("settle", ["delivered", "retry", "dead"])
def test_what_became_of_a_delivery_is_written_down_when_the_database_is_back(shop, settle, caplog):
    more = {"retry": {"at": 9e9, "attempt": True}, "dead": {"reason": "no\0"}, "delivered": {}}
    shop.order()
    outbox, other = relay(shop.alias), relay(shop.alias)
    batch = take(outbox)
    with connections[shop.alias].execute_wrapper(fails):
        getattr(outbox, settle)(batch, **more[settle])
        outbox.delivered(batch)  # a second answer changes nothing
        assert "cannot be written down yet" in caplog.text
    assert take(other) == take(outbox) == []
    rows = {"delivered": (0, 0), "retry": (1, 0), "dead": (0, 1)}
    assert (outbox.stats().waiting, outbox.stats().dead) == rows[settle]
    outbox.close()
    other.close()


def test_the_lease_of_what_cannot_be_written_down_is_prolonged(shop, monkeypatch):
    shop.order()
    outbox = relay(shop.alias, lease=0.6)
    back = threading.Event()
    remove = Rows.remove
    monkeypatch.setattr(Rows, "remove", lambda *given: remove(*given) if back.is_set() else fails())
    outbox.delivered(take(outbox))
    first = shop.rows[0].leased_until
    deadline = time.monotonic() + 20
    while shop.rows[0].leased_until == first:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    back.set()
    while shop.rows:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    outbox.close()


def test_what_was_claimed_and_not_compared_is_taken_when_its_lease_is_over(shop, monkeypatch):
    with transaction.atomic(using=shop.alias):
        relay(shop.alias).put([bare_delivery(Event(event_name="Lead", event_id="1"))])
    outbox = relay(shop.alias, lease=0.3)
    with monkeypatch.context() as patched:
        patched.setattr(Rows, "admit_claimed", fails)
        with pytest.raises(OperationalError):
            take(outbox)
    deadline = time.monotonic() + 20
    while not (batch := take(outbox)):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert [item.event_id for item in batch] == ["1"]
    outbox.close()


def fails(*_args, **_kwargs):
    raise OperationalError("server closed the connection")


def test_what_was_taken_is_given_back_when_the_process_ends(shop):
    shop.order()
    leaving, staying = relay(shop.alias), relay(shop.alias)
    take(leaving)
    leaving.close()
    assert len(take(staying)) == 1
    staying.close()


def test_what_a_transaction_was_given_is_polled_for_until_it_shows(shop):
    outbox = relay(shop.alias)
    with transaction.atomic(using=shop.alias):
        outbox.put([bare_delivery(Event(event_name="Lead", event_id="1"))])
    WaitingDelivery.objects.using(shop.alias).update(destination="elsewhere")
    assert 0 < outbox.next_due("meta") - time.time() <= 1
    outbox.close()


def test_the_thread_of_a_web_process_sends_right_after_the_commit(client, shop, view):
    gone = threading.Event()

    def page(request):
        with transaction.atomic(using=shop.alias):
            shop.order()
        return HttpResponse("ok")

    def heard(sender, *, deliveries, outcome):
        assert [item.event_id for item in deliveries] == ["Purchase.1"]
        gone.set()

    shop.configure(PURCHASE, WORKER="thread")
    view(page)
    with signals.delivered.connected_to(heard):
        client.get("/do/")
        assert gone.wait(20)
    assert capi_django.flush(20)
    assert shop.rows == []


# ------------------------------------------------------------------ processes that die


def environ(shop, ledger, *, worker="external"):
    capi = {
        **BASE,
        "PLUGINS": ["ledger"],
        "TRIGGERS": [PURCHASE],
        "DELIVERY": {"OUTBOX": "database", "WORKER": worker, "GRACE": 1},
    }
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "bookshop.settings",
        "PYTHONPATH": str(PROJECT),
        "BOOKSHOP_DATABASES": json.dumps({"default": shop.settings}),
        "BOOKSHOP_CAPI": json.dumps(capi),
        "LEDGER": str(ledger),
    }


def run(shop, ledger, *arguments):
    command = [sys.executable, str(PROJECT / "chaos.py"), *map(str, arguments)]
    return subprocess.Popen(command, env=environ(shop, ledger))


def test_a_process_killed_between_commit_and_end_of_request_loses_nothing(shop, tmp_path):
    ledger = tmp_path / "ledger"
    ledger.touch()
    victim = run(shop, ledger, "dies-after-commit")
    assert victim.wait(60) == -posix_signal.SIGKILL
    assert shop.due == [False]
    (early,) = shop.payloads
    rescuer = run(shop, ledger, "relay", 1)
    assert rescuer.wait(60) == 0
    assert ledger.read_text().split() == [early["event_id"]]
    assert early["custom_data"]["value"] == 5.0
