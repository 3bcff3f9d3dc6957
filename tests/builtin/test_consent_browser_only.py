"""Answers that a banner keeps in the browser, once something has put them into a cookie."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from capi_plugins.bridge import script, serve
from capi_plugins.builtin.consent import make_reader
from capi_plugins.consent import Consent

GRANTED, DENIED, UNKNOWN = Consent.GRANTED, Consent.DENIED, None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("marketing:granted", GRANTED),
        ("marketing:denied", DENIED),
        (quote("marketing:denied"), DENIED),
        ("statistics:granted,marketing:denied", DENIED),
        ("statistics:granted", UNKNOWN),
        ("marketing:", UNKNOWN),
        ("marketing:maybe", UNKNOWN),
        ("", UNKNOWN),
        ("%E0%A4%A", UNKNOWN),
    ],
)
def test_the_cookie_of_the_script(decide, value, expected):
    assert decide("bridge", f"capi_consent={value}") is expected


def test_a_category_of_the_sites_own(decide):
    source = {"SOURCE": "bridge", "CATEGORY": "werbung"}
    assert decide(source, "capi_consent=werbung:granted") is GRANTED
    assert decide(source, "capi_consent=marketing:granted") is UNKNOWN


def modes(**changes):
    said = {
        "ad_storage": "granted", "ad_user_data": "granted",
        "ad_personalization": "denied", "analytics_storage": "granted",
    }  # fmt: skip
    return json.dumps({**said, **changes}, separators=(",", ":"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (modes(), GRANTED),
        (quote(modes()), GRANTED),
        (modes(ad_user_data="denied"), DENIED),
        (modes(ad_storage="denied"), DENIED),
        (quote(quote(modes(ad_storage="denied"))), DENIED),
        (modes(ad_user_data=None), UNKNOWN),
        (modes(ad_user_data=["granted"]), UNKNOWN),
        ('{"ad_storage":"granted"}', UNKNOWN),
        ('["granted"]', UNKNOWN),
        ("{", UNKNOWN),
        ("", UNKNOWN),
    ],
)
def test_google_consent_mode_in_a_cookie(decide, value, expected):
    source = {"SOURCE": "google_consent_mode", "COOKIE": "modes"}
    assert decide(source, f"modes={value}") is expected


def test_google_consent_mode_with_other_types(decide):
    source = {"SOURCE": "google_consent_mode", "COOKIE": "m", "TYPES": "ad_personalization"}
    assert decide(source, f"m={modes()}") is DENIED


def test_google_consent_mode_has_no_cookie_of_its_own():
    problems = []
    make_reader("google_consent_mode", "CAPI", problems)
    assert problems == ["CAPI['COOKIE'] is required: the cookie that your site keeps the answer in"]


@pytest.mark.parametrize(
    ("cookie", "expected"),
    [
        ('T_DC_ab12={"1":"granted","2":"granted","4":"denied"}', DENIED),
        ('T_DC_ab12={"1":"granted","4":"granted"}', GRANTED),
        ("T_DC_ab12=" + quote('{"1":"granted","4":"denied"}'), DENIED),
        ('T_DC_a={"4":"granted"}; T_DC_b={"4":"denied"}', DENIED),
        ('T_DC_a={"1":"granted"}', UNKNOWN),
        ("T_DC_a=[4]", UNKNOWN),
        ("T_DC_a={", UNKNOWN),
        ('other={"4":"denied"}', UNKNOWN),
    ],
)
def test_termlys_cookie(decide, cookie, expected):
    assert decide("termly", cookie) is expected


# ------------------------------------------------------------------ how the script is served


def test_the_script_is_the_same_for_everybody_and_may_be_kept():
    answer = serve("GET", {})
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert answer.headers["Cache-Control"] == "public, max-age=3600"
    assert answer.body == script()[0]
    assert b"capi_consent=" in answer.body
    head = serve("HEAD", {})
    assert head.body == b""
    assert head.headers == answer.headers


@pytest.mark.parametrize("given", ["{}", "W/{}", '"other", {}', "*"])
def test_a_browser_that_has_the_script_gets_no_second_one(given):
    answer = serve("GET", {"if-none-match": given.format(script()[1])})
    assert (answer.status, answer.body) == (304, b"")
    assert answer.headers["ETag"] == script()[1]


def test_another_version_is_sent_and_nothing_is_taken():
    assert serve("GET", {"if-none-match": '"other"'}).status == 200
    assert serve("POST", {}).status == 405


def test_the_script_is_small_and_asks_nobody_but_its_own_host():
    text = script()[0].decode()
    assert len(text) < 6_500
    assert text.count("fetch(") == 1
    for word in ("XMLHttpRequest", "eval(", "innerHTML", "createElement", "http://"):
        assert word not in text
