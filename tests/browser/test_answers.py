"""Which answers are changed, and how: policies, caches, bodies that are no pages."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capi_plugins import RequestContext
from capi_plugins.browser import (
    MARK,
    BrowserEvent,
    carried,
    forbids_inline,
    in_script,
    may_change,
    may_place,
    nonce_of,
    placed,
    uncarried,
)
from capi_plugins.destinations.meta.browser_ids import cookies
from capi_plugins.site import registrable_domain

NOW = 1_790_000_000.0
FBP = "fb.1.1596403881668.1116446470"


def visit(url="https://www.shop.example.co.uk/?fbclid=Ab-c_1", *, accept="text/html", **jar):
    query = dict([url.partition("?")[2].partition("=")[::2]]) if "?" in url else {}
    return RequestContext(
        url=url, method="GET", headers={"accept": accept}, cookies=jar, query=query
    )


def made(context):
    return {cookie.name: cookie for cookie in cookies(context, now=NOW)}


def test_cookies_belong_to_the_registrable_domain_and_say_how_deep_it_is():
    found = made(visit())
    assert found["_fbc"].value == f"fb.2.{int(NOW * 1000)}.Ab-c_1"
    assert re.fullmatch(rf"fb\.2\.{int(NOW * 1000)}\.\d{{1,10}}", found["_fbp"].value)
    for cookie in found.values():
        assert (cookie.domain, cookie.secure, cookie.max_age) == (
            "example.co.uk", True, 90 * 86_400,
        )  # fmt: skip


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "co.uk", ""])
def test_a_host_without_a_registrable_domain_keeps_its_cookies_to_itself(host):
    found = made(visit(f"http://{host}/?fbclid=Ab"))
    assert all(cookie.domain is None and not cookie.secure for cookie in found.values())
    assert registrable_domain(host) is None


@pytest.mark.parametrize(
    "fbc",
    [
        "fb.1.1554763741205.Ab-c_1",
        "fb.2.1554763741205.Ab-c_1.AQ",
        "fb.1.1554763741205.Ab-c_1.AQYBAQAA",
    ],
)
def test_a_cookie_of_the_same_click_is_not_written_anew(fbc):
    assert made(visit(_fbc=fbc, _fbp=FBP)) == {}


def test_a_later_click_replaces_the_cookie():
    found = made(visit(_fbc="fb.1.1554763741205.Earlier", _fbp=FBP))
    assert found.keys() == {"_fbc"}


def test_a_script_that_asks_gets_no_browser_id():
    assert made(visit("https://shop.example/api", accept="application/json")) == {}


def test_a_click_id_that_is_none_makes_no_cookie():
    assert made(visit("https://shop.example/?fbclid=<b>", _fbp=FBP)) == {}


@given(st.text(max_size=300))
def test_any_url_is_taken(url):
    cookies(visit(url), now=NOW)


@pytest.mark.parametrize(
    ("policy", "nonce", "forbidden"),
    [
        ("", None, False),
        ("img-src *", None, False),
        ("default-src 'self'", None, True),
        ("script-src 'self' 'unsafe-inline'", None, False),
        ("script-src 'self' 'nonce-r4nd0m=='", "r4nd0m==", True),
        ("default-src 'nonce-other'; script-src 'self' 'nonce-own'", "own", True),
        ("script-src 'nonce-a'; script-src-elem 'nonce-b'", "b", True),
        ("script-src 'unsafe-inline' 'sha256-abc='", None, True),
        ("script-src", None, True),
    ],
)
def test_what_a_policy_says_of_scripts(policy, nonce, forbidden):
    assert nonce_of(policy) == nonce
    assert forbids_inline(policy) is forbidden


@pytest.mark.parametrize("value", ["public, max-age=60", "s-maxage=5", "no-transform", "immutable"])
def test_what_a_shared_cache_keeps_is_left_alone(value):
    assert not may_change({"cache-control": value})


@pytest.mark.parametrize("value", ["", "private", "no-store", "no-cache, max-age=0"])
def test_what_belongs_to_one_visitor_may_be_changed(value):
    assert may_change({"cache-control": value})


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "application/json"},
        {"content-type": "application/xhtml+xml"},
        {"content-type": "text/html", "content-encoding": "gzip"},
        {"content-type": "text/html", "etag": '"1"'},
        {"content-type": "text/html", "content-disposition": "attachment; filename=a.html"},
        {},
    ],
)
def test_code_is_put_into_plain_pages_only(headers):
    assert not may_place(headers)


def test_code_stands_at_its_mark_else_at_the_end_of_the_head():
    page = f"<HTML><head></HEAD><body>{MARK}</body></HTML>".encode()
    assert placed(page, b"<script>") == page.replace(MARK.encode(), b"<script>")
    assert placed(b"<head><title>a</title></HEAD>b", b"+") == b"<head><title>a</title>+</HEAD>b"
    assert placed(b"<p>a</body></html>", b"+") == b"<p>a+</body></html>"
    assert placed(b"<p>a fragment", b"+") is None


def test_what_is_carried_arrives():
    events = [
        BrowserEvent(
            destination="meta", event_name="Purchase", event_id=f"Purchase.{number}",
            custom_data={"value": 1.5, "contents": [{"id": "ü"}]},
        )
        for number in range(3)
    ]  # fmt: skip
    assert uncarried(carried(events)) == events


def test_a_cookie_that_would_get_too_long_loses_its_oldest_events():
    events = [
        BrowserEvent(
            destination="meta", event_name="AddToCart", event_id=str(number),
            custom_data={"content_name": "x" * 500},
        )
        for number in range(20)
    ]  # fmt: skip
    text = carried(events)
    assert len(text) <= 3500
    assert [event.event_id for event in uncarried(text)] == ["16", "17", "18", "19"]


@given(st.one_of(st.text(max_size=100), st.binary(max_size=100).map(lambda b: b.hex())))
def test_any_cookie_is_taken_for_what_it_is(text):
    assert isinstance(uncarried(text), list)


@given(st.recursive(st.none() | st.booleans() | st.text(), st.lists))
def test_no_value_ends_the_script_it_stands_in(value):
    written = in_script(value)
    assert not set("<>&\u2028\u2029") & set(written)
