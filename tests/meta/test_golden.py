"""The payloads that Meta's documentation shows, A to I, built from plain values."""

from __future__ import annotations

import pytest

from capi_plugins.consent import Consent

NOW = 1_800_000_000
EM = "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f"
PH = "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176"
FBC = "fb.1.1554763741205.IwAR2F4-dbP0l7Mn1IawQQGCINEz7PYXQvwjNwB_qa2ofrHyiLjcbCRxTDMgk"
EXTINFO = [
    "a2",
    "com.some.app",
    "771",
    "Version 7.7.1",
    "10.1.1",
    "OnePlus6",
    "en_US",
    "GMT-1",
    "TMobile",
    "1920",
    "1080",
    "2.00",
    "2",
    "128",
    "8",
    "USA/New York",
]

CONTENTS = [
    {"id": "sku-1", "quantity": 1, "item_price": 100},
    {
        "id": "sku-2",
        "quantity": 1,
        "item_price": 42.52,
        "delivery_category": "home_delivery",
    },
]
PURCHASE = {
    "event_name": "Purchase",
    "event_id": "order-1001",
    "action_source": "website",
    "event_source_url": "https://shop.example/thank-you",
    "referrer_url": "https://shop.example/checkout",
    "user_data": {
        "email": " John_Smith@gmail.com",
        "phone": "+1 (650) 555-1212",
        "first_name": "Mary",
        "last_name": "Smith",
        "city": "New York",
        "state": "New York",
        "zip": "10001",
        "country": "United States",
        "external_id": 12345,
        "client_ip_address": "168.212.226.204",
        "client_user_agent": "Mozilla/5.0 (X11; Linux x86_64)",
        "fbc": FBC,
        "fbp": "fb.1.1596403881668.1116446470",
    },
    "custom_data": {
        "value": "142.52",
        "currency": "usd",
        "order_id": 1001,
        "content_type": "product",
        "content_ids": ["sku-1", "sku-2"],
        "num_items": 2,
        "contents": CONTENTS,
    },
}
A = {
    "event_name": "Purchase",
    "event_time": NOW,
    "event_id": "order-1001",
    "action_source": "website",
    "event_source_url": "https://shop.example/thank-you",
    "referrer_url": "https://shop.example/checkout",
    "user_data": {
        "em": [EM],
        "ph": [PH],
        "fn": ["6915771be1c5aa0c886870b6951b03d7eafc121fea0e80a5ea83beb7c449f4ec"],
        "ln": ["6627835f988e2c5e50533d491163072d3f4f41f5c8b04630150debb3722ca2dd"],
        "ct": ["350c754ba4d38897693aa077ef43072a859d23f613443133fecbbd90a3512ca5"],
        "st": ["1b06e2003f8420d6fa42badd8f77ec0f706b976b7a48b13c567dc5a559681683"],
        "zp": ["e443169117a184f91186b401133b20be670c7c0896f9886075e5d9b81e9d076b"],
        "country": ["79adb2a2fce5c6ba215fe5f27f532d4e7edbac4b6a5e09e1ef3a08084a904621"],
        "external_id": ["5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5"],
        "client_ip_address": "168.212.226.204",
        "client_user_agent": "Mozilla/5.0 (X11; Linux x86_64)",
        "fbc": FBC,
        "fbp": "fb.1.1596403881668.1116446470",
    },
    "custom_data": {
        "value": 142.52,
        "currency": "USD",
        "order_id": "1001",
        "content_type": "product",
        "content_ids": ["sku-1", "sku-2"],
        "num_items": 2,
        "contents": CONTENTS,
    },
}
INSTALL = {
    "event_name": "MobileAppInstall",
    "action_source": "app",
    "user_data": {
        "client_ip_address": "2001:0db8:85a3:0000:0000:8a2e:0370:7334",
        "madid": "38400000-8cf0-11bd-b23e-10b96e40000d",
        "anon_id": "12345340-1234-3456-1234-123456789012",
    },
    "app_data": {
        "advertiser_tracking_enabled": 1,
        "application_tracking_enabled": 1,
        "extinfo": EXTINFO,
    },
}
B = {**INSTALL, "event_time": NOW}
APP_PURCHASE = {
    **INSTALL,
    "event_name": "Purchase",
    "event_id": "txn-9",
    "user_data": {**INSTALL["user_data"], "email": "john_smith@gmail.com"},
    "app_data": {
        **INSTALL["app_data"],
        "extinfo": ["i2", *EXTINFO[1:]],
        "campaign_ids": "12345",
        "vendor_id": "idfv",
    },
    "custom_data": {"currency": "USD", "value": 142.52},
}
C = {**APP_PURCHASE, "event_time": NOW, "user_data": {**INSTALL["user_data"], "em": [EM]}}
STORE = {
    "event_name": "Purchase",
    "action_source": "physical_store",
    "user_data": {"email": "john_smith@gmail.com", "phone": "+16505551212"},
    "custom_data": {
        "currency": "USD",
        "value": 123.45,
        "order_id": "R-77",
        "item_number": 1,
        "contents": [{"id": "product123", "quantity": 1}],
    },
}
D = {
    "event_name": "Purchase",
    "event_time": NOW,
    "action_source": "physical_store",
    "user_data": {"em": [EM], "ph": [PH]},
    "custom_data": {**STORE["custom_data"], "item_number": "1"},
}
EMAIL = {
    "event_name": "Lead",
    "event_id": "lead-1",
    "action_source": "email",
    "user_data": {"email": "john_smith@gmail.com"},
}
E_ = {**EMAIL, "event_time": NOW, "user_data": {"em": [EM]}}
CRM = {
    "event_name": "Marketing Qualified Lead",
    "action_source": "system_generated",
    "user_data": {"lead_id": "1234567890123456", "email": "test@example.com"},
    "custom_data": {"event_source": "crm", "lead_event_source": "Salesforce"},
}
F = {
    **CRM,
    "event_time": NOW,
    "user_data": {
        "lead_id": 1234567890123456,
        "em": ["973dfe463ec85785f5f95af5ba3906eedb2d931c24e69824a89ea65dba4e813b"],
    },
}
WHATSAPP = {
    "event_name": "Purchase",
    "action_source": "business_messaging",
    "messaging_channel": "whatsapp",
    "user_data": {"whatsapp_business_account_id": "1", "ctwa_clid": "Ab-_" * 25},
    "custom_data": {"value": 10, "currency": "EUR"},
}
G = {**WHATSAPP, "event_time": NOW}
H = {
    **A,
    "data_processing_options": ["LDU"],
    "data_processing_options_country": 0,
    "data_processing_options_state": 0,
}
MINIMUM = {
    "event_name": "Lead",
    "action_source": "website",
    "event_source_url": "https://shop.example/",
    "user_data": {"email": "john_smith@gmail.com"},
}
I_ = {**MINIMUM, "event_time": NOW, "user_data": {"em": [EM]}}


@pytest.mark.parametrize(
    ("given", "consent", "expected"),
    [
        pytest.param(PURCHASE, Consent.GRANTED, A, id="A website purchase"),
        pytest.param(INSTALL, Consent.GRANTED, B, id="B app install"),
        pytest.param(APP_PURCHASE, Consent.GRANTED, C, id="C app purchase"),
        pytest.param(STORE, Consent.GRANTED, D, id="D physical store"),
        pytest.param(EMAIL, Consent.GRANTED, E_, id="E email"),
        pytest.param(CRM, Consent.GRANTED, F, id="F CRM lead"),
        pytest.param(WHATSAPP, Consent.GRANTED, G, id="G WhatsApp"),
        pytest.param(PURCHASE, Consent.LIMITED, H, id="H limited data use"),
        pytest.param(MINIMUM, Consent.GRANTED, I_, id="I minimum"),
    ],
)
def test_a_documented_payload_is_built(build, given, consent, expected):
    wire, notes = build(given, consent=consent)
    if "event_id" not in given:
        assert wire.pop("event_id") == "e-1"
    assert wire == expected
    assert not notes


@pytest.mark.parametrize("source", ["phone_call", "chat", "other", "system_generated"])
def test_other_sources_look_like_an_email(build, source):
    wire, _ = build(EMAIL, action_source=source)
    assert wire == {**E_, "action_source": source}
