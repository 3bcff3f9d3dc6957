"""The webhook destinations of Segment and RudderStack."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest

from tests.segment.conftest import WEB

OLD, NEW = "the old secret", "the new secret"
FORWARDED = {**WEB, "timestamp": None, "receivedAt": None}


def body_of(data):
    return json.dumps(data).encode()


def signed(body, secret=NEW):
    return hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()


@pytest.fixture
def webhooks(make):
    return make(SEGMENT={"WEBHOOKS": {"segment": [NEW, OLD], "rudderstack": [NEW, OLD]}})


def test_the_signature_is_the_one_that_segment_documents(webhooks):
    # Computed by `openssl dgst -sha1 -hmac "the new secret"`.
    body = b'{"type":"track","event":"Signed Up","userId":"u"}'
    answer = webhooks("webhooks/segment", body, x_signature=KNOWN)
    assert (answer.status, answer.data) == (200, {"success": True})
    assert [event["event_name"] for event in answer.events] == ["CompleteRegistration"]


KNOWN = "7a2390c470a99a32088af283833241afec4dc21a"


@pytest.mark.parametrize("secret", [OLD, NEW])
@pytest.mark.parametrize("upper", [False, True])
def test_both_secrets_count_while_they_are_exchanged(webhooks, secret, upper):
    body = body_of(FORWARDED)
    signature = signed(body, secret)
    answer = webhooks(
        "webhooks/segment", body, x_signature=signature.upper() if upper else signature
    )
    assert (answer.status, len(answer.events)) == (200, 1)


@pytest.mark.parametrize(
    "signature", ["", "0" * 40, signed(b"other"), "\u00e9", signed(body_of(FORWARDED), "third one")]
)
def test_what_is_not_signed_is_not_read(webhooks, signature):
    answer = webhooks("webhooks/segment", body_of(FORWARDED), x_signature=signature)
    assert (answer.status, answer.data["code"], answer.events) == (400, "invalid_signature", [])
    assert NEW not in json.dumps(answer.data)
    # Not even whether it is JSON.
    assert webhooks("webhooks/segment", b"{", x_signature=signature).data == answer.data


def test_a_signature_holds_for_the_raw_bytes(webhooks):
    body = body_of(FORWARDED)
    assert webhooks("webhooks/segment", body + b"\n", x_signature=signed(body)).status == 400


def basic(secret):
    return "Basic " + base64.b64encode(f"anybody:{secret}".encode()).decode()


@pytest.mark.parametrize(
    "authorization", [f"Bearer {NEW}", f"bearer {OLD}", basic(NEW), basic(OLD)]
)
def test_rudderstack_sends_a_secret(webhooks, authorization):
    answer = webhooks("webhooks/rudderstack", FORWARDED, authorization=authorization)
    assert (answer.status, len(answer.events)) == (200, 1)


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer x", NEW, f"Token {NEW}", "Basic !!!", basic("x")]
)
def test_rudderstack_is_not_let_in_without(webhooks, authorization):
    answer = webhooks("webhooks/rudderstack", FORWARDED, authorization=authorization)
    assert (answer.status, answer.events) == (400, [])


def test_the_secret_of_one_is_not_the_others(make):
    api = make(SEGMENT={"WEBHOOKS": {"rudderstack": NEW}})
    assert api("webhooks/segment", body_of(FORWARDED), x_signature="x").status == 404


def test_a_message_that_is_sent_again_counts_once(webhooks):
    body = body_of(FORWARDED)
    answers = [webhooks("webhooks/segment", body, x_signature=signed(body)) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 200]
    assert [len(answer.events) for answer in answers] == [1, 0, 0]


@pytest.mark.parametrize("missing", [{}, {"messageId": None}, {"messageId": ""}])
def test_a_message_without_an_id_counts_once_too(webhooks, missing):
    message = {key: value for key, value in FORWARDED.items() if key != "messageId"} | missing
    body = body_of(message)
    answers = [webhooks("webhooks/segment", body, x_signature=signed(body)) for _ in range(2)]
    assert [len(answer.events) for answer in answers] == [1, 0]


@pytest.mark.parametrize("wrap", [lambda messages: messages, lambda messages: {"batch": messages}])
def test_batches_are_taken(webhooks, wrap):
    body = body_of(wrap([FORWARDED, {**FORWARDED, "messageId": "m-2"}, 5, {"type": "identify"}]))
    answer = webhooks("webhooks/segment", body, x_signature=signed(body))
    assert (answer.status, len(answer.events), len(answer.reasons)) == (200, 2, 2)


@pytest.mark.parametrize("body", [b"", b"{", b"5", b'"x"', b"null", b"\xff"])
def test_what_is_no_message_is_400(webhooks, body):
    answer = webhooks("webhooks/segment", body, x_signature=signed(body))
    assert (answer.status, answer.data["code"]) in [(400, "invalid_json"), (400, "invalid_body")]


def test_nothing_of_the_forwarding_server_is_the_visitors(webhooks):
    message = {**FORWARDED, "context": {"page": {"url": "https://shop.example/"}}}
    body = body_of(message)
    headers = {
        "user_agent": "Mozilla/5.0 (Segment.io)",
        "origin": "https://shop.example",
        "cookie": "_fbp=fb.1.1700000000000.1",
    }
    (event,) = webhooks("webhooks/segment", body, x_signature=signed(body), **headers).events
    assert {"client_ip_address", "client_user_agent", "fbp"}.isdisjoint(event["user_data"])


@pytest.mark.parametrize("method", ["GET", "DELETE", "OPTIONS", "HEAD"])
def test_only_what_has_a_body_is_taken(webhooks, method):
    assert webhooks("webhooks/segment", method=method).status == 405
