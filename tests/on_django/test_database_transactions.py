"""Committed and queued are the same thing, in three databases."""

from __future__ import annotations

import logging
import time

import capi_django
import pytest
from bookshop.models import Line, Order
from bookshop.signals import order_placed
from capi_django.models import SeenEvent, WaitingDelivery
from django.db import connections, transaction
from django.http import HttpResponse

from capi_plugins import Consent, Event, hookimpl
from tests.on_django import databases
from tests.on_django.database_shop import (
    PAID,
    PURCHASE,
    VISITOR,
    Shop,
    bare_delivery,
    relay,
    rolled_back,
    take,
)


@pytest.fixture
def shop(tables, configure):
    return Shop(tables, configure)


@pytest.fixture
def atomic_requests(tables, monkeypatch):
    monkeypatch.setitem(connections[tables.alias].settings_dict, "ATOMIC_REQUESTS", True)


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
    outbox = relay(shop.alias)
    assert [item.event_id for item in take(outbox)] == ["Purchase.7"]
    assert len(shop.rows) == 1
    outbox.close()


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
