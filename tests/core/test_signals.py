from __future__ import annotations

import gc

import pytest
from blinker import NamedSignal

from capi_plugins import Event, hookimpl, signals
from capi_plugins.destinations.base import Response
from tests.core.paper import OK

NAMES = {
    "event_captured",
    "event_dropped",
    "event_held",
    "event_released",
    "field_dropped",
    "delivered",
    "delivery_retried",
    "delivery_dead",
    "outbox_full",
    "plugin_failed",
}


def test_these_are_the_signals():
    found = {name for name, value in vars(signals).items() if isinstance(value, NamedSignal)}
    assert found == NAMES


def test_a_delivered_event_is_told_step_by_step(make, heard):
    make().track("Lead", event_id="1")
    assert [name for name, _ in heard] == ["event_captured", "delivered"]
    captured, delivered = (told for _, told in heard)
    assert captured["event"].event_id == "1"
    assert captured["context"].in_request is False
    assert [item.event_id for item in delivered["deliveries"]] == ["1"]
    assert delivered["outcome"].reason == "answer 200"


def test_the_client_is_the_sender(make):
    senders = []

    def note(sender, **told):
        senders.append(sender)

    one, two = make(), make()
    with signals.event_captured.connected_to(note, sender=two):
        one.track("Lead")
        two.track("Lead")
    assert senders == [two]


def test_a_receiver_that_fails_is_logged_and_the_others_hear(make, post, caplog, heard):
    def fail(sender, **told):
        raise ValueError("jane@example.com")

    for signal in (signals.event_captured, signals.delivered):
        signal.connect(fail)
    try:
        make().track("Lead")
    finally:
        for signal in (signals.event_captured, signals.delivered):
            signal.disconnect(fail)
    assert len(post.events) == 1
    assert [name for name, _ in heard] == ["event_captured", "delivered"]
    assert "a receiver of event_captured failed with ValueError" in caplog.text
    assert "a receiver of delivered failed with ValueError" in caplog.text
    assert "jane@example.com" not in caplog.text


def test_a_receiver_with_wrong_arguments_costs_nothing_but_a_line(make, post, caplog):
    def outdated(sender, event):
        """Does not take context."""

    with signals.event_captured.connected_to(outdated):
        make().track("Lead")
    assert len(post.events) == 1
    assert "failed with TypeError" in caplog.text


def test_receivers_are_held_weakly(make):
    calls = []

    def connect():
        def gone(sender, **told):
            calls.append(1)

        signals.event_captured.connect(gone)

    connect()
    gc.collect()
    make().track("Lead")
    assert calls == []


def test_a_receiver_cannot_change_the_event(make, post):
    def change(sender, *, event, context):
        event.fill(custom_data={"value": 9})
        with pytest.raises(AttributeError):
            event.event_name = "Other"

    with signals.event_captured.connected_to(change):
        make().track("Lead")
    assert (post.events[0]["name"], post.events[0]["value"]) == ("Lead", None)


def test_a_full_outbox_is_told(make, post, heard, caplog):
    client = make(DELIVERY={"OUTBOX": "memory", "QUEUE_SIZE": 1, "EXIT_TIMEOUT": 0})
    post.answer = lambda events, destination: Response(status=401)
    for event_id in "123":
        client.capture(Event(event_name="Lead", event_id=event_id))
    told = [told for name, told in heard if name == "outbox_full"]
    assert [item.event_id for full in told for item in full["deliveries"]] == ["2", "3"]
    assert caplog.text.count("outbox is full") == 1  # once a minute, however many there are


def test_every_retry_and_every_death_is_told(make, post, heard, clock):
    post.answer = lambda events, destination: Response(status=500)
    client = make(clock=clock, DELIVERY={"OUTBOX": "immediate", "MAX_ATTEMPTS": 2})
    client.track("Lead", event_id="1")
    clock.advance(3600)
    client.flush()
    assert [name for name, _ in heard] == ["event_captured", "delivery_retried", "delivery_dead"]
    retried, dead = heard[1][1], heard[2][1]
    assert retried["at"] >= clock() - 3600
    assert retried["outcome"].reason == "answer 500"
    assert [item.event_id for item in dead["deliveries"]] == ["1"]
    assert dead["reason"] == "given up after 2 attempts: answer 500"


def test_a_failing_plugin_is_told(make, heard):
    class Broken:
        @hookimpl
        def capi_enrich(self, event):
            raise ValueError("x")

    make(Broken()).track("Lead")
    (told,) = [told for name, told in heard if name == "plugin_failed"]
    assert (told["plugin"], told["hook"]) == ("Broken", "capi_enrich")
    assert isinstance(told["error"], ValueError)


def test_plugin_failed_during_start_up_has_nobody_to_be_told_to(make, heard):
    class Broken:
        @hookimpl
        def capi_triggers(self):
            raise ValueError("x")

    make(Broken())
    assert heard == []


def test_nobody_listening_costs_nothing(make, post):
    post.answer = lambda events, destination: OK
    make().track("Lead")
    assert len(post.events) == 1
