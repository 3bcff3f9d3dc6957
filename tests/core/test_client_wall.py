"""Nothing of ours reaches the caller, wherever it is raised."""

from __future__ import annotations

import logging

import pytest

from capi_plugins import Event, FinishedRequest, UnknownSource, hookimpl, signals
from capi_plugins.destinations.base import Response
from capi_plugins.sources.base import Source, SourceRequest
from tests.core.paper import Paper, Post

BOOM = "boom jane@example.com"


def boom(*args, **more):
    raise RuntimeError(BOOM)


def everything(client):
    """Every call a host's request may make."""
    client.track("Lead", user_data={"email": "a@example.com"})
    client.track(Event(event_name="Lead"))
    client.capture(Event(event_name="Lead"))
    client.note(boom)
    client.note(lambda: None)
    client.note(lambda: "no event")
    client.note(lambda: Event(event_name="Lead"), on_commit=boom)
    client.note(boom, on_commit=lambda function: function())
    client.user_data(object())
    with client.request(boom) as scope:
        client.track("Lead")
        client.note(boom)
        client.note(boom, on_commit=lambda function: function())
        client.finish(
            scope, FinishedRequest(method="GET", route=None, path="/", status=200, offer=boom)
        )
    with client.request(boom) as scope:
        client.finish(scope, None)


class Outbox:
    inline = False

    def __init__(self, settings):
        """Takes the settings, as every outbox named by its path does."""

    def __getattr__(self, name):
        return boom


class NoOutbox:
    def __init__(self, settings):
        boom()


class Hooks:
    capi_route = capi_consent = capi_enrich = capi_filter = capi_send = None

    def __init__(self, hook):
        setattr(self, hook, hookimpl(_named(hook)))


def _named(hook):
    def fail():
        boom()

    fail.__name__ = hook
    return fail


@pytest.mark.parametrize(
    "hook",
    "capi_route capi_lookup_destination capi_consent capi_enrich capi_filter capi_send".split(),
)
def test_a_failing_plugin(make, hook):
    everything(make(Hooks(hook), TRIGGERS=[{"ON": "request", "EVENT": "PageView"}]))


@pytest.mark.parametrize("method", ["payload", "request", "outcome"])
def test_a_failing_destination(make, monkeypatch, method):
    monkeypatch.setattr(Paper, method, boom)
    everything(make())


@pytest.mark.parametrize("outbox", ["Outbox", "NoOutbox"])
def test_a_failing_outbox(make, heard, outbox):
    client = make(DELIVERY={"OUTBOX": f"{__name__}.{outbox}"})
    everything(client)
    reasons = [told["reason"] for name, told in heard if name == "event_dropped"]
    assert "the outbox failed: RuntimeError" in reasons
    client.close()


def test_failing_receivers(make):
    every = [signals.event_captured, signals.event_dropped, signals.delivered]
    for signal in every:
        signal.connect(boom)
    try:
        everything(make())
    finally:
        for signal in every:
            signal.disconnect(boom)


def test_a_failing_log_handler(make):
    class Handler(logging.Handler):
        emit = boom

    handler = Handler()
    logging.getLogger("capi_plugins").addHandler(handler)
    try:
        everything(make(Hooks("capi_enrich")))
    finally:
        logging.getLogger("capi_plugins").removeHandler(handler)


def test_failing_triggers(make, post):
    client = make()
    client.triggers = None
    with client.request(boom) as scope:
        client.track("Lead")
        client.finish(scope, FinishedRequest(method="GET", route=None, path="/", status=200))
    assert len(post.events) == 1


def test_a_build_that_fails_costs_its_own_event(make, post):
    client = make()
    with client.request(boom) as scope:
        client.track("One")
        client.note(boom)
        client.track("Two")
        client.finish(scope, FinishedRequest(method="GET", route=None, path="/", status=200))
    assert [event["name"] for event in post.events] == ["One", "Two"]


def test_the_hosts_own_exceptions_pass(make):
    client = make()
    with pytest.raises(KeyError), client.request(boom):
        raise KeyError


def test_after_closing_everything_is_still_taken(make, post):
    client = make()
    client.close()
    everything(client)
    assert client.close()


def test_logs_hold_no_personal_data(make, caplog):
    caplog.set_level(logging.DEBUG)
    everything(make(Hooks("capi_enrich")))
    assert "RuntimeError at " in caplog.text
    assert "@example.com" not in caplog.text


class Shop(Source):
    NAME = "shop"

    def events(self, request):
        yield Event(event_name="Purchase", event_id="1")
        if request.body == b"bad":
            boom()
        yield Event(event_name="Crash", event_id="2")


class Sources:
    @hookimpl
    def capi_sources(self):
        return [Shop()]


def test_a_source_is_found_by_its_name(make, post):
    client = make(Sources())
    assert client.receive("shop", SourceRequest()) == 2
    assert [event["name"] for event in post.events] == ["Purchase"]
    with pytest.raises(UnknownSource, match="there is no source 'shpo'"):
        client.receive("shpo", SourceRequest())


def test_a_source_that_fails_half_way_takes_nothing_so_that_the_sender_repeats(make, post):
    client = make(Sources())
    with pytest.raises(RuntimeError):
        client.receive("shop", SourceRequest(body=b"bad"))
    assert post.events == []


def test_a_hung_endpoint_does_not_block_a_request(make):
    import threading

    release = threading.Event()
    hung = Post(lambda events, destination: (release.wait(30), Response(status=200))[1])
    client = make(to=hung, DELIVERY={"OUTBOX": "memory", "EXIT_TIMEOUT": 0.05})
    everything(client)
    assert not client.close()
    release.set()
