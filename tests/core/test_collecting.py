"""What a page may send, and what a stranger cannot make of it."""

from __future__ import annotations

import io
import json

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capi_plugins import ConfigurationError, FinishedRequest, RequestContext
from capi_plugins.collecting import MOST_BYTES, Collecting, collect
from capi_plugins.context_store import key_of
from capi_plugins.destinations.meta.fields import STANDARD_EVENTS
from capi_plugins.settings import BrowserSettings
from tests.core.paper import Post, paper_client

ID = "0123456789abcdef0123456789abcdef"
HOST = "https://shop.example"
CONTEXT = RequestContext(
    url=f"{HOST}/capi/collect",
    referrer_url=f"{HOST}/p/tea/?fbclid=Ab",
    method="POST",
    client_ip_address="203.0.113.9",
    client_user_agent="Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0",
    headers={
        "content-type": "application/json",
        "origin": HOST,
        "referer": f"{HOST}/p/tea/?fbclid=Ab",
        "sec-fetch-site": "same-origin",
    },
)
WISH = {"event_name": "AddToWishlist", "event_id": ID, "custom_data": {"content_ids": ["tea"]}}


@pytest.fixture
def client(make):
    return make(BROWSER={"COLLECT": True}, PAGE_VIEW=False)


def send(client, body=WISH, context=CONTEXT, **headers):
    """Answer a request as an adapter does; a header that is None is left out."""
    given = {**context.headers, **{name.replace("_", "-"): text for name, text in headers.items()}}
    given = {name: text for name, text in given.items() if text is not None}
    context = attrs.evolve(context, headers=given)
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    finished = FinishedRequest(method="POST", route="collect", path="/capi/collect", status=204)
    with client.request(lambda: context) as scope:
        answer = collect(client, context, io.BytesIO(raw).read)
        client.finish(scope, finished)
    return answer


def told(answer):
    return answer.status, json.loads(answer.body)["code"] if answer.body else ""


def test_an_event_of_a_page_goes_the_way_of_every_event(client, post, heard):
    answer = send(client)
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["Cache-Control"] == "no-store"
    [event] = post.events
    assert (event["name"], event["id"]) == ("AddToWishlist", ID)
    [context] = [told["context"] for name, told in heard if name == "event_captured"]
    # It happened on the page, and the click that led there counts.
    assert context.url == f"{HOST}/p/tea/?fbclid=Ab"
    assert context.query == {"fbclid": "Ab"}


def test_the_page_says_itself_where_it_is(client, heard):
    send(client, {**WISH, "url": f"{HOST}/p/coffee/#reviews"})
    [context] = [told["context"] for name, told in heard if name == "event_captured"]
    assert context.url == f"{HOST}/p/coffee/"


def test_a_page_of_somebody_else_is_not_where_it_was(client, heard):
    send(client, {**WISH, "url": "https://other.example/p/"})
    [context] = [told["context"] for name, told in heard if name == "event_captured"]
    assert context.url == CONTEXT.referrer_url


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec_fetch_site": None},
        {"sec_fetch_site": None, "referer": None},
        {"sec_fetch_site": None, "origin": None},
        {"sec_fetch_site": None, "origin": "null"},
        # A page with the policy "no-referrer".
        {"origin": "null", "referer": None},
        # TLS ends at a proxy, and the host knows nothing of it.
        {"origin": "http://shop.example"},
        {"content_type": "text/plain;charset=UTF-8"},
    ],
)
def test_own_pages_may_send(client, post, headers):
    assert send(client, **headers).status == 204
    assert len(post.events) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "none"},
        {"origin": "https://other.example"},
        {"origin": "https://shop.example.other.example"},
        {"origin": "https://shop.example:8443"},
        {"origin": "https://[", "sec_fetch_site": None},
        {"referer": "https://other.example/p/"},
        {"sec_fetch_site": None, "origin": None, "referer": None},
        {"sec_fetch_site": None, "origin": "null", "referer": None},
    ],
)
def test_nobody_else_may(client, post, headers):
    assert told(send(client, **headers)) == (403, "forbidden")
    assert post.events == []


def test_nobody_can_make_up_a_purchase(client, post, make):
    assert told(send(client, {**WISH, "event_name": "Purchase"})) == (403, "forbidden")
    with pytest.raises(ConfigurationError, match="COLLECT'] names 'Purchase'"):
        make(BROWSER={"COLLECT": ["Purchase", "Lead"]})
    assert post.events == []


@pytest.mark.parametrize("asked", [True, ("Lead", "Compared"), False])
def test_settings_say_which_names(asked):
    names = Collecting(BrowserSettings(collect=asked)).names
    every = set(STANDARD_EVENTS) - {"Purchase"}
    assert names == (every if asked is True else set(asked or ()))


def test_without_the_setting_there_is_nothing(make, post):
    assert told(send(make())) == (404, "not_found")
    assert post.events == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_request"),
        (b"{", "invalid_request"),
        (b"\xff", "invalid_request"),
        (b"[" * 5000, "invalid_request"),
        ([], "invalid_request"),
        ({}, "invalid_request"),
        ({"event_name": 7}, "invalid_request"),
        ({**WISH, "event_id": "Purchase.10007"}, "invalid_request"),
        ({**WISH, "event_id": 7}, "invalid_request"),
        ({**WISH, "custom_data": []}, "invalid_request"),
        ({**WISH, "custom_data": dict.fromkeys(map(str, range(51)), 1)}, "invalid_request"),
        ({**WISH, "custom_data": {"order_id": "10007"}}, "invalid_request"),
    ],
)
def test_what_cannot_be_used_is_told(client, post, body, code):
    assert told(send(client, body)) == (400, code)
    assert post.events == []


def test_another_kind_of_body_is_refused(client):
    kinds = ("application/x-www-form-urlencoded", "multipart/form-data", "", None)
    for kind in kinds:
        assert told(send(client, content_type=kind)) == (400, "invalid_request")


def test_another_method_is_refused(client):
    for method in ("GET", "PUT", "OPTIONS"):
        answer = send(client, context=attrs.evolve(CONTEXT, method=method))
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")


def test_a_long_body_is_refused_before_it_is_read(client, post):
    read = []

    def endless(size):
        read.append(size)
        return b"x" * size

    big = attrs.evolve(CONTEXT, headers={**CONTEXT.headers, "content-length": str(10**9)})
    assert told(collect(client, big, endless)) == (413, "too_large")
    assert read == []
    # Nothing is announced when it comes in pieces.
    assert told(collect(client, CONTEXT, endless)) == (413, "too_large")
    assert sum(read) == MOST_BYTES + 1


def test_who_sends_too_much_waits_and_others_do_not(client, post):
    answers = [send(client, {"event_name": "Contact"}) for _ in range(30)]
    assert [answer.status for answer in answers[:20]] == [204] * 20
    assert answers[-1].status == 429
    assert int(answers[-1].headers["Retry-After"]) >= 1
    other = attrs.evolve(CONTEXT, client_ip_address="203.0.113.10")
    assert send(client, context=other).status == 204
    assert len(client.browser.collecting.rate._left) == 2


@pytest.mark.parametrize(
    "who",
    [
        {"is_staff": True},
        {"client_user_agent": "Googlebot/2.1 (+http://www.google.com/bot.html)"},
        {"headers": {**CONTEXT.headers, "stripe-signature": "t=1"}},
    ],
    ids=["staff", "bot", "signed"],
)
def test_who_is_no_visitor_sends_nothing(client, post, who):
    lead = {"event_name": "Lead"}
    assert send(client, lead, attrs.evolve(CONTEXT, **who)).status == 204
    assert post.events == []


def test_nothing_is_sent_without_consent(make, post):
    client = make(BROWSER={"COLLECT": True}, CONSENT={"DEFAULT": "denied"})
    assert send(client).status == 204
    assert post.events == []


def test_pages_that_are_excluded_are_so_here_too(make, post):
    client = make(BROWSER={"COLLECT": True}, EXCLUDE={"paths": ["^/p/"]})
    assert send(client).status == 204
    assert post.events == []


def test_whose_context_an_order_has_is_not_for_pages_to_say(client):
    send(client, {**WISH, "custom_data": {"properties": {"order_id": "10007"}}})
    keys = [key_of("order", "10007"), key_of("event", ID)]
    assert client.delivering.contexts.find(keys) == {}


def test_nobody_is_taken_for_somebody_else(client, post):
    send(client, {**WISH, "user_data": {"email": "ada@example.com"}, "consent": "granted"})
    assert "ada@example.com" not in str(post.events)


def test_without_the_middleware_it_says_so(client, post):
    answer = collect(client, CONTEXT, io.BytesIO(json.dumps(WISH).encode()).read)
    assert told(answer) == (503, "unavailable")
    assert post.events == []


@settings(max_examples=150, deadline=None)
@given(
    body=st.one_of(
        st.binary(max_size=300),
        st.dictionaries(
            st.sampled_from(["event_name", "event_id", "custom_data", "url", "twin", "x"]),
            st.recursive(
                st.none() | st.booleans() | st.floats() | st.text(max_size=20) | st.integers(),
                lambda inner: (
                    st.lists(inner, max_size=3)
                    | st.dictionaries(st.text(max_size=8), inner, max_size=3)
                ),
                max_leaves=8,
            ),
        ).map(lambda value: json.dumps(value).encode()),
    )
)
def test_anything_a_stranger_sends_is_answered(body):
    client = paper_client(Post(), BROWSER={"COLLECT": True})
    try:
        assert send(client, body).status in (204, 400, 403)
    finally:
        client.close(0)


@pytest.mark.parametrize("where", ["event_name", "event_id", "custom_data", "content-type"])
def test_no_answer_repeats_what_it_was_sent(client, where):
    mark = "<script>alert(1)</script>"
    headers = {**CONTEXT.headers, **({where: mark} if where == "content-type" else {})}
    answer = send(client, {**WISH, where: mark}, attrs.evolve(CONTEXT, headers=headers))
    assert answer.status in (400, 403)
    assert b"script" not in answer.body
    assert "script" not in str(answer.headers)
