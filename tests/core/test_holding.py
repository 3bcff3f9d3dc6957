"""Events of visitors who have not decided wait for the decision, and for nobody else's."""

from __future__ import annotations

import attrs
import pytest

from capi_plugins import Consent, FinishedRequest, RequestContext, UserData, hookimpl
from capi_plugins.held_store import MOST_EACH
from capi_plugins.outbox.memory import MemoryOutbox

BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"
VISITOR = RequestContext(
    url="https://shop.example/",
    method="GET",
    client_ip_address="203.0.113.9",
    client_user_agent=BROWSER,
)
ANSWERS = {"yes": Consent.GRANTED, "no": Consent.DENIED, "some": Consent.LIMITED}


class Ads:
    """Consent from a cookie."""

    @hookimpl
    def capi_consent(self, context):
        return ANSWERS.get(context.cookies.get("ads"))


class Browser:
    """A visitor who comes again and again, and keeps the cookies that are set."""

    def __init__(self, client, **known):
        self.client = client
        self.context = attrs.evolve(VISITOR, **known)
        self.cookies = dict(known.get("cookies", {}))
        self.answers = []

    def visit(self, *events, content_type="text/html"):
        context = attrs.evolve(self.context, cookies=dict(self.cookies))
        page = FinishedRequest(
            method="GET", route="page", path="/", status=200, content_type=content_type
        )
        with self.client.request(lambda: context) as scope:
            for name, fields in events:
                self.client.track(name, **fields)
            processed = self.client.finish(scope, page)
        answer = self.client.browser_answer(scope, processed, page=True)
        cookies = (*answer.cookies, *scope.cookies)
        self.answers.append(cookies)
        for cookie in cookies:
            if cookie.max_age:
                self.cookies[cookie.name] = cookie.value
            else:
                self.cookies.pop(cookie.name, None)
        return processed

    def decides(self, answer):
        self.cookies["ads"] = answer
        return self.visit()


def lead(number, **fields):
    return ("Lead", {"event_id": f"lead-{number}", **fields})


@pytest.fixture
def client(make, clock):
    return make(Ads(), options={"clock": clock}, CONSENT={"DEFAULT": "hold"})


def dropped(heard):
    return [
        (arguments["event"].event_id, arguments["reason"])
        for name, arguments in heard
        if name == "event_dropped"
    ]


def test_what_an_undecided_visitor_does_is_sent_once_the_visitor_consents(client, post, heard):
    browser = Browser(client)
    (held,) = browser.visit(lead(1, event_time=1_799_999_000, user_data={"email": "a@b.example"}))
    browser.visit(lead(2))
    assert (held.payload, held.reason) == (None, "held until the visitor decides")
    assert post.events == []
    assert dropped(heard) == []
    browser.decides("yes")
    told = [
        (name, arguments["event"].event_id) for name, arguments in heard if "event" in arguments
    ]
    assert told[:4] == [
        ("event_captured", "lead-1"),
        ("event_held", "lead-1"),
        ("event_captured", "lead-2"),
        ("event_held", "lead-2"),
    ]
    assert sorted(told[4:]) == [("event_released", "lead-1"), ("event_released", "lead-2")]
    assert {event["id"] for event in post.events} == {"lead-1", "lead-2"}
    first = next(event for event in post.events if event["id"] == "lead-1")
    assert (first["time"], first["consent"]) == (1_799_999_000, "granted")
    assert first["email"] == "a@b.example"
    browser.visit()
    assert len(post.events) == 2


def test_who_limits_the_use_of_data_is_sent_that_way_only(client, post):
    browser = Browser(client)
    browser.visit(lead(1))
    browser.decides("some")
    assert [event["consent"] for event in post.events] == ["limited"]


def test_what_is_refused_is_gone_for_good(client, post, heard):
    browser = Browser(client)
    browser.visit(lead(1))
    browser.decides("no")
    assert dropped(heard) == [("lead-1", "no consent (Ads)")]
    browser.decides("yes")
    assert post.events == []
    assert client.delivering.held._held == {}


@pytest.mark.parametrize("decides", [True, False])
def test_what_is_not_decided_in_time_is_gone_and_told(client, post, heard, clock, decides):
    browser = Browser(client)
    browser.visit(lead(1))
    clock.advance(30 * 60 + 1)
    if not decides:
        client.holding._prune_from = 0.0
    # Whoever comes by: what is over is over.
    (browser if decides else Browser(client)).decides("yes")
    assert post.events == []
    assert client.delivering.held._held == {}
    reason = "no consent (the visitor did not decide within 30 minutes)"
    assert dropped(heard) == [("lead-1", reason)]


def test_the_time_is_a_setting(make, clock, post):
    consent = {"DEFAULT": "hold", "HOLD_MINUTES": 5}
    client = make(Ads(), options={"clock": clock}, CONSENT=consent)
    browser = Browser(client)
    browser.visit(lead(1))
    assert [cookie.max_age for cookie in browser.answers[0]] == [300]
    clock.advance(299)
    browser.decides("yes")
    assert len(post.events) == 1


@pytest.mark.parametrize(
    ("mine", "other"),
    [
        ({}, {}),
        ({"session_key": "a" * 32}, {"session_key": "b" * 32}),
        ({"cookies": {"_fbp": "fb.1.1.7"}}, {"cookies": {"_fbp": "fb.1.1.8"}}),
        (
            {"user": UserData(external_id="1"), "is_staff": False},
            {"user": UserData(external_id="2"), "is_staff": False},
        ),
    ],
    ids=["cookie", "session", "fbp", "user"],
)
@pytest.mark.parametrize("answer", ["yes", "no"])
def test_another_visitor_decides_nothing_of_mine(client, post, mine, other, answer):
    me = Browser(client, **mine)
    me.visit(lead(1))
    # With the same address and the same browser.
    Browser(client, **other).decides(answer)
    assert post.events == []
    me.decides("yes")
    assert len(post.events) == 1


def test_two_people_at_one_browser_decide_each_for_themselves(client, post):
    browser = Browser(client, user=UserData(external_id="1"), is_staff=False, session_key="a" * 32)
    browser.visit(lead(1))
    browser.context = attrs.evolve(browser.context, user=UserData(external_id="2"))
    browser.decides("yes")
    assert post.events == []


@pytest.mark.parametrize(
    "known", [{"session_key": "a" * 32}, {"cookies": {"_fbp": "fb.1.1.7"}}], ids=["session", "fbp"]
)
def test_who_can_be_told_from_others_gets_no_cookie(client, known):
    browser = Browser(client, **known)
    browser.visit(lead(1))
    assert browser.answers[0] == ()


def test_the_cookie_is_set_with_the_first_held_event_and_taken_away_with_the_decision(client):
    browser = Browser(client)
    browser.visit()
    assert browser.answers[-1] == ()
    browser.visit(lead(1))
    (cookie,) = browser.answers[-1]
    assert cookie.name == "capi_visit"
    assert (cookie.http_only, cookie.samesite, cookie.secure) == (True, "Lax", True)
    assert cookie.max_age == 30 * 60
    browser.visit(lead(2))
    assert [again.value for again in browser.answers[-1]] == [cookie.value]
    browser.decides("no")
    assert [(gone.name, gone.max_age) for gone in browser.answers[-1]] == [("capi_visit", 0)]
    browser.visit(lead(3))
    assert browser.answers[-1] == ()


@pytest.mark.parametrize("default", ["denied", "granted"])
def test_without_hold_there_is_no_cookie_and_nothing_is_held(make, default):
    client = make(Ads(), CONSENT={"DEFAULT": default})
    browser = Browser(client)
    browser.visit(lead(1))
    assert browser.answers[0] == ()
    assert client.delivering.held._held == {}


def test_one_visitor_has_fifty_held_events_at_most(client, post, heard):
    browser = Browser(client)
    for number in range(MOST_EACH + 3):
        browser.visit(lead(number))
    reason = "no consent (nothing was decided, and 50 events of the visitor are held)"
    assert dropped(heard) == [(f"lead-{MOST_EACH + more}", reason) for more in range(3)]
    Browser(client).visit(lead("other"))
    browser.decides("yes")
    assert len(post.events) == MOST_EACH


def test_an_event_that_happens_again_is_held_and_sent_once(client, post):
    browser = Browser(client)
    browser.visit(lead(1))
    browser.visit(lead(1))
    browser.decides("yes")
    assert len(post.events) == 1


def test_what_has_to_make_room_is_told(client, heard):
    client.delivering.held._most = 2
    for number in range(3):
        Browser(client).visit(lead(number))
    client.holding._prune_from = 0.0
    Browser(client).visit()
    reason = "no consent (nothing was decided, and newer events needed the room)"
    assert dropped(heard) == [("lead-0", reason)]


@pytest.mark.parametrize(
    "context",
    [
        RequestContext(),
        attrs.evolve(VISITOR, headers={"stripe-signature": "t=1"}, session_key="a" * 32),
        attrs.evolve(VISITOR, is_staff=True, session_key="a" * 32),
    ],
    ids=["no request", "webhook", "staff"],
)
def test_nothing_is_held_for_nobody(client, heard, context):
    with client.request(lambda: context):
        client.track("Purchase", event_id="1")
    assert client.delivering.held._held == {}
    ((_, reason),) = dropped(heard)
    assert reason.startswith("no consent (nothing was decided, and it is not the visitor's own")


@pytest.mark.parametrize("method", ["hold", "find", "remove", "prune"])
def test_a_store_that_raises_changes_nothing_of_the_hosts(client, heard, monkeypatch, method):
    def broken(*_):
        raise OSError("jane@example.com")

    monkeypatch.setattr(client.delivering.held, method, broken)
    browser = Browser(client)
    browser.visit(lead(1))
    browser.decides("yes")
    assert len(browser.answers) == 2
    if method == "hold":
        reason = "no consent (nothing was decided, and what is held cannot be stored now)"
        assert dropped(heard) == [("lead-1", reason)]


def test_what_the_outbox_refuses_stays_held(make, clock, post, monkeypatch):
    outbox = MemoryOutbox(max_deliveries=0)
    client = make(
        Ads(),
        options={"clock": clock, "outboxes": {"small": lambda _: outbox}},
        CONSENT={"DEFAULT": "hold"},
        DELIVERY={"OUTBOX": "small"},
    )
    browser = Browser(client)
    browser.visit(lead(1))
    browser.decides("yes")
    assert len(client.delivering.held._held) == 1
    outbox._max_deliveries = 10
    browser.visit()
    assert client.delivering.held._held == {}
    assert client.flush(10)
    assert [event["id"] for event in post.events] == ["lead-1"]


def test_a_visitor_who_has_decided_is_looked_for_once_a_while(client, monkeypatch):
    asked = []
    find = client.delivering.held.find
    monkeypatch.setattr(
        client.delivering.held, "find", lambda keys: (asked.append(keys), find(keys))[1]
    )
    browser = Browser(client, session_key="a" * 32)
    browser.visit(lead(1))
    for _ in range(5):
        browser.decides("yes")
    assert len(asked) == 1
    browser.cookies.pop("ads")
    browser.visit(lead(2))
    browser.decides("yes")
    assert len(asked) == 2


def test_a_payload_that_cannot_be_made_is_told_and_not_held(client, heard):
    Browser(client).visit(("Refused", {"event_id": "1"}))
    assert dropped(heard) == [("1", "paper refuses this name")]
