"""Commit is the truth: on SQLite, on a second database, and on PostgreSQL."""

from __future__ import annotations

import contextlib
import os

import capi_django
import pytest
from bookshop import views
from bookshop.models import Order
from bookshop.signals import order_placed
from django.db import connections, transaction
from django.http import HttpResponse
from django.template.response import TemplateResponse

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")

PAID = {
    "ON": "model",
    "MODEL": "bookshop.Order",
    "CHANGED": {"paid": True},
    "EVENT": "Purchase",
    "CUSTOM_DATA": {"value": {"VALUE": 1}, "currency": {"VALUE": "EUR"}},
}
PLACED = {"ON": "signal", "SIGNAL": "bookshop.signals.order_placed", "EVENT": "Lead"}
TRACKED = "Schedule"
LOOKED = {"ON": "signal", "SIGNAL": "bookshop.signals.order_placed", "EVENT": "ViewContent"}
DONE = {"ON": "request", "ROUTE": "do", "EVENT": "Contact"}


@pytest.fixture(params=["default", "second", "postgres"])
def alias(request):
    if request.param not in connections.settings:
        if os.environ.get("CAPI_REQUIRE_SERVICES") == "1":
            pytest.fail("PostgreSQL does not answer at 127.0.0.1:5432")
        pytest.skip("PostgreSQL does not answer at 127.0.0.1:5432")
    return request.param


@pytest.fixture
def shop(configure, recorder):
    configure(PAID, PLACED, DONE)
    return recorder


@pytest.fixture
def atomic_requests(alias, monkeypatch):
    monkeypatch.setitem(connections[alias].settings_dict, "ATOMIC_REQUESTS", True)


@contextlib.contextmanager
def rolled_back(using):
    """A transaction, or a savepoint in one, that ends with an error."""
    with contextlib.suppress(ZeroDivisionError), transaction.atomic(using=using):
        yield
        raise ZeroDivisionError


def buy(alias, **fields):
    order = Order.objects.using(alias).create(number="A1", paid=True, **fields)
    order_placed.send(sender=Order, order=order)
    return order


def test_events_wait_for_the_commit(alias, shop):
    with transaction.atomic(using=alias):
        buy(alias)
        assert shop.names == []
    assert shop.names == ["Purchase", "Lead"]


def test_without_a_transaction_events_are_made_at_once(alias, shop):
    buy(alias)
    assert shop.names == ["Purchase", "Lead"]


def test_a_rollback_forgets(alias, shop):
    with rolled_back(using=alias):
        buy(alias)
    assert shop.names == []
    with transaction.atomic(using=alias):
        pass
    assert shop.names == []


def test_a_savepoint_that_is_rolled_back_forgets_its_own(alias, shop):
    with transaction.atomic(using=alias):
        with rolled_back(using=alias):
            buy(alias)
        order_placed.send(sender=Order, order=Order(number="kept"), using=alias)
    assert shop.names == ["Lead"]


def test_a_second_try_after_a_savepoint_counts(alias, shop):
    order = Order.objects.using(alias).create(number="A1")
    with transaction.atomic(using=alias):
        with rolled_back(using=alias):
            order.paid = True
            order.save()
        Order.objects.using(alias).get(pk=order.pk).save()
        order.save()
    assert shop.names == ["Purchase"]


def test_a_released_savepoint_goes_with_the_transaction_around_it(alias, shop):
    with rolled_back(using=alias), transaction.atomic(using=alias):
        buy(alias)
    assert shop.names == []


def test_two_transitions_in_one_transaction_are_one(alias, shop):
    order = Order.objects.using(alias).create(number="A1")
    with transaction.atomic(using=alias):
        for paid in (True, False, True):
            order.paid = paid
            order.save()
    assert shop.names == ["Purchase"]


def test_another_database_decides_nothing(alias, shop):
    other = "second" if alias == "default" else "default"
    with rolled_back(using=other):
        buy(alias)
    assert shop.names == ["Purchase", "Lead"]


def test_an_instance_read_from_elsewhere_follows_the_open_transaction(alias, shop):
    order = Order(number="replica")
    order._state.db = "second" if alias == "default" else "default"
    mine = Order(number="mine")
    mine._state.db = alias
    with rolled_back(using=alias):
        order_placed.send(sender=Order, order=order, other=mine)
    assert shop.names == []


def test_atomic_requests_count_when_the_answer_is_good(client, alias, shop, view, atomic_requests):
    def page(request):
        buy(alias)
        return HttpResponse("ok")

    view(page)
    assert client.get("/do/").status_code == 200
    assert shop.names == ["Purchase", "Lead", "Contact"]


def test_atomic_requests_roll_back_with_an_error(client, alias, shop, view, atomic_requests):
    def page(request):
        buy(alias)
        raise RuntimeError("the payment broke")

    view(page)
    client.raise_request_exception = False
    assert client.get("/do/").status_code == 500
    assert shop.names == []
    assert not Order.objects.using(alias).exists()


def test_a_view_without_its_own_transaction_counts_as_it_commits(
    client, alias, shop, view, atomic_requests, monkeypatch
):
    monkeypatch.setattr(views.scenario, "_non_atomic_requests", {alias}, raising=False)

    def page(request):
        buy(alias)
        with rolled_back(using=alias):
            Order.objects.using(alias).create(number="A2", paid=True)
        raise RuntimeError("something else broke")

    view(page)
    client.raise_request_exception = False
    assert client.get("/do/").status_code == 500
    assert shop.names == ["Purchase", "Lead"]


def test_a_page_that_fails_after_the_commit_still_sold_something(
    client, alias, shop, view, atomic_requests
):
    def page(request):
        buy(alias)
        return TemplateResponse(request, "bookshop/broken.html")

    view(page)
    client.raise_request_exception = False
    assert client.get("/do/").status_code == 500
    assert Order.objects.using(alias).count() == 1
    assert shop.names == ["Purchase", "Lead"]


@pytest.mark.parametrize("atomic", [True, False])
def test_a_page_that_nobody_was_shown_was_not_looked_at(
    client, configure, recorder, view, monkeypatch, atomic
):
    monkeypatch.setitem(connections["default"].settings_dict, "ATOMIC_REQUESTS", atomic)
    configure(LOOKED, PAID)

    def page(request):
        buy("default")
        capi_django.track("Search")
        return TemplateResponse(request, "bookshop/broken.html")

    view(page)
    client.raise_request_exception = False
    assert client.get("/do/").status_code == 500
    assert recorder.names == ["Purchase"]
    assert sum(reason.startswith("the request failed") for reason in recorder.dropped) == 2


def test_what_was_committed_before_an_error_counts(client, alias, shop, view):
    def page(request):
        with transaction.atomic(using=alias):
            buy(alias)
        raise RuntimeError("the mail server broke")

    view(page)
    client.raise_request_exception = False
    assert client.get("/do/").status_code == 500
    assert shop.names == ["Purchase", "Lead"]


def test_a_set_rollback_forgets(client, alias, shop, view, atomic_requests):
    def page(request):
        buy(alias)
        transaction.set_rollback(True, using=alias)
        return HttpResponse("declined", status=402)

    view(page)
    assert client.get("/do/").status_code == 402
    assert shop.names == []


def test_a_transaction_around_the_middleware_is_waited_for(client, alias, shop, view):
    def page(request):
        buy(alias)
        return HttpResponse("ok")

    view(page)
    with transaction.atomic(using=alias):
        client.get("/do/", headers={"user-agent": "Firefox"})
        assert shop.names == ["Contact"]
    assert shop.names == ["Contact", "Purchase", "Lead"]
    assert shop.context.client_user_agent == "Firefox"


def test_a_failing_event_does_not_stop_the_callbacks_of_the_host(alias, shop, monkeypatch):
    from capi_plugins import Trigger

    def broken(self, offer):
        raise RuntimeError("broken")

    monkeypatch.setattr(Trigger, "build", broken)
    called = []
    with transaction.atomic(using=alias):
        buy(alias)
        transaction.on_commit(lambda: called.append(1), using=alias)
    assert called == [1]
    assert shop.names == []


def test_manual_transactions_make_events_at_once(alias, shop):
    transaction.set_autocommit(False, using=alias)
    try:
        order_placed.send(sender=Order, order=None, using=alias)
        transaction.commit(using=alias)
    finally:
        transaction.set_autocommit(True, using=alias)
    assert shop.names == ["Lead"]


def test_track_counts_whatever_becomes_of_the_transaction(client, alias, shop, view):
    def page(request):
        with transaction.atomic(using=alias):
            buy(alias)
            capi_django.track(TRACKED)
            raise RuntimeError("the payment broke")

    view(page)
    client.raise_request_exception = False
    assert client.get("/do/").status_code == 500
    assert shop.names == [TRACKED]
