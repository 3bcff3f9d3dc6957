"""Requests to the endpoints that a host has asked for: forged, too large, and sent again."""

from __future__ import annotations

import hashlib
import hmac
import json

import flask
import pytest
from capi_flask import Capi

from tests.faults.shop_settings import settings
from tests.faults.small_shop import accepted, until

OLD, NEW = "the-old-secret", "the-new-secret"
KEY = "the-write-key"


@pytest.fixture
def shop(sandbox, box):
    app = flask.Flask("shop")
    segment = {"WRITE_KEYS": [KEY], "WEBHOOKS": {"segment": [NEW, OLD]}}
    app.config["CAPI"] = {
        **settings(sandbox.url, box), "SEGMENT": segment, "URL_PREFIX": "/capi/",
        "PAGE_VIEW": False, "AUTOLOAD": False, "BROWSER": {"COLLECT": True},
    }  # fmt: skip
    Capi(app)
    yield app
    app.extensions["capi"].client.close(0)


def message(**more):
    return {
        "type": "track", "event": "Order Completed", "userId": "u-1", "messageId": "m-1",
        "properties": {"order_id": "7", "revenue": 5, "currency": "EUR"},
        "context": {"traits": {"email": "ada@example.com"}}, **more,
    }  # fmt: skip


def signed(body, secret):
    return hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()


@pytest.mark.fault("S14")
def test_a_webhook_that_is_forged_is_not_read_and_one_that_is_repeated_counts_once(
    shop, sandbox, caplog
):
    """A webhook comes without a signature, with one of another body, of another secret, and larger
    than any message; then a true one comes three times, signed with two secrets.

    The forged ones are answered with a refusal that tells nothing, and no event leaves. The true
    one leaves once.
    """
    browser = shop.test_client()
    body = json.dumps(message()).encode()

    # Where the disk is too busy to store it, the answer is 503, and whoever sends it comes again.
    def post(data, signature):
        headers = {"Content-Type": "application/json", "X-Signature": signature}
        return browser.post("/capi/webhooks/segment", data=data, headers=headers)

    forged = [
        post(body, ""),
        post(body, signed(body, "another")),
        post(body.replace(b'"7"', b'"8"'), signed(body, NEW)),
        post(b"{", "0" * 40),
    ]
    assert {answer.status_code for answer in forged} == {400}
    assert len({answer.data for answer in forged}) == 1
    huge = b"x" * 5_000_000
    assert post(huge, signed(huge, NEW)).status_code in (400, 413)
    for secret in (NEW, OLD, NEW):
        until(lambda secret=secret: post(body, signed(body, secret)).status_code == 200)
    until(lambda: shop.extensions["capi"].client.stats().waiting == 0)
    assert len(accepted(sandbox)) == len(sandbox.events) == 1
    said = caplog.text + "".join(answer.get_data(as_text=True) for answer in forged)
    assert NEW not in said and OLD not in said and "ada@example.com" not in said


@pytest.mark.fault("S13", "S18")
def test_an_endpoint_takes_what_is_meant_for_it_and_no_more(shop, sandbox):
    """Messages come with a wrong key and with none, as another method, larger than any message, and
    nested without end; then a true one comes.

    They are refused, each with the status of the mistake, and the true one leaves, alone.
    """
    browser = shop.test_client()

    def post(data, key=KEY):
        return browser.post("/capi/v1/track", data=data, auth=(key, "")).status_code

    body = json.dumps(message()).encode()
    assert post(body, "another") == 401
    assert browser.post("/capi/v1/track", data=body).status_code == 401
    assert browser.get("/capi/v1/track", auth=(KEY, "")).status_code == 405
    assert post(b" " * 5_000_000) == 413
    assert post(b"[" * 20_000) == 400
    assert post(b"\xff\xfe") == 400
    assert sandbox.events == []
    # As above, where the disk is busy.
    until(lambda: post(body) == 200)
    until(lambda: shop.extensions["capi"].client.stats().waiting == 0)
    assert len(accepted(sandbox)) == len(sandbox.events) == 1


@pytest.mark.fault("S13", "S18")
def test_a_page_may_send_little_and_strangers_nothing(shop, sandbox):
    """Events come as from a page: from that of another host and from none, by another method,
    larger than any, as a purchase, for somebody's order, under an id of the host's, and by the
    hundred; one is a true one.

    They are refused, each with the status of the mistake and without a word of what they said, and
    the true one leaves, alone. Who sends a hundred is told to wait.
    """
    browser = shop.test_client()

    def post(event, **headers):
        own = {"Origin": "http://localhost", "User-Agent": "Firefox", **headers}
        data = event if isinstance(event, bytes) else json.dumps(event)
        return browser.post(
            "/capi/collect", data=data, content_type="application/json",
            headers={name: value for name, value in own.items() if value},
            environ_base={"REMOTE_ADDR": "203.0.113.77"},
        )  # fmt: skip

    lead = {"event_name": "Lead", "custom_data": {"value": 1, "currency": "EUR"}}
    refused = [
        (post(lead, Origin="https://elsewhere.example"), 403),
        (post(lead, Origin=""), 403),
        (post({**lead, "event_name": "Purchase"}), 403),
        (post({**lead, "event_name": "<script>"}), 403),
        (post({**lead, "event_id": "Lead.7"}), 400),
        (post({**lead, "custom_data": {"order_id": "7"}}), 400),
        (post(b" " * 10_000), 413),
        (post(b"[" * 5_000), 400),
        (browser.get("/capi/collect", headers={"Origin": "http://localhost"}), 405),
    ]
    for answer, status in refused:
        assert answer.status_code == status
        assert "script" not in answer.get_data(as_text=True)
    assert post(lead).status_code == 204
    many = [post(b"{}") for _ in range(100)]
    assert many[-1].status_code == 429
    assert int(many[-1].headers["Retry-After"]) > 0
    until(lambda: shop.extensions["capi"].client.stats().waiting == 0)
    assert [event.payload["event_name"] for event in sandbox.events] == ["Lead"]
    (event,) = sandbox.accepted()
    assert event.payload["user_data"]["client_ip_address"] == "203.0.113.77"
