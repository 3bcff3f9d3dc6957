"""What happens to the others when one implementation of a hook raises, as docs/hooks.md says."""

from __future__ import annotations

import logging
import types

import pytest

from capi_plugins import (
    Consent,
    DropEvent,
    Event,
    PluginError,
    TransportError,
    hookimpl,
)
from capi_plugins.destinations.base import Response
from tests.core.paper import Paper, Post

SECRET = "jane@example.com"


def raising(hook, error=None, **options):
    """A plugin called Broken whose implementation of one hook raises."""

    def fail():
        raise error or ValueError(SECRET)

    fail.__name__ = hook
    return types.SimpleNamespace(__name__="broken", **{hook: hookimpl(**options)(fail)})


def answering(hook, answer):
    """A plugin whose implementation of one hook answers."""

    def give():
        return answer

    return types.SimpleNamespace(__name__="good", **{hook: hookimpl(give)})


def failures(heard):
    return [(told["plugin"], told["hook"]) for name, told in heard if name == "plugin_failed"]


def drops(heard):
    return [
        (told["destination"], told["reason"]) for name, told in heard if name == "event_dropped"
    ]


@pytest.mark.parametrize("hook", ["capi_configure", "capi_destination_types", "capi_sources"])
def test_a_failure_at_start_up_stops_it_and_names_the_plugin(make, hook):
    with pytest.raises(PluginError, match=f"plugin 'broken' failed in {hook}: ValueError"):
        make(raising(hook))


def test_a_destination_type_must_be_a_destination(make):
    with pytest.raises(PluginError, match="'good': capi_destination_types must offer subclasses"):
        make(answering("capi_destination_types", [Post]))


def test_a_source_must_be_a_source(make):
    with pytest.raises(PluginError, match="'good': capi_sources must offer sources"):
        make(answering("capi_sources", [Post]))


@pytest.mark.parametrize("hook", ["capi_destination_types", "capi_sources"])
def test_what_a_plugin_offers_must_be_a_list(make, hook):
    with pytest.raises(PluginError, match=f"'good' failed in {hook}: TypeError"):
        make(answering(hook, 5))


def test_a_recipe_that_fails_is_left_out_and_the_others_hold(make, caplog):
    trigger = {"ON": "signal", "SIGNAL": "shop.signals.paid", "EVENT": "Purchase"}
    client = make(raising("capi_triggers"), answering("capi_triggers", [trigger]))
    assert [item.event for item in client.triggers.all] == ["Purchase"]
    assert "plugin broken failed in capi_triggers with ValueError" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize("offered", [[{"ON": "signal"}], [None], 5, ["x"]])
def test_a_recipe_with_a_wrong_trigger_is_left_out_and_said(make, caplog, offered):
    good = {"ON": "signal", "SIGNAL": "shop.signals.paid", "EVENT": "Purchase"}
    client = make(
        answering("capi_triggers", offered),
        types.SimpleNamespace(__name__="fine", capi_triggers=hookimpl(lambda: [good])),
    )
    assert [item.event for item in client.triggers.all] == ["Purchase"]
    assert "good" in caplog.text


def test_a_route_that_fails_is_skipped(make, post, heard):
    two = {"paper": {"TOKEN": "x"}, "second": {"KIND": "paper", "TOKEN": "x"}}
    client = make(raising("capi_route"), answering("capi_route", ["second"]), DESTINATIONS=two)
    results = client.capture(Event(event_name="Lead"))
    assert [result.destination for result in results] == ["second"]
    assert failures(heard) == [("broken", "capi_route")]


def test_a_look_up_that_fails_is_skipped(make, post, heard):
    tenant = Paper("tenant", {"TOKEN": "x"})
    client = make(
        raising("capi_lookup_destination"),
        answering("capi_lookup_destination", tenant),
        answering("capi_route", ["tenant"]),
    )
    client.track("Lead")
    assert len(post.events) == 1
    assert ("broken", "capi_lookup_destination") in failures(heard)


def test_a_consent_that_fails_denies(make, post, heard):
    client = make(answering("capi_consent", Consent.GRANTED), raising("capi_consent"))
    client.track("Lead")
    assert post.events == []
    assert drops(heard) == [("paper", "no consent (broken)")]
    assert failures(heard) == [("broken", "capi_consent")]


@pytest.mark.parametrize("answer", ["granted", True, 1, object()])
def test_an_answer_that_is_no_consent_denies(make, post, heard, answer):
    make(answering("capi_consent", answer)).track("Lead")
    assert post.events == []
    assert failures(heard) == [("good", "capi_consent")]


def test_an_enrichment_that_fails_is_lost_and_the_chain_goes_on(make, post, heard):
    class Before:
        @hookimpl
        def capi_enrich(self, event):
            return event.fill(user_data={"email": SECRET})

    class After:
        @hookimpl
        def capi_enrich(self, event):
            return event.fill(custom_data={"value": 7})

    make(Before(), raising("capi_enrich"), After()).track("Lead")
    (event,) = post.events
    assert (event["email"], event["value"]) == (SECRET, 7)
    assert failures(heard) == [("broken", "capi_enrich")]


def test_an_enrichment_that_returns_something_else_is_lost(make, post, heard):
    make(answering("capi_enrich", {"value": 7})).track("Lead")
    assert len(post.events) == 1
    assert failures(heard) == [("good", "capi_enrich")]


@pytest.mark.parametrize("plugin", [raising("capi_filter"), answering("capi_filter", {"v": 1})])
def test_a_filter_that_fails_drops_for_that_destination(make, post, heard, plugin):
    make(plugin).track("Lead")
    assert post.events == []
    name = plugin.__name__
    assert drops(heard) == [("paper", f"plugin {name!r} failed in capi_filter")]
    assert failures(heard) == [(name, "capi_filter")]


def test_a_filter_that_fails_for_one_destination_leaves_the_others(make, post, heard):
    class Picky:
        @hookimpl
        def capi_filter(self, destination):
            if destination == "paper":
                raise ValueError(SECRET)

    two = {"paper": {"TOKEN": "x"}, "second": {"KIND": "paper", "TOKEN": "x"}}
    results = make(Picky(), DESTINATIONS=two).capture(Event(event_name="Lead"))
    assert [(result.destination, result.payload is not None) for result in results] == [
        ("paper", False),
        ("second", True),
    ]


def test_dropping_an_event_is_no_failure(make, post, heard):
    make(raising("capi_filter", DropEvent("a test order"))).track("Lead")
    assert drops(heard) == [("paper", "a test order")]
    assert failures(heard) == []


def test_a_send_that_fails_is_tried_again(make, post, heard, clock):
    broken = raising("capi_send", tryfirst=True)
    client = make(broken, clock=clock)
    client.track("Lead")
    (retried,) = [told for name, told in heard if name == "delivery_retried"]
    assert retried["outcome"].reason == "sending failed with ValueError"
    assert [item.attempts for item in retried["deliveries"]] == [0]
    assert client.stats().waiting == 1


def test_a_wrapper_of_send_that_fails_is_tried_again(make, post, heard, clock):
    class Tracing:
        @hookimpl(wrapper=True)
        def capi_send(self):
            yield
            raise ValueError(SECRET)

    client = make(Tracing(), clock=clock)
    client.track("Lead")
    assert [name for name, _ in heard if name.startswith("deliver")] == ["delivery_retried"]
    assert [hook for _, hook in failures(heard)] == ["capi_send"]


def test_a_transport_error_is_no_failure_of_a_plugin(make, heard, clock):
    error = TransportError("no answer", retry_after=60)
    make(raising("capi_send", error, tryfirst=True), clock=clock).track("Lead")
    (retried,) = [told for name, told in heard if name == "delivery_retried"]
    assert retried["at"] >= clock() + 60
    assert failures(heard) == []


@pytest.mark.parametrize("answer", ["sent", 200, Response])
def test_an_answer_that_is_no_response_is_tried_again(make, heard, clock, answer):
    class Odd:
        @hookimpl(tryfirst=True)
        def capi_send(self):
            return answer

    make(Odd(), clock=clock).track("Lead")
    (retried,) = [told for name, told in heard if name == "delivery_retried"]
    assert "capi_send" in retried["outcome"].reason


def test_a_shutdown_that_fails_is_logged_and_the_others_are_told(make, caplog, heard):
    told = []

    class Good:
        @hookimpl
        def capi_shutdown(self):
            told.append(1)

    client = make(raising("capi_shutdown"), Good())
    client.close()
    assert told == [1]
    assert "plugin broken failed in capi_shutdown with ValueError at" in caplog.text
    assert failures(heard) == [("broken", "capi_shutdown")]


def test_what_is_logged_of_a_failure_is_its_type_and_place(make, caplog):
    caplog.set_level(logging.DEBUG, logger="capi_plugins")
    make(raising("capi_enrich"), raising("capi_consent")).track("Lead", user_data={"email": SECRET})
    assert "ValueError at " in caplog.text
    assert "test_isolation.py:" in caplog.text
    assert SECRET not in caplog.text
    assert "Traceback" not in caplog.text
