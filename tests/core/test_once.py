"""One event for one thing a person did."""

from __future__ import annotations

import attrs
import pytest

from capi_plugins import FinishedRequest, RequestContext, UserData

VISITOR = RequestContext(
    url="https://shop.example/p/mug/",
    method="GET",
    client_ip_address="203.0.113.9",
    client_user_agent="Mozilla/5.0",
    cookies={"_fbp": "fb.1.1.7"},
    session_key="s" * 32,
)
VIEW = {
    "ON": "request",
    "ROUTE": "product",
    "EVENT": "ViewContent",
    "CUSTOM_DATA": {"content_ids": "kwargs.sku"},
}


@pytest.fixture
def look(make, clock):
    """Look at a product, in any of several processes, which share nothing but a file."""

    def look(client, context=VISITOR, sku="MUG"):
        finished = FinishedRequest(
            method="GET",
            route="product",
            path="/",
            status=200,
            offer=lambda: {"kwargs": {"sku": sku}},
        )
        with client.request(lambda: context) as scope:
            client.finish(scope, finished)

    look.client = lambda **settings: make(
        **{"TRIGGERS": [VIEW], "options": {"clock": clock}, **settings}
    )
    return look


def test_looking_again_in_one_visit_is_one_event(look, post, clock):
    client = look.client()
    for _ in range(5):
        look(client)
        clock.advance(60)
    assert len(post.events) == 1


def test_the_same_in_every_process(look, clock, tmp_path):
    delivery = {"OUTBOX": f"sqlite:///{tmp_path / 'outbox.sqlite3'}", "WORKER": "external"}
    one, other = look.client(DELIVERY=delivery), look.client(DELIVERY=delivery)
    look(one)
    look(other)
    assert one.stats().waiting == 1


@pytest.mark.parametrize(
    "other",
    [
        {"sku": "CUP"},
        {"context": attrs.evolve(VISITOR, cookies={"_fbp": "fb.1.1.8"})},
        {"context": attrs.evolve(VISITOR, cookies={}, session_key="t" * 32)},
        {"context": attrs.evolve(VISITOR, cookies={}, session_key=None)},
    ],
)
def test_another_product_or_another_visitor_is_another_event(look, post, other):
    client = look.client()
    look(client)
    look(client, **other)
    assert len(post.events) == 2


def test_without_cookies_address_and_browser_are_the_visitor(look, post):
    client = look.client()
    bare = attrs.evolve(VISITOR, cookies={}, session_key=None)
    look(client, bare)
    look(client, bare)
    look(client, attrs.evolve(bare, client_ip_address=None))
    look(client, attrs.evolve(bare, client_ip_address=None))
    assert len(post.events) == 3


def test_signing_in_does_not_begin_another_visit(look, post):
    client = look.client()
    look(client)
    look(client, attrs.evolve(VISITOR, session_key="t" * 32, user=UserData(external_id="7")))
    assert len(post.events) == 1


def test_half_an_hour_later_is_another_look(look, post, clock):
    client = look.client()
    look(client)
    clock.advance(1800)
    look(client)
    assert len(post.events) == 2


@pytest.mark.parametrize(
    "trigger",
    [
        {**VIEW, "EVENT": "AddToCart"},
        {**VIEW, "CUSTOM_DATA": {}},
        {**VIEW, "EVENT_ID": "kwargs.nothing", "EVENT": "Lead"},
    ],
)
def test_other_events_and_looks_at_nothing_count_each_time(look, post, trigger):
    client = look.client(TRIGGERS=[trigger])
    look(client)
    look(client)
    assert len(post.events) == 2


def test_an_id_that_somebody_chose_stays(look, post):
    client = look.client(TRIGGERS=[{**VIEW, "EVENT_ID": "kwargs.sku"}])
    look(client)
    assert [event["id"] for event in post.events] == ["ViewContent.MUG"]


def test_contents_tell_the_product_too(look, post):
    contents = {"contents": {"EACH": "kwargs", "id": "item"}}
    client = look.client(TRIGGERS=[{**VIEW, "CUSTOM_DATA": contents}])
    look(client)
    look(client)
    look(client, sku="CUP")
    assert len(post.events) == 2


LOGIN = {"ON": "signal", "SIGNAL": "a.b", "EVENT": "Login", "USER_DATA": {"external_id": "user.id"}}


class Login:
    """A host in which two apps send a signal for one login."""

    def __init__(self, client):
        self.client = client

    def signals(self, *numbers, user=7, **data):
        offer = {"user": {"id": user}, **data}
        with self.client.request(lambda: VISITOR):
            for number in numbers:
                trigger = self.client.triggers.on_signal[number]
                self.client.note(
                    lambda trigger=trigger: trigger.build(offer),
                    about=lambda trigger=trigger: self.client.subject(trigger, offer),
                )


def test_two_signals_for_one_login_are_one_event(make, post, heard):
    login = Login(make(TRIGGERS=[LOGIN, {**LOGIN, "SIGNAL": "c.d"}]))
    login.signals(0, 1)
    assert len(post.events) == 1
    reasons = [told["reason"] for name, told in heard if name == "event_dropped"]
    assert reasons == ["duplicate: another trigger made the same event"]
    login.signals(0, 1)
    assert len(post.events) == 2


def test_one_trigger_that_fires_twice_makes_two_events(make, post):
    login = Login(make(TRIGGERS=[LOGIN]))
    login.signals(0, 0)
    assert len(post.events) == 2


@pytest.mark.parametrize(
    "other",
    [
        {"EVENT": "Contact"},
        {"CUSTOM_DATA": {"value": {"VALUE": 1}}},
        {"USER_DATA": {"external_id": {"VALUE": "8"}}},
        {"USER_DATA": {}},
        {"EVENT_ID": "user.id"},
    ],
)
def test_what_differs_is_another_event(make, post, other):
    login = Login(make(TRIGGERS=[LOGIN, {**LOGIN, **other}]))
    login.signals(0, 1)
    assert len(post.events) == 2


def test_code_that_tracks_twice_means_two_events(make, post):
    client = make()
    with client.request(lambda: VISITOR):
        client.track("Lead", user_data={"external_id": "7"})
        client.track("Lead", user_data={"external_id": "7"})
    assert len(post.events) == 2
