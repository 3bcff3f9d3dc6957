"""Whatever JSON a message is made of: events that Meta takes and that tell nobody's name."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capi_plugins.consent import Consent
from capi_plugins.exceptions import InvalidEvent
from capi_plugins.sandbox import rules
from capi_plugins.segment import Converter
from capi_plugins.segment.spec import ADDRESS, EVENTS, IDS, TRAITS
from tests.segment.conftest import DESTINATION, NOW, PHONE, WEB, options

EMAIL = "zyx.wvut98@mail.example"
SPELLINGS = (EMAIL, EMAIL.upper(), "zyx.wvut98%40mail.example", f"write to <{EMAIL}>, please")
NAME = "Zyxwvutsr"
CONVERTER = Converter(
    options(
        EVENTS={
            "Mapped": {
                "EVENT": "Lead",
                "EVENT_ID": "properties.key",
                "EVENT_TIME": "properties.at",
                "ACTION_SOURCE": "properties.place",
                "EVENT_SOURCE_URL": ["properties.page", "context.page.url"],
                "USER_DATA": {"email": ["properties.contact.email", "traits.email"]},
                "CUSTOM_DATA": {
                    "value": "properties.amount",
                    "currency": {"VALUE": "EUR"},
                    "everything": "properties",
                    "things": "properties.items",
                    "contents": {"EACH": "properties.items", "id": "item.id"},
                },
            }
        }
    )
)

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=30)
    | st.characters(categories=["Cs", "Cc", "Cf", "Mn", "Zs"])
    | st.sampled_from(
        [
            *SPELLINGS, f"https://shop.example/u/{EMAIL}?x=1", f"https://x:{EMAIL}@shop.example/",
            "https://shop.example/?fbclid=IwAR0abc", "https://[::1", "http://a.b/?email=x@y.zz",
            "fb.1.1554763741205.AbC", "2026-08-01T12:34:56Z", "1,234.50", "$25", "EUR", "usd",
            "ios", "android", "website", "app", "physical_store", "business_messaging", "true",
            "America/New_York", "../etc/passwd", "America", "a" * 64, "x" * 5000, 10**400, 10**40,
            -1, NOW, NOW * 1000, "Order Completed", "+1 650 555 1212", "40", "%40", "@",
        ]
    )
)  # fmt: skip
KEYS = st.sampled_from(
    [
        *IDS, *(name for names in (*TRAITS.values(), *ADDRESS.values()) for name in names),
        *"name address userAgent ip page url referrer search path library os device".split(),
        *"version type event_id action_source key".split(),
        *"app namespace build screen width density network carrier locale timezone traits".split(),
        *"consent categoryPreferences Advertising Analytics consentManagement clientIds".split(),
        *"deniedConsentIds products items contents ecommerce product_id sku id price".split(),
        *"quantity revenue value total currency order_id query category content_ids".split(),
        *"fbc fbp fbclid opt_out cookies adTrackingEnabled advertisingId".split(),
        *"dataProcessingOptions data_processing_options status level success store_data".split(),
        *"num_items net_revenue content_type content_name description properties amount".split(),
        *"campaign_ids install_referrer externalId city contact at place".split(),
    ]
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(max_size=8), inner, max_size=6)
    ),
    max_leaves=12,
)
OBJECTS = VALUES | st.dictionaries(KEYS | st.text(max_size=8), VALUES, max_size=10)
NAMES = st.sampled_from([*EVENTS, "Mapped", "My Event", EMAIL]) | VALUES
PARTS = {
    "type": st.sampled_from(["track", "page", "screen", "identify", "Track"]) | VALUES,
    "event": NAMES,
    "name": VALUES,
    "messageId": VALUES,
    "userId": VALUES,
    "anonymousId": VALUES,
    "timestamp": VALUES,
    "originalTimestamp": VALUES,
    "sentAt": VALUES,
    "receivedAt": VALUES,
    "channel": VALUES,
    "integrations": OBJECTS,
    "properties": OBJECTS,
    "traits": OBJECTS,
    "context": OBJECTS,
}
MESSAGES = st.fixed_dictionaries({}, optional=PARTS)


def merged(base, changes):
    """The message with the changes in it, part by part."""
    found = dict(base)
    for key, value in changes.items():
        held = found.get(key)
        both = isinstance(held, dict) and isinstance(value, dict)
        found[key] = merged(held, value) if both else value
    return found


LIKELY = st.builds(merged, st.sampled_from([WEB, PHONE]), MESSAGES)


def judged(message):
    """Convert, and let the strict sandbox judge; return what leaves the machine."""
    result = CONVERTER.convert(message, now=NOW)
    assert "internal error" not in result.reason
    assert result.events or result.reason
    shown = [result.reason, result.message_id or ""]
    for event in result.events:
        shown += [event.event_name, repr(event), repr(event.notes)]
        try:
            payload = DESTINATION.payload(event, event.consent or Consent.GRANTED, now=NOW)
        except InvalidEvent as reason:
            shown.append(str(reason))
            continue
        found = json.loads(payload.body)
        assert rules.every_problem(found, NOW, "strict") == ()
        shown += [payload.body.decode(), repr(payload.notes)]
    return "\n".join(shown)


QUICK = settings(deadline=None, max_examples=400, suppress_health_check=list(HealthCheck))


@QUICK
@given(LIKELY | MESSAGES | VALUES)
def test_any_message_makes_events_that_meta_takes_or_a_reason(message):
    assert "zyx.wvut98" not in judged(message).lower()


RICH = merged(
    WEB,
    {
        "name": "Home",
        "category": "Start",
        "channel": "web",
        "originalTimestamp": "2026-08-01T12:34:56Z",
        "sentAt": "2026-08-01T12:34:57Z",
        "receivedAt": "2026-08-01T12:34:58Z",
        "integrations": {"All": True, "Facebook Conversions": {"dataProcessingOptions": ["LDU"]}},
        "traits": {"name": "Ada Lovelace", "address": {"city": "Bonn", "country": "DE"}},
        "properties": {
            "query": "games", "category": "Games", "name": "Uno", "event_id": "e-1", "value": 3,
            "content_ids": ["c"], "content_type": "product", "content_name": "Uno", "status": "ok",
            "content_category": "Games", "num_items": 3, "net_revenue": 1, "delivery_category": "x",
            "predicted_ltv": 2, "item_number": "1", "store_data": {"store_code": "s"}, "level": "1",
            "lead_id": "123456789012345", "subscription_id": "s-1", "external_id": "x-1",
            "action_source": "website", "opt_out": False, "fbclid": "IwAR0", "quantity": 1,
            "fbp": "fb.1.1785500000000.1", "custom": {"deep": ["a"]}, "url": "https://a.example/",
            "data_processing_options": True, "data_processing_options_state": 1000, "sku": "s",
            "campaign_ids": "c", "install_referrer": "r", "description": "d", "price": 2,
            "max_rating_value": 5, "success": 1, "ecommerce": {"items": [{"item_id": "x"}]},
            "url_of_image": "https://shop.example/a.png", "key": "k", "amount": 5,
            "items": [{"id": "i"}], "page_id": "1", "ctwa_clid": "c" * 50, "anon_id": "a",
        },
        "context": {
            **PHONE["context"],
            "library": {"name": "analytics-python", "version": "1"},
            "page": {"path": "/a", "search": "?fbclid=IwAR0", "title": "Uno"},
            "clientIds": {"fbc": "fb.1.1785500000000.AbC"},
            "cookies": {"_fbp": "fb.1.1785500000000.1"},
            "campaign": {"source": "fb"},
            "consentManagement": {"allowedConsentIds": ["Marketing"]},
            "dataProcessingOptions": [["LDU"], 1, 1000],
        },
    },
)  # fmt: skip
AWKWARD = [
    *SPELLINGS, f"https://shop.example/u/{EMAIL}?x=1", f"https://{EMAIL}/", f"https://a.b/?q={EMAIL}",
    f"fb.1.1785500000000.{EMAIL}", f"{EMAIL} Mozilla/5.0", f"_fbp={EMAIL}; _fbc=x", [EMAIL],
    {"a": EMAIL}, {EMAIL: True}, [{"id": EMAIL, "price": EMAIL}], None, True, False, 0, -1, 1.5,
    10**18, 10**400, float("inf"), float("nan"), "", " ", "x", "x" * 3000, "\x00", "\ud800", [],
    [[]], {}, [None], "business_messaging", "app", "physical_store", "ios", "android", "page",
    "screen", "Order Completed", "Mapped", "1785587696", NOW, NOW * 1000, -NOW,
]  # fmt: skip


def paths(value, way=()):
    """Every place in a message."""
    if way:
        yield way
    members = value.items() if isinstance(value, dict) else ()
    for key, item in enumerate(value) if isinstance(value, list) else members:
        yield from paths(item, (*way, key))


def put(message, way, value):
    message = copy.deepcopy(message)
    *before, last = way
    place = message
    for step in before:
        place = place[step]
    place[last] = value
    return message


@pytest.mark.parametrize("base", [RICH, WEB, PHONE], ids=["rich", "web", "phone"])
def test_no_value_in_any_place_does_harm(base):
    for way in paths(base):
        for value in AWKWARD:
            assert "zyx.wvut98" not in judged(put(base, way, value)).lower(), way


PERSONAL = st.sampled_from(
    "first_name lastName name fullName full_name username recipient invitee_email customer_name "
    "email phone billingAddress street contact customer user".split()
)
HIDDEN = st.recursive(
    st.just(NAME) | st.just(f"for {NAME}, with love") | st.just(NAME.upper()),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(PERSONAL, inner, max_size=3),
    max_leaves=4,
)


@QUICK
@given(
    base=st.sampled_from([WEB, PHONE]),
    event=st.sampled_from(["Order Completed", "Signed Up", "My Event", "Product Viewed"]),
    properties=st.dictionaries(PERSONAL, HIDDEN),
    nested=HIDDEN,
    traits=st.dictionaries(PERSONAL, HIDDEN),
)
def test_a_name_under_a_personal_key_never_leaves_in_clear(base, event, properties, nested, traits):
    properties = {**properties, "user": nested, "billing": {"last_name": nested}}
    if event == "Product Viewed":
        # There a name is the product's.
        properties.pop("name", None)
    changes = {"event": event, "properties": properties, "context": {"traits": traits}}
    assert NAME.lower() not in judged(merged(base, changes)).lower()


@pytest.mark.parametrize("key", ["note", "gift_message", "x"])
@pytest.mark.parametrize("value", [NAME, f"To {NAME}!", {"a": [f"{NAME.upper()}"]}])
def test_what_is_known_to_be_a_name_is_found_in_other_properties(key, value):
    message = merged(WEB, {"properties": {key: value}, "context": {"traits": {"firstName": NAME}}})
    assert NAME.lower() not in judged(message).lower()


def test_deep_nesting_is_cut_off():
    value: object = EMAIL
    for _ in range(400):
        value = {"a": [value]}
    assert EMAIL not in judged(merged(WEB, {"properties": {"deep": value}, "traits": value}))
