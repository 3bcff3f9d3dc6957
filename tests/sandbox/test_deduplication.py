from __future__ import annotations

import concurrent.futures

from capi_plugins.sandbox import Sandbox
from tests.sandbox.wire_events import NOW, changed, website_purchase, whatsapp_purchase

SHOP = website_purchase()


def test_second_copy_is_answered_but_does_not_count(sandbox, post):
    assert post(SHOP).status_code == 200
    assert post(SHOP).json()["events_received"] == 1
    assert [event.duplicate for event in sandbox.events] == [False, True]
    assert len(sandbox.accepted("Purchase")) == 1


def test_58_duplicate_inside_one_batch_is_received_twice(sandbox, post):
    assert post(SHOP, SHOP).json()["events_received"] == 2
    assert len(sandbox.accepted()) == 1


def test_other_name_id_or_dataset_is_another_event(sandbox, post):
    post(SHOP)
    post(changed(SHOP, "event_name", "Lead"))
    post(changed(SHOP, "event_id", "other"))
    post(SHOP, path="/v26.0/77/events")
    assert len(sandbox.accepted()) == 4


def test_events_without_id_all_count(sandbox, post):
    post(changed(SHOP, "event_id"), changed(SHOP, "event_id"))
    assert len(sandbox.accepted()) == 2


def test_messaging_events_are_not_deduplicated(sandbox, post):
    event = changed(whatsapp_purchase(), "event_id", "x")
    post(event, event)
    assert len(sandbox.accepted()) == 2


def test_refused_event_does_not_use_up_its_id(sandbox, post):
    post(SHOP, changed(SHOP, "event_time", 1))
    post(SHOP)
    assert [event.duplicate for event in sandbox.events] == [False]


def test_window_is_48_hours_from_the_first(client):
    clock = [NOW]
    with Sandbox(clock=lambda: clock[0]) as sandbox:

        def send():
            body = {"data": [SHOP], "access_token": "T"}
            client.post(f"{sandbox.url}/v26.0/1/events", json=body)
            return sandbox.events[-1].duplicate

        assert send() is False
        clock[0] = NOW + 48 * 3600 - 1
        assert send() is True
        clock[0] = NOW + 48 * 3600
        assert send() is False


def test_of_copies_that_arrive_together_one_counts(sandbox, post):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: post(SHOP), range(40)))
    assert len(sandbox.events) == 40
    assert len(sandbox.accepted()) == 1
