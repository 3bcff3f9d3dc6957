"""Which event a message becomes, and what it says."""

from __future__ import annotations

import pytest

from capi_plugins.segment.message import amount
from capi_plugins.segment.spec import _SPEC, EVENTS, fold
from tests.segment.conftest import NOW, WEB, changed, convert, wire


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("Order Completed", "Purchase"),
        ("order completed", "Purchase"),
        (" ORDER_COMPLETED ", "Purchase"),
        ("orderCompleted", "Purchase"),
        ("Completed Order", "Purchase"),
        ("Viewed Product", "ViewContent"),
        ("Viewed Product Category", "ViewContent"),
        ("Added Product", "AddToCart"),
        ("Product Added To Wishlist", "AddToWishlist"),
        ("Started Checkout", "InitiateCheckout"),
        ("start_trial", "StartTrial"),
        ("submitApplication", "SubmitApplication"),
        ("Lead Generated", "Lead"),
        ("My Event", "My Event"),
        ("Completed order form", "Completed order form"),
        ("Bestellung", "Bestellung"),
        ("注文", "注文"),
        ("!", "!"),
    ],
)
def test_a_name_is_known_in_every_spelling(web, name, event):
    assert web({"event": name}).event_name == event


def test_every_event_of_the_spec_has_a_rule_under_both_orders_of_words():
    for name in _SPEC:
        *words, verb = name.split()
        assert fold(name) in EVENTS
        assert fold(" ".join([verb, *words])) in EVENTS


@pytest.mark.parametrize("kind", ["identify", "group", "alias"])
def test_calls_about_people_make_no_event(refused, kind):
    assert refused({"type": kind}) == f"a call of type {kind} is no event"


@pytest.mark.parametrize(
    "changes",
    [{"event": None}, {"event": ""}, {"event": 42}, {"event": ["Order Completed"]}],
)
def test_a_tracked_event_needs_a_name(refused, changes):
    assert refused(changes) == "event must be the name of the event, as text"


@pytest.mark.parametrize("message", [None, 1, "track", [], [{"type": "track"}], {}, {"type": "x"}])
def test_what_is_no_message_is_told(message):
    result = convert(message)
    assert result.events == ()
    assert result.reason


def test_a_page_is_a_page_view_with_its_name_and_category(web):
    event = web({"type": "page", "event": None, "name": "Home", "category": "Start"})
    sent = wire(event)
    assert sent["event_name"] == "PageView"
    assert sent["custom_data"]["content_name"] == "Home"
    assert sent["custom_data"]["content_category"] == "Start"


def test_a_screen_is_a_page_view_in_the_app(phone):
    sent = wire(phone({"type": "screen", "event": None, "name": "Cart"}))
    assert (sent["event_name"], sent["action_source"]) == ("PageView", "app")


def test_an_order_says_what_was_bought_and_what_it_cost(web):
    assert wire(web())["custom_data"] == {
        "value": 25.0,
        "currency": "USD",
        "content_ids": ["p-1", "p-2"],
        "content_type": "product",
        "contents": [
            {"id": "p-1", "quantity": 1, "item_price": 19},
            {"id": "p-2", "quantity": 2, "item_price": 3},
        ],
        "order_id": "O-1",
        "num_items": 3,
        "revenue": 25.0,
        "total": 30.5,
    }


@pytest.mark.parametrize(
    ("written", "field", "expected"),
    [
        ({"PRODUCT_ID": ["sku"]}, "content_ids", ["s-1", "s-2"]),
        ({"PRODUCT_ID": "SKU"}, "content_ids", ["s-1", "s-2"]),
        ({"VALUE": ["total"]}, "value", 30.5),
        ({"VALUE": ["missing"]}, "value", 25),  # 19 + 2 * 3
        ({"NUM_ITEMS": "lines"}, "num_items", 2),
        ({"NUM_ITEMS": "none"}, "num_items", None),
        ({"PROPERTIES": False}, "total", None),
        ({"PROPERTIES": ["Total"]}, "revenue", None),
        ({"PROPERTIES": ["Total"]}, "total", 30.5),
        ({"CURRENCY": "EUR"}, "currency", "USD"),
    ],
)
def test_an_option_changes_what_an_order_says(web, written, field, expected):
    assert wire(web(**written))["custom_data"].get(field) == expected


ONE = {"product_id": "p", "price": "4.50", "quantity": 2, "currency": "EUR", "value": 9}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ({}, 4.5),
        ({"TIMES_QUANTITY": True}, 9),
        ({"PRODUCT_VALUE": ["value", "price"]}, 9),
        ({"PRODUCT_VALUE": ["other"]}, 9),
    ],
)
def test_the_amount_of_one_product_is_an_option(web, written, value):
    event = web({"event": "Product Added", "properties": dict(ONE)}, **written)
    assert wire(event)["custom_data"]["value"] == value


def test_a_currency_is_assumed_only_where_there_is_none(web):
    for given, expected in [(None, "EUR"), ("", "EUR"), ("gbp", "GBP"), ("£", "GBP")]:
        event = web(
            {"event": "Lead", "properties": {"value": 1, "currency": given}}, CURRENCY="EUR"
        )
        assert wire(event)["custom_data"]["currency"] == expected
    event = web({"event": "Lead", "properties": {"value": 1, "currency": "USDT"}}, CURRENCY="EUR")
    assert "custom_data" not in wire(event)


def test_a_count_that_is_given_is_taken(web):
    event = web({"event": "Product Added", "properties": {"product_id": "a", "num_items": 4}})
    assert wire(event)["custom_data"]["num_items"] == 4


def test_what_costs_nothing_has_no_currency(web):
    event = web({"type": "page", "event": None, "properties": None}, CURRENCY="EUR")
    assert "custom_data" not in wire(event)


def test_the_name_of_a_promotion_is_its_own(web):
    promotion = {"promotion_id": "p", "creative": "top", "name": "75% store-wide shoe sale"}
    assert wire(web({"event": "Promotion Viewed", "properties": promotion}))["custom_data"] == {
        "content_name": "75% store-wide shoe sale",
        "promotion_id": "p",
        "creative": "top",
    }


@pytest.mark.parametrize(
    "products",
    [
        [{"id": "a", "quantity": "3"}],
        [{"productId": "a", "quantity": 3.0}],
        [{"price": 1}, {"product_id": "a", "quantity": 3}, "b", None, {"product_id": {}}],
        [{"product_id": "a", "quantity": 3}, {"product_id": "b", "quantity": 0}],
        {"product_id": "a", "quantity": 3},
    ],
)
def test_one_bad_product_costs_that_product(web, products):
    custom = wire(web({"properties.products": products}))["custom_data"]
    assert custom["contents"] == [{"id": "a", "quantity": 3}]
    assert custom["content_ids"] == ["a"]
    assert custom["num_items"] == 3


@pytest.mark.parametrize("place", ["items", "ecommerce.items", "contents", "line_items"])
def test_products_are_found_where_other_tools_put_them(web, place):
    event = web({"properties.products": None, f"properties.{place}": [{"item_id": "x"}]})
    assert wire(event)["custom_data"]["content_ids"] == ["x"]


@pytest.mark.parametrize("name", ["Order Refunded", "Order Cancelled", "Order Updated"])
def test_what_was_counted_already_has_no_value(web, name):
    sent = wire(web({"event": name, "properties.value": 25}))
    assert sent["event_name"] == name
    assert "value" not in sent["custom_data"]
    assert sent["custom_data"]["order_id"] == "O-1"


def test_a_registration_takes_the_contact_data_of_its_properties(web):
    event = web(
        {
            "event": "Signed Up",
            "context.traits": None,
            "properties": {"type": "invited", "first_name": "Ada", "email": "ada@example.com"},
        }
    )
    assert event.user_data.email == "ada@example.com"
    assert event.user_data.first_name == "Ada"
    assert wire(event)["custom_data"] == {"type": "invited"}


@pytest.mark.parametrize("name", ["Invite Sent", "Product Shared", "Account Added User"])
def test_contact_data_of_others_are_not_the_visitors(web, name):
    event = web({"event": name, "properties": {"email": "friend@example.com"}})
    assert event.user_data.email == "jane@example.com"
    event = web({"event": name, "context.traits": None, "properties.email": "friend@example.com"})
    assert event.user_data.email is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (25, 25), (0, 0), (-3.5, -3.5), ("25.00", 25), ("$25", 25), ("1,234.50", 1234.5),
        ("1.234,50 €", 1234.5), ("EUR 12", 12), ("12,5", 12.5), ("1 234,50", 1234.5),
        ("1'234.50", 1234.5), ("-$5.00", -5), ("1.234.567", 1234567), ("1,234,567", 1234567),
        ("0.999", 0.999), (".5", 0.5), ("5.", 5),
        ("1,234", None), ("", None), ("free", None), ("1.2.3", None), ("12-13", None),
        (True, None), (None, None), ([5], None), ({}, None), (float("nan"), None),
        (float("inf"), None), (10**400, None), ("1e5", None), ("٣", None), ("1,,5", None),
    ],
)  # fmt: skip
def test_an_amount_is_read_or_it_is_none(given, expected):
    assert amount(given) == expected


def test_what_is_about_a_person_is_not_passed_on(web):
    event = web(
        {
            "event": "My Event",
            "context.traits": {"name": "Jane Doe", "phone": "+1 650 555 1212"},
            "properties": {
                "plan": "pro", "seats": 3, "beta": True, "product_name": "Uno", "tags": ["a", "b"],
                "name": "Jane", "invitee_email": "x", "billingPhone": "1", "Recipient": "Jim",
                "note": "call Jane", "phone2": "x", "memo": "650 555-1212", "number": 16505551212,
                "link": "https://shop.example/u/jane@example.com/?token=1&x=1",
                "nested": {"first_name": "Jane", "size": "XL", "list": [{"email": "e"}, {"a": 1}]},
                "jane@example.com": 1, "doe": 2,
            },
        }
    )  # fmt: skip
    assert wire(event)["custom_data"] == {
        "plan": "pro",
        "seats": 3,
        "beta": True,
        "product_name": "Uno",
        "tags": ["a", "b"],
        "link": "https://shop.example/u/-/?x=1",
        "nested": {"size": "XL", "list": [{"a": 1}]},
    }


def test_a_message_id_is_the_event_id_unless_one_is_given(web):
    assert web().event_id == "m-1"
    assert web({"messageId": 77}).event_id == "77"
    for place in ("properties.event_id", "context.eventId", "context.traits.event_id"):
        assert web({place: "given"}).event_id == "given"
    assert web({"messageId": None}).event_id != web({"messageId": None}).event_id


@pytest.mark.parametrize("given", ["jane@example.com", "x" * 600, "a\x00b"])
def test_an_id_that_cannot_be_sent_is_replaced_by_the_same_digest_each_time(web, given):
    event = web({"messageId": given})
    assert len(event.event_id) == 64
    assert event.event_id == web({"messageId": given}).event_id
    assert wire(event)["event_id"] == event.event_id


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ({}, 1785587696),
        ({"timestamp": 1785587696}, 1785587696),
        ({"timestamp": 1785587696789}, 1785587696),
        ({"timestamp": "2026-08-01T14:34:56+02:00"}, 1785587696),
        # As the server stored it: corrected already.
        ({"originalTimestamp": "2026-08-01T10:00:00Z", "sentAt": "2026-08-01T10:00:05Z",
          "receivedAt": "2026-08-01T12:35:00Z"}, 1785587696),
        # As the device sent it: its clock is two hours late, and it waited five seconds.
        ({"timestamp": "2026-08-01T10:00:00Z", "sentAt": "2026-08-01T10:00:05Z",
          "receivedAt": "2026-08-01T12:35:00Z"}, 1785587695),
        ({"timestamp": None, "originalTimestamp": "2026-08-01T10:00:00Z",
          "sentAt": "2026-08-01T10:00:05Z", "receivedAt": "2026-08-01T12:35:00Z"}, 1785587695),
        ({"timestamp": None, "originalTimestamp": "2026-08-01T12:34:56Z"}, 1785587696),
        ({"timestamp": "yesterday", "receivedAt": "2026-08-01T12:34:56Z"}, 1785587696),
        ({"timestamp": "", "sentAt": "2026-08-01T12:34:56Z"}, 1785587696),
        ({"timestamp": "1970-01-01T00:00:00Z"}, NOW),
        ({"timestamp": "2199-01-01T00:00:00Z"}, NOW),
        ({"timestamp": None}, NOW),
        ({"timestamp": [], "sentAt": {}, "receivedAt": True}, NOW),
    ],
)  # fmt: skip
def test_an_event_happened_when_the_best_clock_says(web, times, expected):
    assert web(times).event_time == expected


@pytest.mark.parametrize("name", ["Jane Doe signed up", "jane-doe", "Doe", "mail jane@x.de"])
def test_an_event_called_after_a_person_is_not_sent(refused, name):
    assert "name" in refused({"event": name, "context.traits": {"name": "Jane Doe"}})


class Broken(dict):
    def get(self, *_):
        raise RuntimeError("jane@example.com")


def test_a_mistake_of_ours_is_told_without_what_the_message_holds(caplog):
    result = convert(Broken(type="track"))
    assert result.events == ()
    assert result.reason == "internal error: RuntimeError"
    assert "RuntimeError" in caplog.text
    assert "jane" not in caplog.text


def test_a_message_is_never_changed():
    message = changed(WEB, {"type": "page", "name": "Home"})
    before = repr(message)
    convert(message)
    assert repr(message) == before
