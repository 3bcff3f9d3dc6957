from __future__ import annotations

import copy
import datetime
import json
import pickle

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capi_plugins import (
    AppData,
    Consent,
    Content,
    CustomData,
    Event,
    FieldNote,
    InvalidEvent,
    UserData,
)
from capi_plugins.events import is_empty, parse_time

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
EVENT_KEYS = st.sampled_from(
    "event_name event_time event_id user_data custom_data app_data consent notes properties "
    "opt_out self email contents data now cls".split()
)
EVENT_JSON = st.dictionaries(
    EVENT_KEYS | st.text(max_size=5),
    JSON
    | st.dictionaries(
        st.sampled_from(["email", "value", "properties", "extinfo", "self", "notes"]), JSON
    ),
)


@given(EVENT_JSON | JSON)
def test_any_json_makes_an_event_or_is_invalid(data):
    try:
        event = Event.from_dict(data, now=5)
    except InvalidEvent:
        return
    assert event.event_name
    assert isinstance(event.event_time, int)
    assert event.event_id
    assert isinstance(event.consent, Consent | None)
    assert isinstance(event.user_data, UserData)
    assert isinstance(event.custom_data, CustomData)


@given(EVENT_JSON)
def test_a_consent_that_is_no_yes_is_never_taken_for_one(data):
    data["event_name"] = "Lead"
    data.pop("event_time", None)
    event = Event.from_dict(data)
    said = data.get("consent")
    if event.consent is Consent.GRANTED:
        assert str(said).strip().lower() == "granted"
    if said is None:
        assert event.consent is None


def test_text_around_a_name_is_cut():
    assert Event(event_name="  Purchase ").event_name == "Purchase"


@pytest.mark.parametrize("name", [None, "", "   ", 5, ["Purchase"], b"Purchase"])
def test_an_event_needs_a_name(name):
    with pytest.raises(InvalidEvent, match="event_name is missing"):
        Event(event_name=name)


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        (1_700_000_000, 1_700_000_000),
        (1_700_000_000.9, 1_700_000_000),
        ("1700000000", 1_700_000_000),
        (" 1700000000.5 ", 1_700_000_000),
        (1_700_000_000_123, 1_700_000_000),
        ("1700000000123", 1_700_000_000),
        ("2023-11-14T22:13:20Z", 1_700_000_000),
        ("2023-11-14T23:13:20+01:00", 1_700_000_000),
        ("2023-11-14T22:13:20.999", 1_700_000_000),
        ("2023-11-14 22:13:20", 1_700_000_000),
        ("2023-11-14", 1_699_920_000),
        (datetime.datetime(2023, 11, 14, 22, 13, 20), 1_700_000_000),  # noqa: DTZ001
        (datetime.datetime(2023, 11, 14, 22, 13, 20, tzinfo=datetime.UTC), 1_700_000_000),
        (
            datetime.datetime(
                2023, 11, 14, 17, 13, 20, tzinfo=datetime.timezone(datetime.timedelta(hours=-5))
            ),
            1_700_000_000,
        ),
        (0, 0),
        (-5, -5),
    ],
)
def test_a_moment_is_read(given_, expected):
    assert parse_time(given_) == expected


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, False, "", "yesterday", "14.11.2023", "nan", "9" * 5000),
        *(float("nan"), float("inf"), 10**400, [], {}, object(), datetime.date(2023, 11, 14)),
    ],
)
def test_what_is_no_moment_is_not_guessed(value):
    assert parse_time(value) is None


@given(st.datetimes(timezones=st.timezones()))
def test_every_datetime_is_read(moment):
    assert parse_time(moment) in (int(moment.timestamp()), None)


@given(JSON)
def test_reading_a_time_never_raises(value):
    assert isinstance(parse_time(value), int | None)


def test_a_time_that_cannot_be_read_makes_the_event_invalid():
    with pytest.raises(InvalidEvent, match="event_time cannot be read") as caught:
        Event(event_name="Lead", event_time="tomorrow")
    assert "tomorrow" not in str(caught.value)


def test_an_event_without_time_happens_now():
    assert Event.from_dict({"event_name": "Lead"}, now=1234.9).event_time == 1234
    assert Event.from_dict({"event_name": "Lead", "event_time": 5}, now=1234).event_time == 5


@pytest.mark.parametrize("value", [None, "", "  ", True, False, b"x"])
def test_an_event_without_id_gets_a_random_one(value):
    one, two = (Event(event_name="Lead", event_id=value) for _ in range(2))
    assert one.event_id
    assert one.event_id != two.event_id


def test_an_id_is_text():
    assert Event(event_name="Lead", event_id=17).event_id == "17"
    assert Event(event_name="Lead", event_id=" A-1 ").event_id == "A-1"


def test_groups_may_be_mappings_and_what_is_unknown_is_noted():
    event = Event.from_dict(
        {
            "event_name": "Purchase",
            "user_data": {"email": "a@example.com", "shoe_size": 44},
            "custom_data": {"value": 5, "gift": True, "properties": {"coupon": "X"}},
            "app_data": "iPhone",
            "colour": "red",
        }
    )
    assert event.user_data == UserData(email="a@example.com")
    assert event.custom_data.value == 5
    assert event.custom_data.properties == {"gift": True, "coupon": "X"}
    assert event.app_data is None
    assert event.notes == (
        FieldNote("user_data.shoe_size", "is not a field of user_data"),
        FieldNote("app_data", "is not an object"),
        FieldNote("colour", "is not a field of an event"),
    )


def test_a_field_and_a_property_of_one_name_are_not_mixed_up():
    made = CustomData.from_dict({"value": 5, "properties": {"value": 6}})
    assert made.value == 5


def test_a_group_of_a_wrong_type_is_refused_at_once():
    with pytest.raises(InvalidEvent, match="user_data must be UserData"):
        Event(event_name="Lead", user_data={"email": "a@example.com"})
    with pytest.raises(InvalidEvent, match="app_data must be AppData"):
        Event(event_name="Lead", app_data=CustomData())


def test_filling_adds_what_is_missing():
    event = Event(event_name="Lead", user_data=UserData(email="a@example.com"))
    fuller = event.fill(
        user_data={"email": "b@example.com", "phone": "+491"},
        custom_data=CustomData(currency="EUR"),
        app_data=AppData(vendor_id="v"),
        event_source_url="https://shop.example/",
        action_source="website",
    )
    assert fuller.user_data == UserData(email="a@example.com", phone="+491")
    assert fuller.custom_data.currency == "EUR"
    assert fuller.app_data == AppData(vendor_id="v")
    assert fuller.event_source_url == "https://shop.example/"
    assert event.user_data.phone is None


def test_filling_keeps_false_and_zero():
    event = Event(event_name="Lead", opt_out=False, custom_data=CustomData(value=0))
    fuller = event.fill(opt_out=True, custom_data={"value": 7})
    assert fuller.opt_out is False
    assert fuller.custom_data.value == 0


def test_properties_are_filled_one_by_one():
    event = Event(event_name="Lead", custom_data=CustomData.from_dict({"coupon": "A"}))
    fuller = event.fill(custom_data={"coupon": "B", "margin": 3})
    assert fuller.custom_data.properties == {"coupon": "A", "margin": 3}


def test_filling_with_nothing_changes_nothing():
    event = Event(event_name="Lead", event_id="1")
    assert event.fill(user_data={}, action_source=None, custom_data=None) is event


GROUP = st.fixed_dictionaries(
    {},
    optional={name: st.none() | st.text(max_size=3) for name in ("email", "phone", "city", "fbp")},
)


@given(GROUP, GROUP)
def test_filling_never_overwrites(mine, theirs):
    event = Event(event_name="Lead", user_data=UserData(**mine))
    fuller = event.fill(user_data=theirs)
    for name in UserData.names():
        before, after = getattr(event.user_data, name), getattr(fuller.user_data, name)
        if not is_empty(before):
            assert after == before
        elif not is_empty(theirs.get(name)):
            assert after == theirs[name]


@pytest.mark.parametrize("secret", ["jane@example.com", "203.0.113.9", "fb.1.1.AbC"])
def test_a_repr_holds_no_personal_data(secret):
    user = UserData(**dict.fromkeys(UserData.names(), secret))
    event = Event(
        event_name="Lead",
        event_id="1",
        user_data=user,
        custom_data=CustomData(content_name=secret, properties={"note": secret}),
        app_data=AppData(vendor_id=secret, extinfo=[secret], receipt_data=secret),
        event_source_url=f"https://shop.example/?e={secret}",
        referrer_url=f"https://shop.example/?e={secret}",
        attribution_data={"x": secret},
    )
    assert secret not in repr(event)
    assert secret not in repr(user)
    assert secret not in str(event)


def test_every_field_of_user_data_is_private():
    user = UserData(**{name: f"v-{name}" for name in UserData.names()})
    assert repr(user) == "UserData()"


def test_values_are_frozen_and_compare():
    event = Event(event_name="Lead", event_id="1", event_time=1)
    with pytest.raises(AttributeError):
        event.event_name = "Purchase"
    assert event == Event(event_name="Lead", event_id="1", event_time=1)
    assert Content(id="a", quantity=1) == Content(id="a", quantity=1)


def test_the_neutral_event_survives_json():
    told = {
        "event_name": "Purchase",
        "event_time": 1_700_000_000,
        "event_id": "9",
        "user_data": {"email": ["a@example.com", "b@example.com"]},
        "custom_data": {"value": "12.50", "contents": [{"id": "x", "quantity": 2}]},
        "consent": "LIMITED",
    }
    event = Event.from_dict(json.loads(json.dumps(told)))
    assert event.user_data.email == ["a@example.com", "b@example.com"]
    assert event.consent is Consent.LIMITED
    assert event.notes == ()


@pytest.mark.parametrize("group", ["user_data", "app_data"])
def test_a_mapping_with_another_name_than_a_field_fills_nothing(group):
    event = Event(event_name="Purchase", app_data=AppData())
    with pytest.raises(TypeError, match="emial"):
        event.fill(**{group: {"emial": "jane@example.com"}})


def test_a_value_holds_what_it_is_given_and_nothing_else():
    person = UserData(email="jane@shop.example")
    assert vars(person) == {"email": "jane@shop.example"}
    assert person.phone is None
    assert CustomData().properties == {}
    event = Event(event_name="Lead", event_time=5, event_id="1")
    assert vars(event) == {"event_name": "Lead", "event_time": 5, "event_id": "1"}
    assert event.user_data == UserData()


def test_a_value_is_what_it_says_however_it_was_made():
    person = UserData(email="jane@shop.example")
    assert person == UserData(phone=None, email="jane@shop.example")
    assert hash(person) == hash(attrs.evolve(person, phone=None))
    assert pickle.loads(pickle.dumps(person)) == copy.deepcopy(person) == person
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        person.phone = "+4930"


@pytest.mark.parametrize("kind", [UserData, CustomData, Content, AppData, Event])
def test_a_name_that_is_no_fields_is_refused(kind):
    with pytest.raises(TypeError, match=f"e_mail is not a field of {kind.__name__}"):
        kind(e_mail="jane@shop.example")


def test_an_event_without_a_name_cannot_be_made():
    with pytest.raises(TypeError, match="event_name is missing"):
        Event(event_time=5)
