from __future__ import annotations

import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capi_plugins.events import UserData
from capi_plugins.http_context import (
    MOST_URL,
    MOST_USER_AGENT,
    fit_url,
    parse_cookies,
    parse_query,
    request_context,
)

FBCLID = "IwAR2F4-dbP0l7Mn1IawQQGCINEz7PYXQvwjNwB_qa2ofrHyiLjcbCRxTDMgk"


def context(url="https://shop.example/", *, method="GET", remote_addr="203.0.113.7", **headers):
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return request_context(
        method=method, url=url, headers=names, remote_addr=remote_addr, trusted_proxies=0
    )


def test_a_request_is_told_in_neutral_words():
    made = request_context(
        method="get",
        url=f"https://shop.example/p/1?fbclid={FBCLID}&a=1%2B1&a=2",
        headers={
            "user-agent": "Mozilla/5.0",
            "referer": "https://m.facebook.com/",
            "cookie": "_fbp=fb.1.1596403881668.1116446470; sessionid=x",
            "x-forwarded-for": "203.0.113.7",
        },
        remote_addr="10.0.0.1",
        trusted_proxies=("10.0.0.0/8",),
        user=UserData(email="a@example.com"),
        is_staff=False,
        received_at=1_700_000_000.5,
        request="the request",
    )
    assert made.url == f"https://shop.example/p/1?fbclid={FBCLID}&a=1%2B1&a=2"
    assert made.method == "GET"
    assert made.in_request
    assert made.referrer_url == "https://m.facebook.com/"
    assert made.client_user_agent == "Mozilla/5.0"
    assert made.client_ip_address == "203.0.113.7"
    assert made.cookies == {"_fbp": "fb.1.1596403881668.1116446470", "sessionid": "x"}
    assert made.query == {"fbclid": FBCLID, "a": "1+1"}
    assert made.user.email == "a@example.com"
    assert made.is_staff is False
    assert made.received_at == 1_700_000_000.5
    assert made.request == "the request"


def test_what_was_not_sent_is_none():
    made = context(remote_addr="127.0.0.1")
    assert (made.client_ip_address, made.client_user_agent, made.referrer_url) == (None, None, None)
    assert (dict(made.cookies), dict(made.query), made.user) == ({}, {}, UserData())


def test_one_bad_cookie_costs_only_itself():
    header = 'a=1; b[]=2; =x; lonely; c="q;d=4; {"json":1}=5; _fbc=fb.1.1.x; a=9; e=f=g'
    assert parse_cookies(header) == {
        "a": "1",
        "b[]": "2",
        "c": '"q',
        "d": "4",
        '{"json":1}': "5",
        "_fbc": "fb.1.1.x",
        "e": "f=g",
    }


def test_cookie_values_are_not_decoded_and_utf8_survives_wsgi():
    assert parse_cookies("CookieConsent={stamp:%27G+6==%27%2Cmarketing:true}") == {
        "CookieConsent": "{stamp:%27G+6==%27%2Cmarketing:true}"
    }
    assert parse_cookies("name=Zoë".encode().decode("latin-1")) == {"name": "Zoë"}
    assert parse_cookies("name=\xff\xfe") == {"name": "\xff\xfe"}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {}),
        ("&&", {}),
        ("a&b=&=c", {"a": "", "b": "", "": "c"}),
        ("a=1&a=2", {"a": "1"}),
        ("q=a+b%20c", {"q": "a b c"}),
        ("a=%2520", {"a": "%20"}),
        ("a=%zz%ff", {"a": "%zz\N{REPLACEMENT CHARACTER}"}),
        (f"a=1&fbclid={FBCLID}", {"a": "1", "fbclid": FBCLID}),
    ],
)
def test_a_query_is_decoded_once_and_its_first_values_count(query, expected):
    assert parse_query(query) == expected


def test_a_long_url_loses_its_longest_parameters_and_never_part_of_one():
    long = "x" * 3000
    url = f"https://shop.example/p?a=1&state={long}&b=2&fbclid={FBCLID}#top"
    assert fit_url(url) == f"https://shop.example/p?a=1&b=2&fbclid={FBCLID}"
    assert context(url).query == {"a": "1", "state": long, "b": "2", "fbclid": FBCLID}
    assert fit_url(f"https://shop.example/{long}?a=1") == "https://shop.example/"
    assert fit_url(long) is None
    assert fit_url("https://" + long) is None


def test_control_characters_and_length_are_taken_off():
    made = context("https://shop.example/\r\n\x00a\ud800", user_agent="Moz\x07illa" + "x" * 900)
    assert made.url == "https://shop.example/a"
    assert made.client_user_agent.startswith("Mozillax")
    assert len(made.client_user_agent) == MOST_USER_AGENT


@given(
    url=st.text(),
    method=st.text(),
    peer=st.none() | st.text(),
    headers=st.dictionaries(
        st.sampled_from(["cookie", "referer", "user-agent", "x-forwarded-for", "forwarded"]),
        st.text() | st.binary().map(lambda raw: raw.decode("latin-1")),
    ),
)
def test_nothing_a_visitor_sends_raises(url, method, peer, headers):
    made = request_context(
        method=method, url=url, headers=headers, remote_addr=peer, trusted_proxies=1
    )
    for sent in (made.url, made.referrer_url, made.client_user_agent):
        assert sent is None or sent.encode().decode() == sent


@given(
    names=st.lists(st.text("abcde", min_size=1), max_size=40, unique=True),
    length=st.integers(0, 400),
)
def test_a_shortened_url_has_only_whole_parameters_in_their_order(names, length):
    parts = [f"{name}={'v' * (length * number % 700)}" for number, name in enumerate(names)]
    made = fit_url("https://shop.example/?" + "&".join(parts))
    assert len(made) <= MOST_URL
    kept = urllib.parse.urlsplit(made).query.split("&")
    assert [part for part in parts if part in kept] == [part for part in kept if part]
