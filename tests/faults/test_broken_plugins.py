"""Hooks and receivers that fail as badly as Python allows."""

from __future__ import annotations

import sys

import pytest

from capi_plugins import configure, hookimpl, signals
from tests.faults.shop_process import event
from tests.faults.shop_settings import settings

flask = pytest.importorskip("flask")


def recurse():
    recurse()


FAILURES = {
    "exit": lambda: sys.exit(1),
    "memory": lambda: (_ for _ in ()).throw(MemoryError),
    "recursion": recurse,
    "assertion": lambda: (_ for _ in ()).throw(AssertionError),
    "generator": lambda: next(iter(())),
}


def broken(hook, fail):
    """A plugin of which one hook fails."""

    def capi_enrich(event, context):
        fail()

    def capi_consent(event, context, destination):
        fail()

    def capi_filter(event, context, destination):
        fail()

    def capi_send(request, destination):
        if sent:
            return None  # The built-in one answers.
        sent.append(request)
        return fail()

    sent = []
    found = {each.__name__: each for each in (capi_enrich, capi_consent, capi_filter, capi_send)}
    implementation = hookimpl(tryfirst=True) if hook == "capi_send" else hookimpl
    return type("Broken", (), {hook: staticmethod(implementation(found[hook]))})()


@pytest.fixture
def dropped():
    told = []

    def receiver(sender, *, reason, **_):
        told.append(reason)

    with signals.event_dropped.connected_to(receiver):
        yield told


@pytest.mark.fault("A17")
@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("hook", ["capi_enrich", "capi_consent", "capi_filter", "capi_send"])
def test_whatever_a_hook_raises_the_host_answers_and_sending_goes_on(
    hook, failure, sandbox, box, dropped
):
    """A plugin's hook runs out of memory or stack, exits, or raises otherwise, inside of a request
    and in the thread that sends.

    The answer is the host's own. Without its enrichment, and after a failed send, the event
    arrives; where consent or a filter failed it is dropped with a reason. Later events are sent.
    """
    from capi_flask import Capi

    app = flask.Flask("shop")
    wanted = settings(sandbox.url, box)
    wanted["PLUGINS"] = [broken(hook, FAILURES[failure])]
    app.config["CAPI"] = {**wanted, "PAGE_VIEW": False}
    Capi(app)
    client = app.extensions["capi"].client

    @app.get("/")
    def page():
        client.capture(event("1"))
        client.track(event("2"))
        return "the page", 201

    answer = app.test_client().get("/")
    assert (answer.status_code, answer.data) == (201, b"the page")
    if hook in ("capi_enrich", "capi_send"):
        sandbox.wait_for(2, timeout=20)
        assert dropped == []
    else:
        assert len(dropped) == 2
        assert all("Broken" in reason or "no consent" in reason for reason in dropped)
    assert client.flush(20)
    assert client.stats().waiting == client.stats().dead == 0
    client.close()


@pytest.mark.fault("A17")
@pytest.mark.parametrize("failure", FAILURES)
def test_whatever_a_receiver_raises_everything_goes_on(failure, sandbox, box):
    """A receiver of each of the signals runs out of memory or stack, exits, or raises otherwise.

    Events are captured and delivered as if it did not exist.
    """

    def receiver(sender, **_):
        FAILURES[failure]()

    client = configure(settings(sandbox.url, box))
    with (
        signals.event_captured.connected_to(receiver),
        signals.delivered.connected_to(receiver),
        signals.event_dropped.connected_to(receiver),
    ):
        client.capture(event("1"))
        client.capture(event("1"))
        client.capture(event("2"))
        sandbox.wait_for(2)
        assert client.flush(20)
    client.close()
