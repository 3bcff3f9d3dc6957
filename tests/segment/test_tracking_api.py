"""The tracking API without a server: what is taken, what is answered, and what becomes an event."""

from __future__ import annotations

import gzip
import json
import zlib

import pytest

from tests.segment.api import BASIC, BROWSER, KEY, ORDER, PAGE

# ------------------------------------------------------------------ what is taken


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("v1/track", ORDER),
        ("v1/t", ORDER),
        ("v1/track/", ORDER),
        ("v1/batch", {"batch": [ORDER]}),
        ("v1/b", {"batch": [ORDER]}),
        ("v1/import", {"batch": [ORDER]}),
    ],
)
def test_an_order_arrives_by_every_path(api, path, body):
    answer = api(path, body, authorization=BASIC)
    assert (answer.status, answer.data) == (200, {"success": True})
    (event,) = answer.events
    assert (event["event_name"], event["event_id"]) == ("Purchase", "m-1")


@pytest.mark.parametrize("path", ["identify", "i", "group", "g", "alias", "a"])
def test_calls_that_are_no_events_are_taken_and_say_why(api, path):
    answer = api(f"v1/{path}", {"userId": "u"}, authorization=BASIC)
    assert (answer.status, answer.events) == (200, [])
    assert "is no event" in answer.reasons[0]


@pytest.mark.parametrize("path", ["page", "p", "screen", "s"])
def test_pages_and_screens_are_page_views(api, path):
    answer = api(f"v1/{path}", {"userId": "u", "name": "Home"}, authorization=BASIC)
    assert [event["event_name"] for event in answer.events] == ["PageView"]


def test_the_path_says_the_type(api):
    answer = api("v1/track", {**ORDER, "type": "identify"}, authorization=BASIC)
    assert [event["event_name"] for event in answer.events] == ["Purchase"]


@pytest.mark.parametrize(
    "body",
    [
        {**ORDER, "writeKey": KEY},
        {"batch": [ORDER], "writeKey": KEY},
        {"batch": [{**ORDER, "writeKey": KEY}]},
    ],
)
def test_the_key_may_stand_in_the_body(api, body):
    answer = api("v1/b" if "batch" in body else "v1/t", body)
    assert answer.status == 200
    assert len(answer.events) == 1


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("x-gzip", gzip.compress), ("deflate", zlib.compress)],
)
def test_bodies_may_be_packed(api, encoding, pack):
    body = pack(json.dumps({"batch": [ORDER]}).encode())
    answer = api("v1/batch", body, authorization=BASIC, content_encoding=encoding)
    assert (answer.status, len(answer.events)) == (200, 1)


def test_what_a_batch_says_holds_for_its_messages(api):
    body = {
        "batch": [ORDER, {**ORDER, "messageId": "m-2", "context": {"ip": "203.0.113.1"}}],
        "context": {"ip": "203.0.113.2", "traits": {"email": "a@example.com"}},
    }
    answer = api("v1/batch", body, authorization=BASIC)
    found = {event["event_id"]: event["user_data"] for event in answer.events}
    assert found["m-1"]["client_ip_address"] == "203.0.113.2"
    assert found["m-2"]["client_ip_address"] == "203.0.113.1"
    assert "em" in found["m-2"]
    off = api(
        "v1/batch",
        {"batch": [{**ORDER, "messageId": "m-3"}], "integrations": {"All": False}},
        authorization=BASIC,
    )
    assert off.events == []
    assert "integrations" in off.reasons[0]


def test_one_bad_message_costs_no_other(api):
    long = {**ORDER, "properties": {"x": "y" * 33_000}}
    answer = api("v1/batch", {"batch": [5, None, long, ORDER, {}]}, authorization=BASIC)
    assert (answer.status, len(answer.events)) == (200, 1)
    assert len(answer.reasons) == 4
    assert any("32,768 bytes" in reason for reason in answer.reasons)


def test_a_message_that_comes_twice_counts_once(api):
    assert len(api("v1/t", ORDER, authorization=BASIC).events) == 1
    again = api("v1/t", ORDER, authorization=BASIC)
    assert (again.status, again.events) == (200, [])
    assert "duplicate" in again.reasons[0]


@pytest.mark.parametrize("value", [float("nan"), float("-inf"), "\ud83d", 10**400])
def test_what_is_hardly_json_costs_the_field(api, value):
    body = json.dumps({**ORDER, "properties": {**ORDER["properties"], "x": value}})
    answer = api("v1/t", body.encode(), authorization=BASIC)
    assert (answer.status, len(answer.events)) == (200, 1)


def test_the_clock_of_the_device_is_corrected_by_ours(api):
    body = {
        **ORDER,
        "timestamp": "2001-01-01T00:00:00Z",
        "sentAt": "2001-01-01T00:01:00Z",
        "receivedAt": "2001-01-01T00:01:00Z",
    }
    (event,) = api("v1/t", body, authorization=BASIC).events
    (reference,) = api("v1/t", {**ORDER, "messageId": "now"}, authorization=BASIC).events
    assert 55 <= reference["event_time"] - event["event_time"] <= 65


def test_the_libraries_may_tell_how_they_fare(api):
    answer = api("v1/m", {"series": []})
    assert (answer.status, answer.events) == (200, [])


# ------------------------------------------------------------------ the visitor


def test_the_request_of_a_browser_completes_the_event(api):
    (event,) = api("v1/t", ORDER, authorization=BASIC, **PAGE).events
    assert event["action_source"] == "website"
    assert event["event_source_url"] == "https://shop.example/thanks?order=1"
    assert event["user_data"]["client_ip_address"] == "203.0.113.9"
    assert event["user_data"]["client_user_agent"] == BROWSER
    assert event["user_data"]["fbp"] == "fb.1.1700000000000.1234567890"


def test_what_the_message_says_of_the_visitor_comes_first(api):
    context = {"ip": "203.0.113.77", "userAgent": "Mozilla/5.0 (Own)"}
    context["page"] = {"url": "https://shop.example/own"}
    (event,) = api("v1/t", {**ORDER, "context": context}, authorization=BASIC, **PAGE).events
    assert event["event_source_url"] == "https://shop.example/own"
    assert event["user_data"]["client_ip_address"] == "203.0.113.77"
    assert event["user_data"]["client_user_agent"] == "Mozilla/5.0 (Own)"


@pytest.mark.parametrize("agent", ["analytics-python/2.4.0", "node", "Go-http-client/2.0"])
def test_a_server_is_not_the_visitor(api, agent):
    body = {**ORDER, "context": {"library": {"name": "analytics-python"}}}
    (event,) = api("v1/t", body, authorization=BASIC, user_agent=agent).events
    assert {"client_ip_address", "client_user_agent"}.isdisjoint(event["user_data"])


@pytest.mark.parametrize("context", [{"library": {"name": "analytics-swift"}}, {"direct": True}])
def test_a_device_is_where_its_request_comes_from(api, context):
    body = {**ORDER, "context": context}
    (event,) = api("v1/t", body, authorization=BASIC, user_agent="Shop/1 CFNetwork").events
    assert event["user_data"]["client_ip_address"] == "203.0.113.9"
    assert "client_user_agent" not in event["user_data"]


def test_the_banner_of_the_page_decides_as_for_other_requests(make):
    consent = {"DEFAULT": "denied", "SOURCES": ["cookieyes"]}
    api = make(CONSENT=consent)
    refused = {**PAGE, "cookie": "cookieyes-consent=action:yes,advertisement:no"}
    assert api("v1/t", ORDER, authorization=BASIC, **refused).events == []
    agreed = {**PAGE, "cookie": "cookieyes-consent=action:yes,advertisement:yes"}
    assert len(api("v1/t", ORDER, authorization=BASIC, **agreed).events) == 1
    message = {"context": {"consent": {"categoryPreferences": {"Advertising": False}}}}
    assert (
        api("v1/t", {**ORDER, **message, "messageId": "m"}, authorization=BASIC, **agreed).events
        == []
    )


def test_consent_in_the_message_is_enough(make):
    api = make(CONSENT={"DEFAULT": "denied"})
    assert api("v1/t", ORDER, authorization=BASIC).events == []
    consent = {"consent": {"categoryPreferences": {"Advertising": True}}}
    body = {**ORDER, "messageId": "m-2", "context": consent}
    assert len(api("v1/t", body, authorization=BASIC).events) == 1
