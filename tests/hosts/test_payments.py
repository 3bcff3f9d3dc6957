"""Money: django-payments and django-salesman."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest

from tests.hosts.visitors import sha256

# ------------------------------------------------------------------ django-payments


def buy(visitor, total="12.50"):
    """Buy something, and return the page to pay on."""
    visitor.get("/")
    return visitor.post("/buy/", total=total).headers["Location"]


def pay(visitor, page, status, gateway="3ds-disabled", expect=302):
    visitor.get(page)
    fields = {"status": status, "fraud_status": "unknown", "verification_result": "confirmed"}
    return visitor.post(page, **fields, gateway_response=gateway, expect=expect)


@pytest.fixture
def payments(serve):
    return serve("payments")


def test_a_confirmed_payment_is_a_purchase(payments, visit):
    jane = visit(payments)
    page = buy(jane)
    assert pay(jane, page, "confirmed").headers["Location"] == "/thanks/"
    assert jane.counts() == {"Purchase": 1}
    (purchase,) = jane.events("Purchase")
    data = purchase["custom_data"]
    assert (data["value"], data["currency"]) == (12.5, "EUR")
    assert purchase["event_id"] == f"Purchase.{data['order_id']}"
    expected = {"em": "jane@example.com", "ph": "4930901820", "fn": "jane", "ln": "doe"}
    expected |= {"ct": "berlin", "zp": "10115", "country": "de"}
    assert {key: [sha256(text)] for key, text in expected.items()} == {
        key: value for key, value in purchase["user_data"].items() if isinstance(value, list)
    }
    assert purchase["user_data"]["client_ip_address"] == jane.ip
    pay(jane, page, "confirmed")
    assert jane.counts() == {"Purchase": 1}


@pytest.mark.parametrize("status", ["rejected", "error", "waiting", "preauth"])
def test_a_payment_that_is_not_confirmed_is_none(payments, visit, status):
    jane = visit(payments)
    pay(jane, buy(jane), status)
    assert jane.counts() == {}


def test_what_was_taken_of_a_reserved_payment_is_its_value(payments, visit):
    jane = visit(payments)
    page = buy(jane)
    pay(jane, page, "preauth")
    jane.get(page.replace("pay", "capture"), params={"amount": "8.25"})
    (purchase,) = jane.events("Purchase")
    data = purchase["custom_data"]
    assert (data["value"], data["currency"]) == (8.25, "EUR")


def test_the_database_of_the_payment_decides_where_there_are_two(serve, visit):
    host = serve("payments", variant="two databases")
    jane = visit(host)
    page = buy(jane)
    # Confirmed and rolled back: the gateway fails after the signal.
    pay(jane, page, "confirmed", gateway="failure", expect=500)
    assert jane.counts() == {}
    pay(jane, page, "confirmed")
    assert jane.counts() == {"Purchase": 1}
    with contextlib.closing(sqlite3.connect(host.folder / "orders.sqlite3")) as orders:
        assert orders.execute("SELECT status FROM shop_payment").fetchall() == [("confirmed",)]


def test_a_payment_that_is_given_back_is_a_refund(payments, visit):
    jane = visit(payments)
    page = buy(jane)
    pay(jane, page, "preauth")
    jane.get(page.replace("pay", "capture"), params={"amount": "12.50"})
    for amount in ("2.50", "10.00"):
        assert jane.counts() == {"Purchase": 1}
        jane.get(page.replace("pay", "refund"), params={"amount": amount})
    assert jane.counts() == {"Purchase": 1, "Refund": 1}
    (refund,) = jane.events("Refund")
    # The part that was given back first is told to nobody.
    assert refund["custom_data"]["value"] == 10


def test_a_payment_that_was_taken_in_part_is_given_back_in_part(payments, visit):
    jane = visit(payments)
    page = buy(jane)
    pay(jane, page, "preauth")
    jane.get(page.replace("pay", "capture"), params={"amount": "8.25"})
    jane.get(page.replace("pay", "refund"), params={"amount": "8.25"})
    (refund,) = jane.events("Refund")
    assert (refund["custom_data"]["value"], refund["custom_data"]["currency"]) == (8.25, "EUR")


def test_a_payment_of_which_the_provider_says_no_amount_is_given_back_in_full(payments, visit):
    jane = visit(payments)
    page = buy(jane)
    pay(jane, page, "confirmed")
    jane.get(page.replace("pay", "refund"))
    (refund,) = jane.events("Refund")
    assert refund["custom_data"]["value"] == 12.5


CAPTURE = """
from decimal import Decimal
from django.db import transaction
from payments import get_payment_model
payment = get_payment_model().objects.get(pk={pk})
with transaction.atomic():
    payment.capture(Decimal("8.25"))
    payment.save()
"""


def test_outside_of_requests_what_was_taken_is_known_when_the_transaction_commits(payments, visit):
    jane = visit(payments)
    page = buy(jane)
    pay(jane, page, "preauth")
    payments.manage(CAPTURE.format(pk=page.rpartition("/pay/")[2].strip("/")))
    (purchase,) = jane.events("Purchase")
    assert purchase["custom_data"]["value"] == 8.25
    assert purchase["user_data"]["fbc"] == jane.fbc


def test_a_reserved_payment_that_is_released_is_no_refund(payments, visit):
    jane = visit(payments)
    page = buy(jane)
    pay(jane, page, "preauth")
    jane.get(page.replace("pay", "release"))
    assert jane.counts() == {}


# ------------------------------------------------------------------ django-salesman


def order(visitor, method):
    for product, quantity in ((1, 2), (2, 1)):
        item = {"product_type": "shop.Book", "product_id": product, "quantity": quantity}
        visitor.post("/api/basket/", json=item, expect=201)
    address = {"shipping_address": "Berlin", "billing_address": "Berlin"}
    answer = visitor.post(
        "/api/checkout/",
        json={"email": "jane@example.com", "payment_method": method, **address},
        expect=201,
    )
    return answer.json()["url"]


@pytest.fixture
def salesman(serve):
    return serve("salesman")


def test_an_order_that_is_paid_is_a_purchase(salesman, visit):
    jane = visit(salesman)
    jane.get(order(jane, "card"), expect=None)
    assert jane.counts() == {"Purchase": 1}
    (purchase,) = jane.events("Purchase")
    number = purchase["custom_data"]["order_id"]
    assert purchase["event_id"] == f"Purchase.{number}"
    assert purchase["custom_data"] == {
        "value": 24.98,
        "currency": "EUR",
        "order_id": number,
        "content_type": "product",
        "contents": [
            {"id": "B1", "quantity": 2, "item_price": 9.99},
            {"id": "B2", "quantity": 1, "item_price": 5},
        ],
    }
    assert purchase["user_data"]["em"] == [sha256("jane@example.com")]
    assert purchase["user_data"]["fbc"] == jane.fbc


def test_an_order_that_is_not_paid_yet_is_none(salesman, visit):
    jane = visit(salesman)
    order(jane, "on-delivery")
    assert jane.counts() == {}


def test_only_what_was_paid_can_be_cancelled(salesman, visit):
    jane = visit(salesman)
    jane.get(order(jane, "card"), expect=None)
    order(jane, "on-delivery")
    salesman.manage("""
from salesman.core.utils import get_salesman_model
for order in get_salesman_model("Order").objects.all():
    order.status = "REFUNDED"
    order.save()
""")
    (purchase,) = jane.events("Purchase")
    (cancelled,) = jane.events("OrderCancelled")
    assert cancelled["custom_data"] == purchase["custom_data"]


# ------------------------------------------------------------------ whatever breaks


def walk_payments(visitor):
    page = buy(visitor)
    pay(visitor, page, "confirmed")
    visitor.get(page.replace("pay", "refund"))


def walk_salesman(visitor):
    url = order(visitor, "card")
    visitor.get(url, expect=None)
    return url.partition("=")[2]


@pytest.mark.parametrize("capi", ["hooks", "store"])
@pytest.mark.parametrize(
    ("name", "walk"), [("payments", walk_payments), ("salesman", walk_salesman)]
)
def test_the_answers_are_those_of_the_shop_alone(unchanged, name, walk, capi):
    unchanged(name, walk, capi)
