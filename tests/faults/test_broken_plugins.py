"""Hooks and receivers that fail as badly as Python allows."""

from __future__ import annotations

import asyncio
import contextlib
import sys

import pytest

from capi_plugins import configure, hookimpl, signals
from capi_plugins.sandbox import Fault
from tests.faults.shop_process import event
from tests.faults.shop_settings import settings
from tests.faults.small_shop import until

flask = pytest.importorskip("flask")


def recurse():
    recurse()


FAILURES = {
    "exit": lambda: sys.exit(1),
    "memory": lambda: (_ for _ in ()).throw(MemoryError),
    "recursion": recurse,
    "assertion": lambda: (_ for _ in ()).throw(AssertionError),
    "generator": lambda: next(iter(())),
    "cancelled": lambda: (_ for _ in ()).throw(asyncio.CancelledError),
    "closed": lambda: (_ for _ in ()).throw(GeneratorExit),
}


def broken(hook, fail):
    """A plugin of which one hook fails."""

    def capi_enrich(event, context):
        fail()

    def capi_consent(event, context, destination):
        fail()

    def capi_filter(event, context, destination):
        fail()

    def capi_route(event, context, destinations):
        fail()

    def capi_shutdown():
        fail()

    def capi_send(request, destination):
        if sent:
            return None  # The built-in one answers.
        sent.append(request)
        return fail()

    sent = []
    every = (capi_route, capi_enrich, capi_consent, capi_filter, capi_send, capi_shutdown)
    found = {each.__name__: each for each in every}
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
@pytest.mark.parametrize(
    "hook",
    ["capi_route", "capi_enrich", "capi_consent", "capi_filter", "capi_send", "capi_shutdown"],
)
def test_whatever_a_hook_raises_the_host_answers_and_sending_goes_on(
    hook, failure, sandbox, box, dropped
):
    """A plugin's hook runs out of memory or stack, exits, raises what cancels a task or closes
    a generator, or raises otherwise, inside of a request, in the thread that sends and at the end.

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
    if hook not in ("capi_consent", "capi_filter"):
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
    """A receiver of each of the signals runs out of memory or stack, exits, raises what cancels a
    task or closes a generator, or raises otherwise.

    Events are captured and delivered, retried, refused and dropped as if it did not exist.
    """
    heard = set()

    def receiver(name):
        def receive(sender, **_):
            heard.add(name)
            FAILURES[failure]()

        return receive

    names = {
        "event_captured", "event_dropped", "field_dropped", "delivered", "delivery_retried",
        "delivery_dead", "outbox_full", "plugin_failed",
    }  # fmt: skip
    with contextlib.ExitStack() as stack:
        for name in names:
            signal = getattr(signals, name)
            stack.enter_context(signal.connected_to(receiver(name)))
        wanted = settings(sandbox.url, box, MAX_ATTEMPTS=1000)
        wanted["PLUGINS"] = [broken("capi_enrich", FAILURES["assertion"])]
        sandbox.inject(Fault.server_error())
        client = configure(wanted)
        client.capture(event("1"))
        client.capture(event("1"))
        sandbox.wait_for(1, timeout=20)
        sandbox.inject(Fault.error(100, 2804003))
        client.capture(event("refused"))
        until(lambda: client.stats().dead == 1)
        client.track("Lead", event_id="2", user_data={"email": "ada@example.com", "phone": "no"})
        sandbox.wait_for(2, timeout=20)
        assert client.flush(20)
        client.close()
        sandbox.inject(Fault.hang(times=None))
        small = configure(settings(sandbox.url, "memory", QUEUE_SIZE=1, EXIT_TIMEOUT=0))
        for number in range(5):
            small.capture(event(f"many-{number}"))
        small.close()
    assert heard == names
    assert sorted(found.payload["event_id"] for found in sandbox.accepted()) == ["1", "2"]
