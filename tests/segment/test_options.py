"""``CAPI["SEGMENT"]``."""

from __future__ import annotations

import pytest

from capi_plugins import ConfigurationError, configure
from tests.segment.conftest import WEB, changed, convert, wire


def problems(segment):
    with pytest.raises(ConfigurationError) as caught:
        configure({"SEGMENT": segment})
    return caught.value.problems


def test_every_mistake_is_told_at_start_up_with_its_path():
    found = "\n".join(
        problems(
            {
                "EVENT": {},
                "EVENTS": {
                    "A": {"EVNT": "Lead"},
                    "B": {"EVENT": "Lead", "USER_DATA": {"e_mail": "x"}},
                    "C": [{"EVENT": "Lead", "CUSTOM_DATA": {"value": "a b"}}, 5],
                },
                "CUSTOM_EVENTS": 1,
                "PRODUCT_ID": [1],
                "NUM_ITEMS": "sum",
                "CURRENCY": "EURO",
                "ACTION_SOURCE": "web",
                "SITE_URL": "/shop",
                "TIMES_QUANTITY": "yes",
            }
        )
    )
    for expected in [
        "CAPI['SEGMENT']['EVENT'] is not a setting; did you mean 'EVENTS'?",
        "CAPI['SEGMENT']['EVENTS']['A']['EVENT'] is required",
        "CAPI['SEGMENT']['EVENTS']['A']['EVNT'] is not a setting; did you mean 'EVENT'?",
        "CAPI['SEGMENT']['EVENTS']['B']['USER_DATA']['e_mail'] is not a field",
        "CAPI['SEGMENT']['EVENTS']['C'][0]['CUSTOM_DATA']['value']: 'a b' is not a path",
        "CAPI['SEGMENT']['EVENTS']['C'][1] must be a dictionary",
        "CAPI['SEGMENT']['CUSTOM_EVENTS'] must be bool or str or list or tuple, not int",
        "CAPI['SEGMENT']['PRODUCT_ID'] must be a text or a list of texts",
        "CAPI['SEGMENT']['NUM_ITEMS'] must be one of 'quantity', 'lines', 'none'",
        "CAPI['SEGMENT']['CURRENCY'] must be an ISO 4217 code",
        "CAPI['SEGMENT']['ACTION_SOURCE'] must be one of 'website'",
        "CAPI['SEGMENT']['SITE_URL'] must be an absolute URL",
        "CAPI['SEGMENT']['TIMES_QUANTITY'] must be bool, not str",
    ]:
        assert expected in found


MAPPING = {
    "EVENT": "lead",
    "EVENT_ID": "properties.booking.id",
    "USER_DATA": {"email": ["properties.attendee.email", "traits.email"], "phone": "traits.fon"},
    "CUSTOM_DATA": {
        "value": "properties.worth",
        "currency": {"VALUE": "EUR"},
        "source": "context.campaign.source",
        "contents": {"EACH": "properties.rooms", "id": "item.no", "quantity": "item.nights"},
    },
}
BOOKED = changed(
    WEB,
    {
        "event": "Demo Booked",
        "context.campaign": {"source": "fb"},
        "properties": {
            "booking": {"id": 7},
            "attendee": {"email": "guest@example.com"},
            "worth": 12,
            "rooms": [{"no": "R1", "nights": 2}],
            "plan": "pro",
        },
    },
)


def test_an_event_is_mapped_by_paths():
    (event,) = convert(BOOKED, EVENTS={"demo_booked": MAPPING}).events
    assert (event.event_name, event.event_id) == ("Lead", "Lead.7")
    assert event.user_data.email == "guest@example.com"
    assert [note.field for note in event.notes] == ["user_data.phone"]
    assert wire(event)["custom_data"] == {
        "value": 12,
        "currency": "EUR",
        "source": "fb",
        "contents": [{"id": "R1", "quantity": 2}],
        "plan": "pro",
        "worth": 12,
        "booking": {"id": 7},
        "rooms": [{"no": "R1", "nights": 2}],
    }


def test_a_mapping_starts_from_what_the_conversion_finds():
    mapped = {
        "Order Completed": {"EVENT": "Purchase", "CUSTOM_DATA": {"value": "properties.total"}}
    }
    (event,) = convert(WEB, EVENTS=mapped).events
    assert event.event_id == "m-1"
    assert wire(event)["custom_data"]["value"] == 30.5
    assert wire(event)["custom_data"]["num_items"] == 3


def test_a_custom_target_keeps_the_order_it_was():
    (event,) = convert(WEB, EVENTS={"Order Completed": {"EVENT": "BigOrder"}}).events
    assert event.event_name == "BigOrder"
    assert wire(event)["custom_data"]["value"] == 25


def test_one_message_may_become_several_events_or_none():
    several = {"Order Completed": [{"EVENT": "Purchase"}, {"EVENT": "FirstOrder"}]}
    names = [event.event_name for event in convert(WEB, EVENTS=several).events]
    assert names == ["Purchase", "FirstOrder"]
    result = convert(WEB, EVENTS={"Order Completed": None})
    assert result.events == ()
    assert result.reason == "CAPI['SEGMENT']['EVENTS'] says that it is not sent"


@pytest.mark.parametrize(
    ("when", "names"),
    [
        ({"properties.plan": "pro"}, ["FirstOrder", "Lead"]),
        ({"properties.plan": ["free", "pro"], "properties.booking.id": 7}, ["FirstOrder", "Lead"]),
        ({"properties.plan": "free"}, ["Lead"]),
        ({"properties.nothing": None}, ["Lead"]),
        ({"properties.plan": "pro", "context.ip": "x"}, ["Lead"]),
    ],
)
def test_when_says_which_messages_are_meant(when, names):
    mapped = [{"EVENT": "Lead"}, {"EVENT": "FirstOrder", "WHEN": when}]
    found = convert(BOOKED, EVENTS={"Demo Booked": mapped}).events
    assert sorted(event.event_name for event in found) == names
    result = convert(BOOKED, EVENTS={"Demo Booked": {"EVENT": "Lead", "WHEN": {"type": "page"}}})
    assert result.reason == "WHEN in CAPI['SEGMENT']['EVENTS'] does not hold"


def test_time_and_place_may_be_named():
    mapping = {
        "EVENT": "Lead",
        "EVENT_TIME": "properties.booked_at",
        "ACTION_SOURCE": {"VALUE": "phone_call"},
        "EVENT_SOURCE_URL": "properties.page",
    }
    values = {"booked_at": "2026-08-01T10:00:00Z", "page": "https://shop.example/call"}
    message = changed(BOOKED, {"properties": values, "sentAt": "2026-08-01T13:00:00Z"})
    (event,) = convert(message, EVENTS={"Demo Booked": mapping}).events
    assert event.event_time == 1785578400
    assert event.action_source == "phone_call"
    assert event.event_source_url == "https://shop.example/call"
    wire(event)
    # What Meta demands of a place holds here as well, and one mapping is not the other.
    website = {"EVENT": "Lead", "ACTION_SOURCE": {"VALUE": "website"}}
    bare = changed(message, {"context.userAgent": None})
    both = convert(bare, EVENTS={"Demo Booked": [website, mapping]}).events
    assert [event.action_source for event in both] == ["other", "phone_call"]


def test_a_call_may_be_mapped():
    mapped = {"identify": {"EVENT": "CompleteRegistration"}}
    message = changed(WEB, {"type": "identify", "event": None, "properties": None})
    (event,) = convert(message, EVENTS=mapped).events
    assert event.event_name == "CompleteRegistration"


def test_the_traits_of_a_group_are_a_companys():
    mapped = {"group": {"EVENT": "Lead"}}
    message = changed(WEB, {"type": "group", "event": None, "traits": {"phone": "+49301"}})
    (event,) = convert(message, EVENTS=mapped).events
    assert event.user_data.email == "jane@example.com"
    assert event.user_data.phone is None


def test_a_path_never_hands_out_more_than_a_value():
    # A dictionary has an attribute of this name, and it gives away everything.
    for name in ("items", "values", "copy"):
        mapping = {"EVENT": "Lead", "CUSTOM_DATA": {"x": f"properties.{name}"}}
        message = changed(BOOKED, {"properties.email": "guest@example.com", "properties.a": "b"})
        (event,) = convert(message, EVENTS={"Demo Booked": mapping}).events
        assert "guest@example.com" not in str(wire(event))


def test_custom_events_may_be_left_out_or_named():
    for allowed, sent in [(False, 0), (["demo booked"], 1), (["Other"], 0), (True, 1)]:
        assert len(convert(BOOKED, CUSTOM_EVENTS=allowed).events) == sent
    assert len(convert(WEB, CUSTOM_EVENTS=False).events) == 1
