from __future__ import annotations

import datetime as dt

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capi_plugins.destinations.meta import click_ids
from capi_plugins.destinations.meta.browser_ids import with_clicks

FBCLID = "IwAR2F4-dbP0l7Mn1IawQQGCINEz7PYXQvwjNwB_qa2ofrHyiLjcbCRxTDMgk"
FBC = f"fb.1.1554763741205.{FBCLID}"


def test_an_fbc_has_its_four_parts():
    parts = click_ids.parse_fbc(FBC)
    assert parts == click_ids.ClickId(index=1, created=1554763741205, fbclid=FBCLID)
    assert FBCLID not in repr(parts)


@pytest.mark.parametrize("appendix", ["AQ", "AQQAAQIB"])
def test_the_fifth_part_is_not_taken_for_the_click_id(appendix):
    parts = click_ids.parse_fbc(f"{FBC}.{appendix}")
    assert parts is not None
    assert (parts.fbclid, parts.appendix) == (FBCLID, appendix)


@pytest.mark.parametrize(
    "value",
    [
        "",
        FBCLID,
        "fb.1.1554763741.abc",
        "fb.1.1554763741205.",
        "fb.1.1554763741205.a b",
        "fb.1.1554763741205.abc.toolongappendix",
        "fb.1.1554763741205.abc.AQ.AQ",
        "FB.1.1554763741205.abc",
        "fb.1.1554763741205." + "a" * 501,
        FBC + "\n",
        "fb.1.١٥٥٤٧٦٣٧٤١٢٠٥.abc",
    ],
)
def test_what_is_no_fbc_is_not_taken_for_one(value):
    assert not click_ids.is_fbc(value)
    assert click_ids.parse_fbc(value) is None


def test_an_fbp_ends_in_a_number():
    assert click_ids.is_fbp("fb.1.1596403881668.1116446470")
    assert click_ids.is_fbp("fb.2.1596403881668.1116446470.AQQAAQIB")
    assert not click_ids.is_fbp("fb.1.1596403881668.abc")


def test_a_click_id_keeps_its_case():
    assert click_ids.make_fbc(FBCLID, seen=1554763741205) == FBC
    assert click_ids.make_fbc("a", seen=1, index=2) == "fb.2.1.a"
    with pytest.raises(ValueError, match="fbclid"):
        click_ids.make_fbc("a%20b", seen=1)


@pytest.mark.parametrize(
    ("value", "milliseconds"),
    [
        (1554763741, 1554763741000),
        (1554763741205, 1554763741205),
        ("2019-04-08T22:49:01Z", 1554763741000),
        (dt.datetime(2019, 4, 8, 22, 49, 1, tzinfo=dt.UTC), 1554763741000),
        ("yesterday", None),
        (None, None),
    ],
)
def test_the_time_of_a_click_is_read_in_any_form(value, milliseconds):
    assert click_ids.click_time(value) == milliseconds


def test_a_click_counts_for_ninety_days():
    assert not click_ids.is_expired(0, now=90 * 86400)
    assert click_ids.is_expired(0, now=90 * 86400 + 1)


@given(
    fbclid=st.from_regex(r"[A-Za-z0-9_-]{1,500}", fullmatch=True),
    seen=st.integers(10**12, 10**13 - 1),
    index=st.integers(0, 9),
)
def test_what_is_made_can_be_parsed(fbclid, seen, index):
    made = click_ids.parse_fbc(click_ids.make_fbc(fbclid, seen=seen, index=index))
    assert made == click_ids.ClickId(index=index, created=seen, fbclid=fbclid)


def body(**user):
    return orjson.dumps({"event_name": "Lead", "action_source": "website", "user_data": user})


def test_events_of_one_visitor_have_the_last_click_before_them():
    told = [body(client_ip_address="1.2.3.4"), body(fbc="fb.1.5.Ab"), body(em=["x"]), body()]
    told += [body(fbc="fb.1.6.Cd"), body()]
    fbcs = [orjson.loads(each)["user_data"].get("fbc") for each in with_clicks(told)]
    assert fbcs == [None, "fb.1.5.Ab", "fb.1.5.Ab", "fb.1.5.Ab", "fb.1.6.Cd", "fb.1.6.Cd"]
    assert with_clicks(told)[0] == told[0]


def test_a_click_is_given_to_events_of_the_browser_only():
    elsewhere = orjson.dumps({"action_source": "phone_call", "user_data": {}})
    assert with_clicks([body(fbc="fb.1.5.Ab"), elsewhere])[1] == elsewhere
