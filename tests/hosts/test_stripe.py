"""Stripe's webhooks with dj-stripe."""

from __future__ import annotations

import hashlib
import hmac
import http.server
import json
import threading
import time

import httpx
import pytest

from tests.hosts.visitors import sha256

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


@pytest.mark.parametrize("capi", ["off", "on", "hooks", "store"])
def test_webhooks_are_answered_as_ever(serve, stripe, capi):
    host = serve("djstripe", server="gunicorn", variant=stripe, capi=capi)
    answer = call(host, "invoice.paid", invoice(1, 2599, "eur"), number=1)
    # The number of the row in which dj-stripe keeps the call.
    assert (answer.status_code, answer.content) == (200, b"1")
    assert ("RuntimeError" in host.said()) is (capi in {"hooks", "store"})
