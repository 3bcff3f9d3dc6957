from __future__ import annotations

import json

import pytest

from capi_plugins.consent import Consent
from capi_plugins.destinations.meta.fields import ACTION_SOURCES, EVENT_KEYS, LDU_STATES
from capi_plugins.events import Event, UserData

NOW = 1_800_000_000


def test_an_event_has_metas_names(build):
    wire, notes = build(
        event_source_url="https://shop.example/thanks",
        referrer_url="https://shop.example/cart",
        opt_out="yes",
        advanced_measurement_table="t",
        custom_data={"value": 1, "currency": "EUR"},
    )
    assert wire.keys() <= EVENT_KEYS
    assert wire["event_name"] == "Lead"
    assert wire["event_time"] == NOW
    assert wire["event_id"] == "e-1"
    assert wire["opt_out"] is True
    assert not notes


@pytest.mark.parametrize("source", sorted(set(ACTION_SOURCES) - {"app", "business_messaging"}))
def test_every_action_source_passes(build, source):
    assert build(action_source=source)[0]["action_source"] == source


@pytest.mark.parametrize(
    ("fields", "source"),
    [
        ({"event_source_url": "https://shop.example/"}, "website"),
        ({"user_data": {"fbp": "fb.1.1596403881668.1"}}, "website"),
        ({"user_data": {"email": "a@b.de"}}, "other"),
        (
            {
                "app_data": {
                    "advertiser_tracking_enabled": 1,
                    "extinfo": {"version": "a2", "os_version": "14"},
                }
            },
            "app",
        ),
        (
            {
                "event_name": "Purchase",
                "messaging_channel": "whatsapp",
                "user_data": {"whatsapp_business_account_id": "1", "ctwa_clid": "Ab-_" * 12},
                "custom_data": {"value": 1, "currency": "EUR"},
            },
            "business_messaging",
        ),
    ],
)
@pytest.mark.parametrize("given", [None, "web", 7, ""])
def test_a_missing_or_unknown_action_source_is_derived(build, fields, source, given):
    wire, notes = build(fields, action_source=given)
    assert wire["action_source"] == source
    assert ("action_source" in notes) == (given not in (None, ""))


def test_the_case_of_an_action_source_does_not_matter(build):
    wire, notes = build(action_source="Physical Store")
    assert wire["action_source"] == "physical_store"
    assert not notes


@pytest.mark.parametrize(("ahead", "noted"), [(30, False), (3600, True), (10**9, True)])
def test_a_future_event_happened_now(build, ahead, noted):
    wire, notes = build(event_time=NOW + ahead, at=NOW + 0.7)
    assert wire["event_time"] == NOW
    assert ("event_time" in notes) == noted


@pytest.mark.parametrize(("source", "days"), [("website", 7), ("physical_store", 62)])
def test_an_event_expires_a_minute_before_meta_refuses_it(make, source, days):
    event = Event(
        event_name="Lead", event_time=NOW, action_source=source, user_data=UserData(email="a@b.de")
    )
    payload = make().payload(event, Consent.GRANTED, now=NOW)
    assert payload.expires_at == NOW + days * 86400 - 60


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("https://shop.example/a?b=c", "https://shop.example/a?b=c"),
        ("https://shop.example/a#section", "https://shop.example/a"),
        ("HTTP://Shop.example", "http://Shop.example"),
        ("https://user:password@shop.example/a", "https://shop.example/a"),
        ("https://shop.example/@name", "https://shop.example/@name"),
        ("https://bücher.example/ü", "https://bücher.example/ü"),
        ("https://shop.example/?" + "q" * 3000, "https://shop.example/"),
        (" https://shop.example/ ", "https://shop.example/"),
    ],
)
def test_a_url_is_sent_without_fragment_and_credentials(build, given, sent):
    wire, notes = build(event_source_url=given, referrer_url=given)
    assert wire["event_source_url"] == wire["referrer_url"] == sent
    assert not notes


@pytest.mark.parametrize(
    "given",
    [
        "javascript:alert(1)",
        "shop.example",
        "/path",
        "https://",
        "https:///path",
        "https://?q",
        "https://a b/",
        "https://shop.example/\x00",
        "https://shop.example/" + "p" * 3000,
        "https://shop.example/" + "p" * 1_000_000,
        "android-app://com.example",
        "https://a@b@c/",
        "\ud800",
        b"https://shop.example",
        7,
    ],
)
def test_what_is_no_web_address_is_left_out(build, given):
    wire, notes = build(event_source_url=given)
    assert "event_source_url" not in wire
    assert "event_source_url" in notes


def test_limited_consent_is_limited_data_use(build):
    wire, _ = build(consent=Consent.LIMITED)
    assert wire["data_processing_options"] == ["LDU"]
    assert wire["data_processing_options_country"] == 0
    assert wire["data_processing_options_state"] == 0


def test_limited_consent_keeps_the_place_the_event_names(build):
    wire, _ = build(
        consent=Consent.LIMITED,
        data_processing_options=[],
        data_processing_options_country="1",
        data_processing_options_state=1000,
    )
    assert wire["data_processing_options"] == ["LDU"]
    assert wire["data_processing_options_country"] == 1
    assert wire["data_processing_options_state"] == 1000


@pytest.mark.parametrize("state", sorted(set(LDU_STATES) - {0}))
def test_a_state_stands_in_the_united_states(build, state):
    wire, _ = build(consent=Consent.LIMITED, data_processing_options_state=state)
    assert wire["data_processing_options_country"] == 1
    assert wire["data_processing_options_state"] == state


def test_who_has_no_address_and_no_state_is_noted_because_meta_cannot_tell_the_place(build):
    _, notes = build(consent=Consent.LIMITED)
    assert "without an address" in notes["data_processing_options_state"]
    person = {"client_ip_address": "203.0.113.7", "client_user_agent": "Mozilla/5.0"}
    _, notes = build(consent=Consent.LIMITED, user_data=person)
    assert "data_processing_options_state" not in notes


def test_no_options_are_said_explicitly(build):
    wire, _ = build(data_processing_options=[], data_processing_options_country=1)
    assert wire["data_processing_options"] == []
    assert "data_processing_options_country" not in wire


@pytest.mark.parametrize("options", ["LDU", ["ldu"], ("LDU", "LDU"), ["XYZ"], 7, [object()]])
def test_whoever_asks_for_a_limit_gets_it(build, options):
    wire, notes = build(data_processing_options=options)
    assert wire["data_processing_options"] == ["LDU"]
    assert ("data_processing_options" in notes) == (options not in ("LDU", ["ldu"], ("LDU", "LDU")))


@pytest.mark.parametrize(("country", "state"), [(2, 999), (True, True), ("US", "CA"), ([], {})])
def test_unknown_codes_of_limited_data_use_are_left_to_meta(build, country, state):
    wire, notes = build(
        data_processing_options=["LDU"],
        data_processing_options_country=country,
        data_processing_options_state=state,
    )
    assert wire["data_processing_options_country"] == 0
    assert wire["data_processing_options_state"] == 0
    assert {"data_processing_options_country", "data_processing_options_state"} <= set(notes)


def test_a_messaging_event_carries_nothing_of_a_browser(build):
    wire, notes = build(
        event_name="Purchase",
        action_source="business_messaging",
        messaging_channel="Messenger",
        event_source_url="https://shop.example/",
        user_data={
            "page_id": 1,
            "page_scoped_user_id": "2",
            "client_ip_address": "8.8.8.8",
            "client_user_agent": "x",
            "fbp": "fb.1.1596403881668.1",
            "fbc": "fb.1.1596403881668.a",
        },
        custom_data={"value": 1, "currency": "EUR"},
    )
    assert wire["messaging_channel"] == "messenger"
    assert wire["user_data"] == {"page_id": "1", "page_scoped_user_id": "2"}
    assert "event_source_url" not in wire
    assert len(notes) == 5


def test_an_instagram_account_has_one_name(build):
    wire, _ = build(
        event_name="Purchase",
        action_source="business_messaging",
        messaging_channel="instagram",
        user_data={"instagram_business_account_id": "1", "ig_sid": "2"},
        custom_data={"value": 1, "currency": "EUR"},
    )
    assert wire["user_data"] == {"ig_account_id": "1", "ig_sid": "2"}


def test_the_original_event_is_read_member_by_member(build):
    wire, notes = build(
        original_event_data={
            "event_name": "Purchase",
            "event_time": "2027-01-15T08:00:00Z",
            "order_id": 7,
            "event_id": b"x",
            "other": 1,
        }
    )
    assert wire["original_event_data"] == {
        "event_name": "Purchase",
        "event_time": 1800000000,
        "order_id": "7",
    }
    assert {"original_event_data", "original_event_data.event_id"} == set(notes)


def test_attribution_has_its_types(build):
    wire, notes = build(
        attribution_data={
            "ad_id": 120,
            "touchpoint_ts": 1_799_999_999_000,
            "attribution_share": "0.5",
            "attribution_value": 3,
            "attribution_model": "Last_Click",
            "decline_reason": "mood",
            "attribution_setting": {"inactivity_window_hours": 24},
        }
    )
    assert wire["attribution_data"] == {
        "ad_id": "120",
        "touchpoint_ts": 1_799_999_999,
        "attribution_share": 0.5,
        "attribution_value": 3,
        "attribution_model": "last_click",
        "attribution_setting": {"inactivity_window_hours": 24},
    }
    assert list(notes) == ["attribution_data.decline_reason"]


def test_an_event_id_too_long_to_be_one_is_left_out(build):
    wire, notes = build(event_id="x" * 501)
    assert "event_id" not in wire
    assert "event_id" in notes


def test_a_payload_is_a_piece_of_json(make):
    event = Event(event_name="Zahlung überfällig", user_data=UserData(email="a@b.de"))
    payload = make().payload(event, Consent.GRANTED, now=event.event_time)
    assert json.loads(payload.body)["event_name"] == "Zahlung überfällig"
    assert b"\n" not in payload.body
