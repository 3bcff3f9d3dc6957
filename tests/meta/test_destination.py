from __future__ import annotations

import hashlib
import hmac
import json

import pytest

from capi_plugins.consent import Consent
from capi_plugins.destinations.base import Response, Verdict
from capi_plugins.destinations.meta.destination import MetaDestination
from capi_plugins.events import Event, UserData
from capi_plugins.exceptions import ConfigurationError
from capi_plugins.outbox.base import Delivery

TOKEN = "EAAB-secret-token"


def delivery(body=b"{}"):
    return Delivery(destination="meta", event_name="Lead", event_id="1", payload=body)


def test_a_batch_is_one_post_with_the_token_in_the_body(make):
    destination = make(TEST_EVENT_CODE="TEST1", UPLOAD_TAG="store", NAMESPACE_ID=5)
    event = Event(event_name="Lead", user_data=UserData(email="a@b.de"))
    payload = destination.payload(event, Consent.GRANTED, now=event.event_time)
    request = destination.request([delivery(payload.body), delivery(payload.body)])
    assert request.method == "POST"
    assert request.url == "https://graph.facebook.com/v26.0/1234567890/events"
    assert request.headers == {"content-type": "application/json"}
    assert json.loads(request.body) == {
        "data": [json.loads(payload.body)] * 2,
        "access_token": TOKEN,
        "test_event_code": "TEST1",
        "partner_agent": "capiplugins_0_1",
        "namespace_id": "5",
        "upload_tag": "store",
    }


def test_the_proof_is_signed_with_the_app_secret(make):
    body = json.loads(make(APP_SECRET="s3cret").request([delivery()]).body)
    expected = hmac.new(b"s3cret", TOKEN.encode(), hashlib.sha256).hexdigest()
    assert body["appsecret_proof"] == expected
    assert "s3cret" not in json.dumps(body)


def test_no_secret_shows(make):
    destination = make(APP_SECRET="s3cret")
    request = destination.request([delivery()])
    for shown in (repr(destination), repr(request), request.url, str(request.headers)):
        assert TOKEN not in shown
        assert "s3cret" not in shown


def test_the_dataset_id_may_be_a_number(make):
    assert make(DATASET_ID=42).request([delivery()]).url.endswith("/42/events")


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080/v26.0/1234567890/events"),
        ("http://localhost:8080", "http://localhost:8080/v26.0/1234567890/events"),
        ("http://[::1]:8080", "http://[::1]:8080/v26.0/1234567890/events"),
        ("https://gateway.example/capi/", "https://gateway.example/capi/v26.0/1234567890/events"),
    ],
)
def test_the_api_may_be_elsewhere(make, url, sent):
    assert make(API_URL=url).request([delivery()]).url == sent


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"DATASET_ID": None}, "['DATASET_ID'] is required"),
        ({"DATASET_ID": ""}, "['DATASET_ID'] is required"),
        ({"DATASET_ID": "12a"}, "['DATASET_ID'] must be digits"),
        ({"DATASET_ID": True}, "['DATASET_ID'] must be str or int"),
        ({"DATASET_ID": "../1"}, "['DATASET_ID'] must be digits"),
        ({"ACCESS_TOKEN": None}, "['ACCESS_TOKEN'] is required"),
        ({"ACCESS_TOKEN": 5}, "['ACCESS_TOKEN'] must be str"),
        ({"ACCESS_TOKEN": "EAAB token\nx"}, "['ACCESS_TOKEN'] must be text without spaces"),
        ({"API_VERSION": "26"}, "['API_VERSION'] must look like"),
        ({"API_VERSION": "v26.0/../x"}, "['API_VERSION'] must look like"),
        ({"API_URL": "http://graph.facebook.com"}, "['API_URL'] must begin with https"),
        ({"API_URL": "http://127.0.0.1.evil.example"}, "['API_URL'] must begin with https"),
        ({"API_URL": "ftp://localhost"}, "['API_URL'] must begin with https"),
        ({"API_URL": "https://a:b@c"}, "['API_URL'] must not have"),
        ({"API_URL": "https://a/?x=1"}, "['API_URL'] must not have"),
        ({"API_URL": "https://[1"}, "['API_URL'] is not a URL"),
        ({"API_URL": "https://"}, "['API_URL'] is not a URL"),
        ({"DEFAULT_COUNTRY": "Germany"}, "['DEFAULT_COUNTRY'] must be a two-letter"),
        ({"PARTNER_AGENT": "x" * 23}, "['PARTNER_AGENT'] must have fewer"),
        ({"PARTNER_AGENT": "1_2"}, "['PARTNER_AGENT'] must have fewer"),
        ({"TEST_EVENT_CODE": "a\nb"}, "['TEST_EVENT_CODE'] must be printable"),
        ({"UPLOAD_TAG": 5}, "['UPLOAD_TAG'] must be str"),
    ],
)
def test_an_option_that_cannot_be_right_is_named(make, options, words):
    with pytest.raises(ConfigurationError) as raised:
        make(**options)
    assert len(raised.value.problems) == 1
    assert raised.value.problems[0].startswith(f"CAPI['DESTINATIONS']['meta']{words}")
    assert "EAAB" not in str(raised.value)


def test_every_mistake_is_told_at_once():
    with pytest.raises(ConfigurationError) as raised:
        MetaDestination("shop", {"API_VERSION": "x", "DEFAULT_COUNTRY": "x"})
    assert len(raised.value.problems) == 4


def test_a_version_that_ends_says_when(make):
    assert make().api_version_ends is None
    assert make(API_VERSION="v20.0").api_version_ends == "2026-09-24"


def test_an_answer_is_read(make):
    response = Response(status=200, body=b'{"events_received":1,"fbtrace_id":"A"}')
    result = make().outcome(response, [delivery()])
    assert (result.verdict, result.trace) == (Verdict.DELIVERED, "A")
