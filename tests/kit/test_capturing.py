"""`capture_events` with a client of one's own."""

from __future__ import annotations

import threading
from decimal import Decimal

import pytest

from capi_plugins import Event, RequestContext, hookimpl
from capi_plugins.testing import capture_events
from tests.core.paper import Post, paper_client


@pytest.fixture
def post():
    return Post()


@pytest.fixture(params=["immediate", "memory"])
def client(request, post):
    made = paper_client(post, DELIVERY={"OUTBOX": request.param})
    yield made
    made.close(0)


def test_events_are_recorded_with_their_payloads_and_nothing_is_sent(client, post):
    with capture_events() as events:
        client.track("Lead", event_id="1", custom_data={"value": 5})
        client.track("Search")
        assert client.flush(0)
    assert events.names == ["Lead", "Search"]
    payload = events.one("Lead").payloads["paper"]
    assert (payload["id"], payload["value"]) == ("1", 5)
    client.track("Contact")
    assert client.flush(20)
    assert [event["name"] for event in post.events] == ["Contact"]


def test_what_waited_before_goes_on_waiting_and_is_no_duplicate_of_the_block(post):
    client = paper_client(post, DELIVERY={"OUTBOX": "memory"})
    client.track("Lead", event_id="1")
    assert client.flush(20)
    for _ in range(2):
        with capture_events() as events:
            client.track("Lead", event_id="1")
        assert events.one("Lead").payloads
    client.close(0)
    assert len(post.events) == 1


def test_the_second_of_two_is_a_duplicate_inside_a_block(client):
    with capture_events() as events:
        client.track("Lead", event_id="1")
        client.track("Lead", event_id="1")
    first, second = events
    assert first.payloads and not first.dropped
    assert not second.payloads
    assert "duplicate" in second.dropped["paper"]


def test_what_was_dropped_says_why(post):
    client = paper_client(post, CONSENT={"DEFAULT": "denied"})
    with capture_events() as events:
        client.track("Lead")
        client.track("Search", event_time="nonsense")
    assert "no consent" in events.one("Lead").dropped["paper"]
    assert len(events.unbuilt) == 1
    with pytest.raises(AssertionError, match=r"no Lead is sent\n.*\n.*not to paper: no consent"):
        events.assert_event("Lead")


def test_the_event_is_shown_as_captured_and_the_payload_as_plugins_left_it(post):
    class Crm:
        @hookimpl
        def capi_enrich(self, event):
            return event.fill(user_data={"email": "jane@example.com"})

    client = paper_client(post, Crm())
    with capture_events() as events:
        client.track("Lead")
    lead = events.one("Lead")
    assert lead.event.user_data.email is None
    assert lead.payloads["paper"]["email"] == "jane@example.com"


def test_requests_in_other_threads_are_recorded(client):
    def visit():
        with client.request(lambda: RequestContext(method="GET")):
            client.track("Lead", event_id=threading.current_thread().name)

    with capture_events() as events:
        threads = [threading.Thread(target=visit) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert {each.event.event_id for each in events} == {thread.name for thread in threads}
    assert all(each.payloads for each in events)


def test_of_two_blocks_the_inner_one_has_the_payloads(client):
    with capture_events() as outer:
        with capture_events() as inner:
            client.track("Lead")
        client.track("Search")
    assert inner.names == ["Lead"]
    assert inner[0].payloads
    assert outer.one("Search").payloads


def test_two_clients_do_not_see_each_others_duplicates(post):
    clients = [paper_client(post), paper_client(post)]
    with capture_events() as events:
        for client in clients:
            client.track("Lead", event_id="1")
    assert all(each.payloads for each in events)
    assert len(events) == 2


# ------------------------------------------------------------------ helpers


@pytest.fixture
def events(client):
    with capture_events() as events:
        client.capture(
            Event.from_dict(
                {
                    "event_name": "Purchase",
                    "event_id": "Purchase.7",
                    "user_data": {"email": "jane@example.com"},
                    "custom_data": {"value": 42.0, "currency": "EUR", "gift": True},
                }
            )
        )
    return events


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"value": 42, "currency": "EUR"},
        {"value": "42.00"},
        {"value": Decimal("42.00")},
        {"event_id": "Purchase.7"},
        {"gift": True},
        {"email": "jane@example.com"},
    ],
)
def test_an_event_is_found_by_its_fields(events, fields):
    assert events.assert_event("Purchase", **fields) is events.one("Purchase")


@pytest.mark.parametrize(
    "fields", [{"value": 41}, {"currency": "USD"}, {"gift": False}, {"nothing": 1}]
)
def test_an_event_with_other_fields_is_not_the_one(events, fields):
    with pytest.raises(AssertionError, match="no Purchase is sent with"):
        events.assert_event("Purchase", **fields)


def test_a_failure_shows_what_was_captured_and_nobody(events):
    with pytest.raises(AssertionError) as caught:
        events.assert_event("Purchase", value=41, email="john@example.com")
    assert str(caught.value) == (
        "no Purchase is sent with value=41; and a certain email\n"
        "captured:\n"
        "  Purchase event_id='Purchase.7', value=42.0, currency='EUR', "
        "user_data: email (to paper)"
    )
    assert "example.com" not in repr(events) + str(list(events))


def test_one_is_one(client):
    with capture_events() as events:
        for _ in range(2):
            client.track("Lead")
    with pytest.raises(AssertionError, match="2 Lead captured, not one"):
        events.one("Lead")
    with pytest.raises(AssertionError, match="no Purchase captured, not one"):
        events.one("Purchase")


def test_an_empty_block_says_what_may_be_the_matter(post):
    client = paper_client(post, ENABLED=False)
    with capture_events() as events:
        client.track("Lead")
    with pytest.raises(AssertionError, match=r"nothing was captured: is CAPI\['ENABLED'\]"):
        events.one("Lead")
