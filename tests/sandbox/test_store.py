from __future__ import annotations

import concurrent.futures

import attrs
import pytest

from capi_plugins.sandbox import Sandbox
from tests.sandbox.wire_events import EMAIL, NOW, changed, website_purchase

SHOP = website_purchase()


def numbered(number):
    return changed(SHOP, "event_id", str(number))


def test_wait_for_returns_as_soon_as_the_events_are_there(sandbox, post):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(sandbox.wait_for, 2, 10, "Purchase")
        post(numbered(1))
        post(changed(numbered(9), "event_name", "Lead"))
        post(numbered(1))
        assert not waiting.done()
        post(numbered(2))
        assert [event.payload["event_id"] for event in waiting.result(5)] == ["1", "2"]


def test_timeout_says_what_did_arrive(sandbox, post):
    with pytest.raises(TimeoutError, match="nothing arrived at all"):
        sandbox.wait_for(1, timeout=0)
    post(SHOP)
    post(SHOP)
    post(changed(SHOP, "event_time", 1))
    with pytest.raises(TimeoutError) as caught:
        sandbox.wait_for(3, timeout=0.01, name="Purchase")
    text = str(caught.value)
    assert "3 Purchase events, got 1" in text
    assert "1 x Purchase refused (event_time_too_old)" in text
    assert "1 x Purchase duplicate" in text
    assert EMAIL not in text


def test_received_event_tells_where_it_came_from(sandbox, post):
    post(SHOP, test_event_code="TEST1")
    (event,) = sandbox.events
    (request,) = sandbox.requests
    assert (event.dataset, event.received_at, event.test_event_code) == ("1234567890", NOW, "TEST1")
    assert event.request_id == request.request_id
    assert request.events == (event,)
    assert (request.method, request.status, request.encoding) == ("POST", 200, "json")
    assert request.answer["events_received"] == 1
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        event.dataset = "2"


def test_personal_data_and_tokens_are_in_no_repr(sandbox, post):
    post(SHOP)
    post(changed(SHOP, "user_data.em", "john@example.com"))
    shown = repr((sandbox, sandbox.events, sandbox.refused, sandbox.requests))
    assert EMAIL not in shown
    assert "john@example.com" not in shown
    assert "TOKEN" not in shown


def test_memory_is_bounded_and_the_newest_stay(client):
    with Sandbox(clock=lambda: NOW, limit=10) as sandbox:
        for number in range(25):
            body = {"data": [numbered(number)], "access_token": "T"}
            client.post(f"{sandbox.url}/v26.0/1/events", json=body)
        assert [event.payload["event_id"] for event in sandbox.events] == [
            str(number) for number in range(15, 25)
        ]
        assert len(sandbox.wait_for(10, 0)) == 10


def test_clear_forgets_deduplication_too(sandbox, post):
    post(SHOP)
    sandbox.clear()
    assert (sandbox.events, sandbox.requests) == ([], [])
    post(SHOP)
    assert [event.duplicate for event in sandbox.events] == [False]


def test_sandbox_cannot_be_started_twice(sandbox):
    with pytest.raises(RuntimeError):
        sandbox.start()


def test_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="'strict' or 'meta'"):
        Sandbox(mode="lenient")
