from __future__ import annotations

import datetime as dt
import decimal
import enum
import json
import uuid

import pytest

from capi_plugins.consent import Consent
from capi_plugins.destinations.meta.custom_fields import CUSTOM_DATA_ENUMS, CUSTOM_DATA_TYPES
from capi_plugins.events import Content, CustomData, Event, UserData


def test_amounts_become_numbers(custom):
    sent, notes = custom(
        value=decimal.Decimal("142.52"), currency="usd", predicted_ltv="1,234.50", net_revenue=-3
    )
    assert sent == {"value": 142.52, "currency": "USD", "predicted_ltv": 1234.5, "net_revenue": -3}
    assert not notes


@pytest.mark.parametrize("currency", ["US Dollar", "XYZ", "", 978, None, "€"])
def test_a_value_without_a_valid_currency_is_left_out(custom, currency):
    sent, notes = custom(value=5, currency=currency)
    assert sent == {}
    assert "custom_data.value" in notes


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "1,234", "abc", True, [], b"1"])
def test_a_bad_value_is_left_out(custom, value):
    sent, notes = custom(value=value, currency="EUR")
    assert sent == {"currency": "EUR"}
    assert "custom_data.value" in notes


def test_ids_become_text(custom):
    sent, _ = custom(
        order_id=1001,
        content_ids=[1, "b", uuid.UUID(int=1)],
        item_number=1.0,
        contents=[{"id": 7, "quantity": "2", "item_price": "9.99"}],
    )
    assert sent == {
        "order_id": "1001",
        "content_ids": ["1", "b", "00000000-0000-0000-0000-000000000001"],
        "item_number": "1",
        "contents": [{"id": "7", "quantity": 2, "item_price": 9.99}],
    }


def test_an_entry_of_contents_without_an_id_is_left_out(custom):
    sent, notes = custom(contents=[{"quantity": 1}, {"id": ""}, {"id": "a"}, "b", None])
    assert sent["contents"] == [{"id": "a"}]
    assert "custom_data.contents" in notes


def test_contents_of_which_nothing_is_left_are_left_out(custom):
    sent, notes = custom(contents=[{"quantity": 1}])
    assert sent == {}
    assert notes["custom_data.contents"] == "has no usable entry"


def test_a_bad_member_of_an_entry_costs_the_member(custom):
    entry = {"id": "a", "quantity": 0, "item_price": "x", "delivery_category": "drone", "size": 4}
    sent, notes = custom(contents=[entry])
    assert sent["contents"] == [{"id": "a"}]
    assert {
        "custom_data.contents",
        "custom_data.contents.quantity",
        "custom_data.contents.item_price",
        "custom_data.contents.delivery_category",
    } == set(notes)


def test_entries_may_be_values_of_the_class(make, now):
    data = CustomData(contents=(Content(id="a", quantity=1, item_price=decimal.Decimal("1.5")),))
    event = Event(
        event_name="Lead", event_time=now, user_data=UserData(email="a@b.de"), custom_data=data
    )
    sent = json.loads(make().payload(event, Consent.GRANTED, now=now).body)["custom_data"]
    assert sent == {"contents": [{"id": "a", "quantity": 1, "item_price": 1.5}]}


@pytest.mark.parametrize("field", CUSTOM_DATA_ENUMS)
def test_the_words_of_meta_are_taken_in_any_case(custom, field):
    for word in CUSTOM_DATA_ENUMS[field]:
        sent, notes = custom(**{field: f" {word.swapcase()} "})
        assert sent == {field: word}
        assert not notes
    sent, notes = custom(**{field: "subscription"})
    assert sent == {}
    assert f"custom_data.{field}" in notes


def test_a_status_may_be_a_truth_value(custom):
    assert custom(status=True)[0] == {"status": "true"}
    assert custom(success="yes")[0] == {"success": 1}


def test_store_data_holds_what_meta_knows(custom):
    sent, notes = custom(
        store_data={"store_page_id": "123", "store_code": "x" * 65, "brand_page_id": 4, "x": 1}
    )
    assert sent == {"store_data": {"store_page_id": 123, "brand_page_id": 4}}
    assert "custom_data.store_data.store_code" in notes


def test_the_fields_of_travel_property_and_cars_have_their_types(custom):
    sent, notes = custom(
        checkin_date=dt.date(2026, 12, 24),
        travel_start="2026-12-24T10:00:00+01:00",
        num_adults="2",
        num_children=-1,
        hotel_score="8.5",
        destination_ids=["a", 1],
        preferred_price_range=[100, 200],
        mileage={"value": 1000, "unit": "KM"},
        fuel_type="diesel",
        year=2026,
        lease_end_date="soon",
    )
    assert sent == {
        "checkin_date": "2026-12-24",
        "travel_start": "2026-12-24T10:00:00+01:00",
        "num_adults": 2,
        "hotel_score": 8.5,
        "destination_ids": ["a", "1"],
        "preferred_price_range": [100, 200],
        "mileage": {"value": 1000, "unit": "KM"},
        "fuel_type": "DIESEL",
        "year": "2026",
    }
    assert set(notes) == {"custom_data.num_children", "custom_data.lease_end_date"}


@pytest.mark.parametrize("field", CUSTOM_DATA_TYPES)
@pytest.mark.parametrize("value", [b"x", object(), float("nan")])
def test_a_hopeless_value_costs_the_field(custom, field, value):
    sent, notes = custom(**{field: value})
    assert sent == {}
    assert f"custom_data.{field}" in notes


def test_a_property_never_replaces_a_field(make, now):
    data = CustomData(order_id="1", properties={"order_id": "2", "content_name": "Shoe"})
    event = Event(
        event_name="Lead", event_time=now, user_data=UserData(email="a@b.de"), custom_data=data
    )
    sent = json.loads(make().payload(event, Consent.GRANTED, now=now).body)["custom_data"]
    assert sent == {"order_id": "1", "content_name": "Shoe"}


class Plan(enum.Enum):
    PRO = "pro"


def test_custom_properties_become_json(custom):
    sent, notes = custom(
        plan=Plan.PRO,
        tax=decimal.Decimal("1.90"),
        tags=("a", "b"),
        since=dt.datetime(2026, 1, 2, tzinfo=dt.UTC),
        user=uuid.UUID(int=2),
        first=False,
        empty="",
        big=10**18,
        nested={"a": {"b": [1, None, "c"]}, 5: "five"},
    )
    assert sent == {
        "plan": "pro",
        "tax": 1.9,
        "tags": ["a", "b"],
        "since": "2026-01-02T00:00:00+00:00",
        "user": "00000000-0000-0000-0000-000000000002",
        "first": False,
        "empty": "",
        "big": str(10**18),
        "nested": {"a": {"b": [1, "c"]}, "5": "five"},
    }
    assert not notes


def test_what_json_cannot_hold_costs_its_part(custom):
    sent, notes = custom(extra={"ok": 1, "nan": float("nan"), "raw": b"x", "deep": [[[[[[1]]]]]]})
    assert sent["extra"]["ok"] == 1
    assert set(sent["extra"]) <= {"ok", "deep"}
    assert "custom_data.extra" in notes


def test_custom_properties_are_bounded(custom):
    sent, notes = custom(**{f"p{number}": number for number in range(500)})
    assert len(sent) == 200
    assert "custom_data.properties" in notes
    sent, notes = custom(numbers=list(range(100_000)), text="x" * 3000)
    assert len(sent["numbers"]) < 1000
    assert "text" not in sent
    loop: dict[str, object] = {}
    loop["self"] = loop
    sent, notes = custom(loop=loop)
    assert "custom_data.loop" in notes


def test_a_key_that_is_no_name_is_not_repeated_in_a_note(custom):
    _, notes = custom(**{"john@example.com": b"x"})
    assert list(notes) == ["custom_data.properties"]


def test_the_customer_segment_is_sent_inside(build):
    wire, _ = build(customer_segmentation="New_Customer_To_Business")
    assert wire["custom_data"] == {"customer_segmentation": "new_customer_to_business"}
    assert "customer_segmentation" not in wire


class Gone:
    def __bool__(self):
        raise RuntimeError

    __len__ = items = __bool__


@pytest.mark.parametrize("properties", [Gone, lambda: None, lambda: 5, lambda: "x", dict])
def test_properties_that_are_none_cost_nothing_else(make, now, properties):
    event = Event(
        event_name="Lead",
        event_time=now,
        user_data=UserData(email="a@b.de"),
        custom_data=CustomData(order_id="1", properties=properties()),
    )
    sent = json.loads(make().payload(event, Consent.GRANTED, now=now).body)["custom_data"]
    assert sent == {"order_id": "1"}
