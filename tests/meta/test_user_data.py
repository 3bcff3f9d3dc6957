from __future__ import annotations

import datetime as dt
import hashlib
import json
import uuid

import pytest

from capi_plugins.consent import Consent
from capi_plugins.events import Event, UserData


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_list_is_sent_once_each_in_order(user):
    sent, notes = user(phone=["+1 650 555 1212", "0044 20 7946 0958", "+16505551212", "x"])
    assert sent["ph"] == [sha("16505551212"), sha("442079460958")]
    assert notes == {"user_data.phone": "is not a phone number"}


def test_a_national_phone_number_belongs_to_the_country_of_the_event(user):
    sent, _ = user(phone="020 7946 0958", country="UK", options={"DEFAULT_COUNTRY": "US"})
    assert sent["ph"] == [sha("442079460958")]


def test_a_national_phone_number_belongs_to_the_default_country_otherwise(user):
    sent, notes = user(phone="020 7946 0958", options={"DEFAULT_COUNTRY": "GB"})
    assert sent["ph"] == [sha("442079460958")]
    assert not notes


def test_a_phone_number_without_a_country_is_sent_with_a_note(user):
    sent, notes = user(phone="5551234567")
    assert sent["ph"] == [sha("5551234567")]
    assert "DEFAULT_COUNTRY" in notes["user_data.phone"]


def test_state_and_zip_follow_the_country(user):
    sent, _ = user(country="Germany", state="Bayern", zip="80331")
    assert (sent["st"], sent["zp"]) == ([sha("bayern")], [sha("80331")])
    sent, notes = user(country="US", state="Bayern", zip="80331-1234")
    assert "st" not in sent
    assert sent["zp"] == [sha("80331")]
    assert "user_data.state" in notes


def test_ids_of_any_type_are_hashed_as_text(user):
    number = uuid.UUID("6BA7B810-9DAD-11D1-80B4-00C04FD430C8")
    sent, _ = user(external_id=[12345, number, number.hex])
    assert sent["external_id"] == [sha("12345"), sha(str(number)), sha(number.hex)]


def test_a_date_object_is_a_date_of_birth(user):
    sent, _ = user(date_of_birth=dt.date(1997, 2, 16))
    assert sent["db"] == [sha("19970216")]


def test_undocumented_parts_are_single_hashes(user):
    sent, _ = user(f5first="Elizabeth", fi="Elizabeth", dobd=1, dobm="09", doby="1997")
    assert sent["f5first"] == sha("eliza")
    assert sent["fi"] == sha("e")
    assert (sent["dobd"], sent["dobm"], sent["doby"]) == (sha("01"), sha("09"), sha("1997"))


class Broken:
    def __str__(self):
        raise RuntimeError("secret@example.com")

    def __eq__(self, other):
        raise RuntimeError("secret@example.com")

    __hash__ = None

    def __bool__(self):
        raise RuntimeError("secret@example.com")

    @property
    def __class__(self):
        raise RuntimeError("secret@example.com")


# By name, because looking at a broken value is what breaks.
HOPELESS = {
    "broken": Broken,
    "broken in a list": lambda: [Broken()],
    "bytes": lambda: b"bytes",
    "surrogate": lambda: "\ud800",
    "huge": lambda: "x" * 1_000_000,
    "nested": lambda: [["nested"]],
    "mapping": lambda: {"a": 1},
    "truth": lambda: True,
    "nan": lambda: float("nan"),
    "long number": lambda: 10**5000,
    "object": object,
    "null": lambda: "null",
}


@pytest.mark.parametrize("name", UserData.names())
@pytest.mark.parametrize("kind", HOPELESS)
def test_a_hopeless_value_costs_the_value_and_nothing_else(make, now, name, kind):
    value = HOPELESS[kind]()
    keys = {"external_id": "1"} if name == "email" else {"email": "a@b.de"}
    if name == "fbclid_time":
        keys["fbclid"] = "IwAR"
    event = Event(event_name="Lead", event_time=now, user_data=UserData(**{**keys, name: value}))
    payload = make().payload(event, Consent.GRANTED, now=now)
    sent = json.loads(payload.body)["user_data"]
    expected = {"em" if key == "email" else key for key in keys}
    if name == "fbclid_time":
        expected = {"em", "fbc"}
    if name == "client_user_agent" and kind == "null":
        return
    assert expected <= set(sent)
    for note in payload.notes:
        assert "secret" not in note.reason
        assert len(note.reason) < 100
    if set(sent) == expected and name != "fbclid_time":
        assert [note.field for note in payload.notes] == [f"user_data.{name}"]


def test_more_values_than_a_person_has_are_cut(user):
    sent, notes = user(external_id=[str(number) for number in range(1000)])
    assert len(sent["external_id"]) == 20
    assert "more than 20" in notes["user_data.external_id"]


def test_empty_values_are_no_news(user):
    sent, notes = user(phone="", city=[], country=None, state=[""], madid="")
    assert set(sent) == {"em"}
    assert notes == {}


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("1234567890123456", 1234567890123456),
        (123456789012345, 123456789012345),
        ("l:" + "1" * 17, int("1" * 17)),
    ],
)
def test_a_lead_id_is_a_number(user, value, sent):
    assert user(lead_id=value)[0]["lead_id"] == sent


@pytest.mark.parametrize("value", ["12345", "1" * 18, "abc", 1.5])
def test_a_bad_lead_id_is_left_out(user, value):
    sent, notes = user(lead_id=value)
    assert "lead_id" not in sent
    assert "15 to 17 digits" in notes["user_data.lead_id"]


def test_an_advertising_id_of_zeros_is_left_out(user):
    sent, _ = user(madid="00000000-0000-0000-0000-000000000000")
    assert "madid" not in sent


def test_a_user_agent_is_sent_verbatim(user):
    agent = "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101"
    assert user(client_user_agent=agent)[0]["client_user_agent"] == agent


FBC = "fb.1.1799990000000.IwAROld.AQ"


def test_a_click_id_cookie_is_never_altered(user):
    assert user(fbc=FBC, fbclid="IwAROld")[0]["fbc"] == FBC


def test_a_click_id_of_the_url_is_built_with_its_own_time(user):
    assert user(fbclid="IwAR", fbclid_time=1_799_999_000)[0]["fbc"] == "fb.1.1799999000000.IwAR"
    assert user(fbclid="IwAR", fbclid_time=1799999000123)[0]["fbc"] == "fb.1.1799999000123.IwAR"


def test_a_click_id_without_a_time_has_that_of_the_event(user, now):
    assert user(fbclid="IwAR")[0]["fbc"] == f"fb.1.{now}000.IwAR"


def test_a_newer_click_wins_over_the_cookie_and_an_older_one_does_not(user, now):
    assert user(fbc=FBC, fbclid="IwARNew", fbclid_time=now)[0]["fbc"].endswith("IwARNew")
    assert user(fbc=FBC, fbclid="IwARNew", fbclid_time=now - 86400)[0]["fbc"] == FBC


def test_a_click_older_than_ninety_days_is_left_out(user, now):
    sent, notes = user(fbclid="IwAR", fbclid_time=now - 91 * 86400)
    assert "fbc" not in sent
    assert notes["user_data.fbclid"] == "is older than 90 days"


@pytest.mark.parametrize("name", ["fbc", "fbp", "fbclid"])
def test_a_malformed_browser_id_is_left_out(user, name):
    sent, notes = user(**{name: "fb.1.abc !"})
    assert set(sent) == {"em"}
    assert set(notes) == {f"user_data.{name}"}


def test_a_match_key_that_already_is_a_hash_passes(user):
    given = sha("john@example.com").upper() + ".AQQAAQIB"
    assert user(email=given)[0]["em"] == [sha("john@example.com") + ".AQQAAQIB"]
