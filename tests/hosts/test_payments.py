"""Money: django-payments, django-salesman, and Stripe's webhooks with dj-stripe."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.server
import json
import sqlite3
import threading
import time

import httpx
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


# ------------------------------------------------------------------ dj-stripe

ENDPOINT = "/stripe/webhook/00000000-0000-4000-8000-000000000001/"


class Stripe(http.server.BaseHTTPRequestHandler):
    """Stripe's API, when all objects that webhooks tell of have been deleted since."""

    def do_GET(self):
        if self.path.startswith("/v1/account"):
            status, body = 200, {"id": "acct_1", "object": "account", "email": "shop@example.com"}
        else:
            status = 404
            body = {"error": {"type": "invalid_request_error", "code": "resource_missing"}}
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def stripe():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stripe)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def webhooks(serve, stripe):
    return serve("djstripe", variant=stripe)


def call(host, name, data, *, number, before=None, secret="whsec_test"):
    """Call the host as Stripe does, with a signature."""
    event = {
        "id": f"evt_{number}",
        "object": "event",
        "api_version": "2024-06-20",
        "created": int(time.time()),
        "livemode": False,
        "type": name,
        "data": {"object": data, "previous_attributes": before or {}},
        "request": {"id": None, "idempotency_key": None},
        "pending_webhooks": 1,
    }
    body = json.dumps(event)
    at = int(time.time())
    signed = hmac.new(secret.encode(), f"{at}.{body}".encode(), hashlib.sha256).hexdigest()
    return httpx.post(
        host.url + ENDPOINT,
        content=body,
        headers={
            "Stripe-Signature": f"t={at},v1={signed}",
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "Content-Type": "application/json",
        },
        timeout=60,
        trust_env=False,
    )


def invoice(number, paid, currency):
    return {
        "id": f"in_{number}",
        "object": "invoice",
        "amount_paid": paid,
        "currency": currency,
        "customer_email": "Jane@Example.com",
        "customer_name": "Jane Doe",
        "customer_phone": "+4930901820",
        "customer_address": {"city": "Berlin", "postal_code": "10115", "country": "DE"},
    }


def session(number, **changes):
    return {
        "id": f"cs_{number}",
        "object": "checkout.session",
        "mode": "payment",
        "payment_status": "paid",
        "amount_total": 1999,
        "currency": "eur",
        "invoice": None,
        "client_reference_id": f"order-{number}",
        "customer_details": {"email": "jane@example.com", "name": "Jane Doe", "phone": None},
        **changes,
    }


def sent(host, key):
    return [event for event in host.settled() if key in event["event_id"]]


def test_an_invoice_that_is_paid_is_a_purchase_however_often_stripe_says_so(webhooks):
    for _ in range(3):
        assert call(webhooks, "invoice.paid", invoice(1, 2599, "eur"), number=1).status_code == 200
    (purchase,) = sent(webhooks, "in_1")
    assert purchase["event_id"] == "Purchase.in_1"
    data = {"value": 25.99, "currency": "EUR", "order_id": "in_1"}
    assert purchase["custom_data"] == data
    expected = {"em": "jane@example.com", "ph": "4930901820", "fn": "jane", "ct": "berlin"}
    expected |= {"zp": "10115", "country": "de"}
    assert purchase["user_data"] == {key: [sha256(text)] for key, text in expected.items()}


@pytest.mark.parametrize(
    ("currency", "amount", "value"),
    [("jpy", 5000, 5000), ("usd", 5000, 50), ("kwd", 5120, 5.12), ("isk", 500, 5)],
)
def test_amounts_are_in_whole_money(webhooks, currency, amount, value):
    call(webhooks, "invoice.paid", invoice(currency, amount, currency), number=currency)
    (purchase,) = sent(webhooks, f"in_{currency}")
    assert purchase["custom_data"]["value"] == value
    assert purchase["custom_data"]["currency"] == currency.upper()


def test_the_invoice_of_a_trial_is_none(webhooks):
    assert call(webhooks, "invoice.paid", invoice("t", 0, "eur"), number="t").status_code == 200
    assert sent(webhooks, "in_t") == []


def test_a_checkout_is_a_purchase_when_it_is_paid(webhooks):
    later = session("late", payment_status="unpaid")
    call(webhooks, "checkout.session.completed", later, number="a")
    assert sent(webhooks, "cs_late") == []
    paid = session("late")
    call(webhooks, "checkout.session.async_payment_succeeded", paid, number="b")
    (purchase,) = sent(webhooks, "cs_late")
    assert purchase["custom_data"] == {"value": 19.99, "currency": "EUR", "order_id": "order-late"}


@pytest.mark.parametrize("changes", [{"mode": "setup"}, {"invoice": "in_7"}])
def test_a_checkout_that_has_an_invoice_or_no_payment_is_none(webhooks, changes):
    number = next(iter(changes))
    call(webhooks, "checkout.session.completed", session(number, **changes), number=number)
    assert sent(webhooks, f"cs_{number}") == []


def test_a_charge_that_is_given_back_is_a_refund(webhooks):
    charge = {
        "id": "ch_1",
        "object": "charge",
        "amount_refunded": 500,
        "currency": "eur",
        "payment_intent": "pi_1",
        "billing_details": {"email": "jane@example.com"},
    }
    call(webhooks, "charge.refunded", charge, number="refund", before={"amount_refunded": 0})
    (refund,) = sent(webhooks, "evt_refund")
    assert refund["event_name"] == "Refund"
    assert refund["custom_data"] == {"value": 5, "currency": "EUR", "order_id": "pi_1"}
    # Stripe tells the sum of all that was given back.
    more, before = {**charge, "amount_refunded": 1250}, {"amount_refunded": 500}
    call(webhooks, "charge.refunded", more, number="more", before=before)
    assert [each["custom_data"]["value"] for each in sent(webhooks, "evt_more")] == [7.5]


def test_a_webhook_with_a_wrong_signature_is_none(webhooks):
    data = invoice("forged", 2599, "eur")
    call(webhooks, "invoice.paid", data, number="forged", secret="whsec_guess")
    assert sent(webhooks, "in_forged") == []


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


@pytest.mark.parametrize("capi", ["off", "on", "hooks", "store"])
def test_webhooks_are_answered_as_ever(serve, stripe, capi):
    host = serve("djstripe", server="gunicorn", variant=stripe, capi=capi)
    answer = call(host, "invoice.paid", invoice(1, 2599, "eur"), number=1)
    # The number of the row in which dj-stripe keeps the call.
    assert (answer.status_code, answer.content) == (200, b"1")
    assert ("RuntimeError" in host.said()) is (capi in {"hooks", "store"})
