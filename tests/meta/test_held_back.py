from __future__ import annotations

import itertools

import pytest

from capi_plugins.consent import Consent
from capi_plugins.destinations.meta.fields import MESSAGING_EVENTS, TOO_BROAD
from capi_plugins.events import CustomData, Event, UserData
from capi_plugins.exceptions import InvalidEvent

NOW = 1_800_000_000
AMOUNT = {"value": 142.52, "currency": "USD"}
VALUES = {
    "ct": ("city", "Menlo Park"),
    "country": ("country", "US"),
    "st": ("state", "CA"),
    "zp": ("zip", "94025"),
    "ge": ("gender", "f"),
    "client_user_agent": ("client_user_agent", "Mozilla/5.0"),
    "db": ("date_of_birth", "1997-02-16"),
    "fn": ("first_name", "Mary"),
    "ln": ("last_name", "Smith"),
}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"event_time": NOW - 8 * 86400}, "more than 7 days"),
        ({"event_time": NOW - 7 * 86400}, "more than 7 days"),
        ({"event_time": 0}, "more than 7 days"),
        ({"event_time": NOW - 63 * 86400, "action_source": "physical_store"}, "62 days"),
        ({"user_data": {}}, "no usable match key"),
        ({"user_data": {"email": "not-an-email", "phone": "null"}}, "no usable match key"),
        ({"user_data": {"partner_name": "x", "page_id": "1"}}, "no usable match key"),
        ({"user_data": {"fi": "M", "gender": "f"}}, "too broad"),
        ({"user_data": {"doby": "1997"}}, "too broad"),
        ({"event_name": "Purchase", "custom_data": {"value": 1}}, "currency"),
        ({"event_name": "Purchase", "custom_data": {"currency": "EUR"}}, "value"),
        ({"event_name": "Purchase"}, "currency"),
        (
            {"event_name": "Purchase", "custom_data": {"value": "abc", "currency": "EUR"}},
            "value",
        ),
        (
            {"event_name": "Purchase", "custom_data": {"value": 5, "currency": "US Dollar"}},
            "currency",
        ),
        (
            {"event_name": "Purchase", "custom_data": {"value": -5, "currency": "EUR"}},
            "negative",
        ),
        ({"action_source": "app"}, "advertiser_tracking_enabled"),
        ({"event_name": "x" * 201}, "event_name is longer"),
        ({"event_name": "\ud800"}, "event_name is not valid"),
        ({"event_name": "\x00"}, "event_name is empty"),
        (
            {"custom_data": {"contents": [{"id": "x" * 1900}] * 200}},
            "larger than",
        ),
        ({"event_name": "AppendAttribution"}, "attribution_data.ad_id"),
        (
            {
                "event_name": "AppendAttribution",
                "attribution_data": {
                    "ad_id": "1",
                    "touchpoint_ts": NOW,
                    "attribution_share": 2,
                    "attribution_value": 1,
                },
                "original_event_data": {"event_name": "Purchase", "event_time": NOW},
                "custom_data": {"currency": "EUR"},
            },
            "attribution_share$",
        ),
    ],
)
def test_what_meta_would_refuse_is_held_back(build, fields, reason):
    with pytest.raises(InvalidEvent, match=reason):
        build(fields)


MESSENGER = {"page_id": "1", "page_scoped_user_id": "2"}


@pytest.mark.parametrize(
    ("name", "channel", "user", "reason"),
    [
        ("Lead", "messenger", MESSENGER, "other event names"),
        ("Purchase", None, MESSENGER, "messaging_channel"),
        ("Purchase", "sms", MESSENGER, "messaging_channel"),
        ("Purchase", "messenger", {"page_id": "1"}, "page_scoped_user_id"),
        ("Purchase", "messenger", {"page_scoped_user_id": "1"}, "page_id"),
        ("Purchase", "whatsapp", {"ctwa_clid": "Ab-_" * 12}, "whatsapp_business_account_id or"),
        ("Purchase", "whatsapp", {"page_id": "1"}, "ctwa_clid"),
        ("Purchase", "whatsapp", {"page_id": "1", "ctwa_clid": "made-up"}, "ctwa_clid"),
        ("Purchase", "instagram", {"ig_sid": "1"}, "ig_account_id"),
        ("Purchase", "instagram", {"ig_account_id": "1"}, "ig_sid"),
    ],
)
def test_messaging_events_meta_would_refuse_are_held_back(build, name, channel, user, reason):
    with pytest.raises(InvalidEvent, match=reason):
        build(
            event_name=name,
            action_source="business_messaging",
            messaging_channel=channel,
            user_data=user,
            custom_data=AMOUNT,
        )


@pytest.mark.parametrize("name", sorted(MESSAGING_EVENTS))
def test_the_events_of_messaging_pass(build, name):
    wire, _ = build(
        event_name=name,
        action_source="business_messaging",
        messaging_channel="messenger",
        user_data=MESSENGER,
        custom_data=AMOUNT,
    )
    assert wire["event_name"] == name


BROAD = sorted(
    {
        subset
        for keys in TOO_BROAD
        for size in range(1, len(keys) + 1)
        for subset in itertools.combinations(sorted(keys), size)
    }
)


@pytest.mark.parametrize("keys", BROAD, ids="+".join)
def test_customer_information_that_is_too_broad_is_held_back(build, keys):
    with pytest.raises(InvalidEvent, match="too broad") as raised:
        build(user_data=dict(VALUES[key] for key in keys))
    for _, value in VALUES.values():
        assert len(value) < 3 or value not in str(raised.value)


@pytest.mark.parametrize(
    "keys",
    [
        {"first_name": "Mary", "last_name": "Smith"},
        {"first_name": "Mary", "zip": "94025"},
        {"date_of_birth": "1997-02-16", "zip": "94025"},
        {"client_ip_address": "8.8.8.8"},
        {"fbp": "fb.1.1596403881668.1"},
        {"external_id": "1"},
        {"lead_id": "1234567890123456"},
        {"madid": "38400000-8cf0-11bd-b23e-10b96e40000d"},
    ],
)
def test_enough_customer_information_passes(build, keys):
    assert build(user_data=keys)[0]["user_data"]


def test_a_purchase_of_nothing_passes(build):
    wire, _ = build(event_name="Purchase", custom_data={"value": 0, "currency": "eur"})
    assert wire["custom_data"] == {"value": 0, "currency": "EUR"}


def test_a_store_may_be_two_months_late(build):
    wire, _ = build(action_source="physical_store", event_time=NOW - 61 * 86400)
    assert wire["event_time"] == NOW - 61 * 86400


def test_a_denied_event_never_becomes_a_payload(make):
    event = Event(event_name="Lead", user_data=UserData(email="a@b.de"), custom_data=CustomData())
    with pytest.raises(InvalidEvent, match="consent"):
        make().payload(event, Consent.DENIED, now=event.event_time)
