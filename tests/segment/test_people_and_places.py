"""Who did it, where, and whether it may be told."""

from __future__ import annotations

import pytest

from capi_plugins.consent import Consent
from tests.segment.conftest import BROWSER, PHONE, wire

FBC = "fb.1.1785500000000.AbC"


@pytest.mark.parametrize(
    ("traits", "expected"),
    [
        ({"firstName": "Ada", "lastName": "L"}, {"first_name": "Ada", "last_name": "L"}),
        ({"first_name": "Ada", "last_name": "L"}, {"first_name": "Ada", "last_name": "L"}),
        ({"name": "Ada Lovelace"}, {"first_name": "Ada", "last_name": "Lovelace"}),
        ({"name": "Lovelace, Ada"}, {"first_name": "Ada", "last_name": "Lovelace"}),
        ({"name": "Ada King Lovelace"}, {"first_name": None, "last_name": None}),
        ({"name": "Ada"}, {"first_name": None, "last_name": None}),
        ({"name": "Ada King", "firstName": "Eve"}, {"first_name": "Eve", "last_name": None}),
        ({"phone_number": "+4930"}, {"phone": "+4930"}),
        ({"phone": 4930}, {"phone": "4930"}),
        ({"dateOfBirth": "1990-02-14", "sex": "f"}, {"date_of_birth": "1990-02-14", "gender": "f"}),
        ({"address": {"city": "Bonn", "postalCode": "53111", "country": "DE", "state": "NW"}},
         {"city": "Bonn", "zip": "53111", "country": "DE", "state": "NW"}),
        ({"address": [{"city": "Bonn", "zip": 53111}]}, {"city": "Bonn", "zip": "53111"}),
        ({"address": "Bonn", "city": "Köln"}, {"city": "Köln"}),
        ({"email": ["a@b.de", "c@d.de"]}, {"email": ["a@b.de", "c@d.de"]}),
        ({"email": {"a": 1}, "phone": True, "address": [[]]}, {"email": None, "phone": None}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", ["context.traits", "traits"])
def test_match_keys_are_found_in_every_spelling(web, place, traits, expected):
    user = web({"context.traits": None} | {place: traits}).user_data
    assert {name: getattr(user, name) for name in expected} == expected


def test_both_ids_are_external_ids(web):
    assert web().user_data.external_id == ["u-1", "a-1"]
    assert web({"userId": None}).user_data.external_id == ["a-1"]
    assert web({"userId": "a-1"}).user_data.external_id == ["a-1"]
    assert web({"userId": "", "anonymousId": 5}).user_data.external_id == ["5"]


def test_a_user_id_that_is_an_address_is_an_address(web):
    user = web({"userId": "ada@example.com", "context.traits": None}).user_data
    assert user.email == "ada@example.com"
    assert user.external_id == ["ada@example.com", "a-1"]


@pytest.mark.parametrize(
    "place",
    [
        "properties.fbc", "properties._fbc", "context.fbc", "context.clientIds.fbc",
        "context.traits.fbc", "traits.fbc", "context.cookies._fbc", "context.page.cookies._fbc",
    ],
)  # fmt: skip
def test_a_click_cookie_is_found_wherever_tools_put_it(web, place):
    event = web({place: FBC, place.replace("fbc", "fbp"): "fb.1.1785500000000.123"})
    sent = wire(event)["user_data"]
    assert sent["fbc"] == FBC
    assert sent["fbp"] == "fb.1.1785500000000.123"


def test_cookies_may_be_the_header(web):
    sent = wire(web({"context.cookies": f"a=1; _fbc={FBC}; _fbp=fb.1.1785500000000.1"}))
    assert sent["user_data"]["fbc"] == FBC


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"context.page.url": "https://shop.example/?fbclid=New_1"}, "fb.1.1785587696000.New_1"),
        ({"context.page.search": "?a=1&fbclid=New_1"}, "fb.1.1785587696000.New_1"),
        ({"properties.fbclid": "New_1"}, "fb.1.1785587696000.New_1"),
        ({"context.fbclid": "New_1", "context.fbclid_time": "1785500001234"},
         "fb.1.1785500001000.New_1"),
        # The click that the cookie is about.
        ({"context.page.url": "https://shop.example/?fbclid=AbC", "context.fbc": FBC}, FBC),
        # A later one.
        ({"context.page.url": "https://shop.example/?fbclid=New_1", "context.fbc": FBC},
         "fb.1.1785587696000.New_1"),
        # The later one is the cookie's.
        ({"context.fbclid": "Old_1", "context.fbclid_time": "2026-07-01T00:00:00Z",
          "context.fbc": FBC}, FBC),
        ({"properties.fbc": "broken", "context.fbc": FBC}, FBC),
    ],
)  # fmt: skip
def test_a_click_has_its_own_time(web, changes, expected):
    assert wire(web(changes))["user_data"]["fbc"] == expected


def test_a_website_event_has_page_and_browser(web):
    sent = wire(web({"context.page.url": "https://shop.example/a?email=x%40y.de&b=1#top"}))
    assert sent["action_source"] == "website"
    assert sent["event_source_url"] == "https://shop.example/a?b=1"
    assert sent["referrer_url"] == "https://shop.example/pay"
    assert sent["user_data"]["client_user_agent"] == BROWSER
    assert sent["user_data"]["client_ip_address"] == "203.0.113.7"


@pytest.mark.parametrize("missing", ["context.page", "context.userAgent"])
def test_a_website_event_without_them_happened_elsewhere_for_meta(web, missing):
    event = web({missing: None})
    assert wire(event)["action_source"] == "other"
    assert "action_source" in {note.field for note in event.notes}


def test_the_site_stands_in_for_a_page_that_is_missing(web):
    sent = wire(web({"context.page": None}, SITE_URL="https://shop.example/"))
    assert sent["event_source_url"] == "https://shop.example/"
    sent = wire(web({"context.page": {"path": "/cart"}}, SITE_URL="https://shop.example/"))
    assert (sent["action_source"], sent["event_source_url"]) == (
        "website", "https://shop.example/cart",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"context.library.name": "analytics-python", "context.page": None}, "other"),
        ({"context.library.name": "analytics-python"}, "website"),
        ({"context.library": None, "channel": "web"}, "website"),
        ({"context.library.name": "axios", "context.page": None}, "other"),
        ({"context.library.name": "RudderLabs JavaScript SDK"}, "website"),
        ({"context.library": "x", "context.page": None, "channel": "server"}, "other"),
        ({"properties.action_source": "physical_store"}, "physical_store"),
        ({"context.actionSource": "Phone-Call"}, "phone_call"),
        ({"properties.action_source": "nonsense"}, "website"),
    ],
)
def test_where_it_happened_is_said_or_derived(web, changes, expected):
    assert web(changes).action_source == expected


def test_the_place_of_what_does_not_tell_is_an_option(web):
    changes = {"context": {"traits": {"email": "a@b.de"}}}
    assert web(changes, ACTION_SOURCE="physical_store").action_source == "physical_store"


def test_a_phone_tells_meta_of_app_and_device(phone):
    sent = wire(phone())
    assert sent["action_source"] == "app"
    assert sent["app_data"] == {
        "advertiser_tracking_enabled": 1,
        "application_tracking_enabled": 1,
        "extinfo": [
            "i2", "com.shop", "321", "3.2.1", "17.4.1", "iPhone15,2", "en-US", "PDT",
            "T-Mobile US", "393", "852", "3", "", "", "", "America/Los_Angeles",
        ],
        "vendor_id": PHONE["context"]["device"]["id"],
    }  # fmt: skip
    assert sent["user_data"]["madid"] == PHONE["context"]["device"]["advertisingId"]


@pytest.mark.parametrize(
    "library",
    ["analytics-ios", "analytics-kotlin", "analytics-react-native", "com.rudderstack.android.sdk"],
)
def test_libraries_of_apps_are_known(phone, library):
    assert phone({"context.library.name": library, "channel": None}).action_source == "app"


@pytest.mark.parametrize(
    ("device", "flag"),
    [
        ({"adTrackingEnabled": False}, 0),
        ({"adTrackingEnabled": "true"}, 1),
        ({"adTrackingEnabled": None}, 0),
        ({"adTrackingEnabled": None, "trackingStatus": "authorized"}, 1),
        ({"adTrackingEnabled": None, "trackingStatus": "denied"}, 0),
    ],
)
def test_no_answer_is_no_permission_to_track(phone, device, flag):
    sent = wire(phone({f"context.device.{key}": value for key, value in device.items()}))
    assert sent["app_data"]["advertiser_tracking_enabled"] == flag
    if device["adTrackingEnabled"] is False:
        assert "madid" not in sent["user_data"]


@pytest.mark.parametrize(
    ("system", "version"),
    [("iPadOS", "i2"), ("watchOS", "i2"), ("Android", "a2"), ("android", "a2")],
)
def test_systems_have_metas_names(phone, system, version):
    sent = wire(phone({"context.os.name": system}))
    assert sent["app_data"]["extinfo"][0] == version


@pytest.mark.parametrize(
    "changes",
    [
        {"context.os.version": None},
        {"context.os": "iOS 17"},
        {"context.os.name": "Windows", "context.device": None},
    ],
)
def test_an_app_event_without_what_meta_demands_happened_elsewhere(phone, changes):
    event = phone(changes)
    assert event.app_data is None
    assert wire(event)["action_source"] == "other"


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"All": False}, False),
        ({"all": "false"}, False),
        (False, False),
        ({"All": False, "Facebook Conversions API": True}, True),
        ({"All": False, "Facebook Conversions API (Actions)": {"a": 1}}, True),
        ({"Facebook Conversions API": False}, False),
        ({"FACEBOOK_CONVERSIONS": False}, False),
        ({"Facebook Pixel": False, "Mixpanel": False}, True),
        ({"Our CAPI": False}, False),
        ({"All": True}, True),
        ({}, True),
        ("nonsense", True),
        ([], True),
    ],
)
def test_integrations_decide_whether_a_message_is_for_us(web, refused, given, sent):
    if sent:
        web({"integrations": given}, INTEGRATIONS=["Our CAPI"])
    else:
        reason = refused({"integrations": given}, INTEGRATIONS=["Our CAPI"])
        assert reason.startswith("integrations: ")


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        ({"categoryPreferences": {"Advertising": False, "Analytics": True}}, Consent.DENIED),
        ({"categoryPreferences": {"Advertising": True, "Analytics": False}}, Consent.GRANTED),
        ({"categoryPreferences": {"Advertising": True, "marketing": False}}, Consent.DENIED),
        ({"categoryPreferences": {"C0004": "true"}}, Consent.GRANTED),
        ({"categoryPreferences": {"C0004": 5}}, Consent.DENIED),
        ({"categoryPreferences": {"Analytics": True}}, None),
        ({"categoryPreferences": "unreadable"}, Consent.DENIED),
        ("unreadable", Consent.DENIED),
        ({"categoryPreferences": {}}, None),
        ({}, None),
    ],
)
def test_the_banner_that_a_message_tells_of_is_heard(web, context, expected):
    assert web({"context.consent": context}).consent is expected


def test_the_categories_may_be_named(web):
    def consent(**preferences):
        changes = {"context.consent.categoryPreferences": preferences}
        return web(changes, CONSENT_CATEGORIES=["Meta", "Ads"]).consent

    assert consent(Meta=True, Ads=True) is Consent.GRANTED
    assert consent(Meta=True) is Consent.DENIED
    assert consent(Meta=True, Ads=False) is Consent.DENIED
    assert web({}, CONSENT_CATEGORIES=["Meta"]).consent is None


def test_rudderstacks_lists_are_heard(web):
    place = "context.consentManagement"
    assert web({place: {"deniedConsentIds": ["C0004"]}}).consent is Consent.DENIED
    assert web({place: {"allowedConsentIds": ["Marketing"]}}).consent is Consent.GRANTED


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"context.dataProcessingOptions": [["LDU"], 1, 1000]}, (["LDU"], 1, 1000)),
        ({"context.dataProcessingOptions": ["LDU", 1, "1000"]}, (["LDU"], 1, 1000)),
        ({"context.dataProcessingOptions": ["LDU"]}, (["LDU"], 0, 0)),
        ({"context.dataProcessingOptions": []}, ([], None, None)),
        ({"properties.data_processing_options": True}, (["LDU"], 0, 0)),
        ({"properties.data_processing_options": False}, ([], None, None)),
        ({"integrations": {"Facebook Conversions": {"dataProcessingOptions": [["LDU"], 1, 1005]}}},
         (["LDU"], 1, 1005)),
        ({}, (None, None, None)),
    ],
)  # fmt: skip
def test_limited_data_use_is_passed_on(web, changes, expected):
    sent = wire(web(changes))
    names = ("", "_country", "_state")
    assert tuple(sent.get(f"data_processing_options{name}") for name in names) == expected


def test_limited_data_use_may_hold_for_all(web):
    assert wire(web({}, LIMITED_DATA_USE=True))["data_processing_options"] == ["LDU"]


@pytest.mark.parametrize(
    ("zone", "abbreviation"),
    [("Europe/Berlin", "CEST"), ("Nowhere/Land", ""), ("../../etc/passwd", ""), ("America", "")],
)
def test_a_time_zone_has_the_name_of_the_day_or_none(phone, zone, abbreviation):
    extinfo = wire(phone({"context.timezone": zone}))["app_data"]["extinfo"]
    assert (extinfo[7], extinfo[15]) == (abbreviation, zone)


def test_tracking_may_be_answered_in_metas_own_words(phone):
    sent = wire(
        phone(
            {
                "properties.advertiser_tracking_enabled": 0,
                "properties.application_tracking_enabled": 1,
                "properties.campaign_ids": "23842",
            }
        )
    )
    assert sent["app_data"]["advertiser_tracking_enabled"] == 0
    assert sent["app_data"]["application_tracking_enabled"] == 1
    assert sent["app_data"]["campaign_ids"] == "23842"
    assert sent["custom_data"] == {"from_background": False}


@pytest.mark.parametrize("length", [3_000, 9_000])
def test_a_long_query_costs_the_query_or_the_url(web, length):
    event = web({"context.page.url": f"https://shop.example/a?q={'x' * length}"})
    if length < 8_000:
        assert wire(event)["event_source_url"] == "https://shop.example/a"
    else:
        assert event.event_source_url is None
        assert wire(event)["action_source"] == "other"
