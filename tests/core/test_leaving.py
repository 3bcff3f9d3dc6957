"""A plugin that exits or cancels ends nothing; who means to end something ends it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys

import pytest

from capi_plugins import hookimpl, signals
from capi_plugins._paths import parse_lookup
from tests.core.paper import Paper


@pytest.fixture
def ended():
    """A handler like that of gunicorn for a worker that takes too long."""

    class Worker:
        def handle_abort(self, number, frame):
            sys.exit(1)

    before = signal.signal(signal.SIGUSR2, Worker().handle_abort)
    yield lambda: signal.raise_signal(signal.SIGUSR2)
    signal.signal(signal.SIGUSR2, before)


class TimeLimit(Exception):
    """What Celery and RQ end a task with that takes too long."""


@pytest.fixture
def too_late():
    """A handler like that of Celery for a task that takes too long."""

    def handle(number, frame):
        raise TimeLimit

    before = signal.signal(signal.SIGUSR2, handle)
    yield lambda *_, **__: signal.raise_signal(signal.SIGUSR2)
    signal.signal(signal.SIGUSR2, before)


class Filtering:
    def __init__(self, act):
        self._act = act

    @hookimpl
    def capi_filter(self):
        self._act()


def test_a_signal_that_comes_while_a_plugin_works_ends_the_worker(make, post, ended):
    client = make(Filtering(ended), to=post)
    with pytest.raises(SystemExit):
        client.track("Lead")
    client.close()
    assert post.events == []


def test_a_signal_that_comes_while_a_receiver_works_ends_the_worker(make, post, ended):
    client = make(to=post)

    def receive(sender, **told):
        ended()

    with signals.event_captured.connected_to(receive), pytest.raises(SystemExit):
        client.track("Lead")
    client.close()


def raising(error):
    def act():
        raise error

    return act


@pytest.mark.parametrize("error", [SystemExit(1), asyncio.CancelledError(), GeneratorExit()])
def test_a_plugin_that_exits_or_cancels_has_failed_and_ends_nothing(make, post, caplog, error):
    client = make(Filtering(raising(error)), to=post)
    client.track("Lead")
    client.close()
    assert post.events == []
    assert f"Filtering failed in capi_filter with {type(error).__name__} at " in caplog.text


class OfALibrary(BaseException):
    """What gevent's time limits and pytest's outcomes are: they end what the host has begun."""


@pytest.mark.parametrize("kind", [KeyboardInterrupt, OfALibrary])
def test_what_others_end_goes_on_to_the_host(make, post, kind):
    client = make(Filtering(raising(kind())), to=post)
    with pytest.raises(kind):
        client.track("Lead")
    client.close()


@pytest.mark.parametrize("error", [SystemExit(1), asyncio.CancelledError(), GeneratorExit()])
def test_a_destination_that_exits_or_cancels_ends_nothing(make, post, monkeypatch, error):
    client = make(to=post)
    monkeypatch.setattr(Paper, "payload", lambda *_, **__: raising(error)())
    client.track("Lead")
    client.close()
    assert post.events == []


def test_a_receiver_that_exits_ends_nothing(make, post, ended):
    client = make(to=post)

    def receive(sender, **told):
        sys.exit(1)

    with signals.event_captured.connected_to(receive):
        client.track("Lead")
    client.close()
    assert len(post.events) == 1


@pytest.mark.parametrize(("leaves", "error"), [("ended", SystemExit), ("too_late", TimeLimit)])
def test_an_event_that_is_sent_when_the_host_leaves_is_sent_again(
    make, post, request, leaves, error
):
    leave = request.getfixturevalue(leaves)
    client = make(to=post)
    post.answer, usual = lambda events, destination: leave(), post.answer
    with pytest.raises(error):
        client.track("Lead")
    post.answer = usual
    assert client.flush().waiting == 0
    assert [len(request) for request in post.requests] == [1, 1]


def test_a_plugin_that_exits_where_it_should_send_ends_nothing(make, post, ended, heard):
    client = make(to=post)
    post.answer = lambda events, destination: sys.exit(1)
    client.track("Lead")
    assert "plugin_failed" in [name for name, _ in heard]
    assert client.stats().waiting == 1


class Everywhere:
    """A plugin that meets the time limit in one of its hooks."""

    def __init__(self, hook, act):
        def capi_route(event):
            act()

        def capi_enrich(event):
            act()

        def capi_consent(event):
            act()

        def capi_filter(event):
            act()

        found = {
            each.__name__: each for each in (capi_route, capi_enrich, capi_consent, capi_filter)
        }
        setattr(self, hook, hookimpl(found[hook]))


@pytest.mark.parametrize("hook", ["capi_route", "capi_enrich", "capi_consent", "capi_filter"])
def test_a_time_limit_that_is_over_in_a_hook_is_the_tasks(make, post, too_late, hook):
    client = make(Everywhere(hook, too_late), to=post)
    with pytest.raises(TimeLimit):
        client.track("Lead")
    client.close()


@pytest.mark.parametrize("where", ["receiver", "payload", "put", "flush"])
def test_a_time_limit_that_is_over_elsewhere_is_the_tasks(make, post, too_late, monkeypatch, where):
    client = make(to=post)
    heard = contextlib.nullcontext()
    if where == "receiver":
        heard = signals.event_captured.connected_to(too_late)
    elif where == "payload":
        monkeypatch.setattr(Paper, "payload", too_late)
    elif where == "put":
        monkeypatch.setattr(client.delivering.outbox, "put", too_late)
    elif where == "flush":
        monkeypatch.setattr(client.delivering, "flush", too_late)
    with heard, pytest.raises(TimeLimit):
        client.flush() if where == "flush" else client.track("Lead")
    monkeypatch.undo()
    client.close()


class Order:
    def __init__(self, act):
        self._act = act

    @property
    def total(self):
        return self._act()


def test_a_time_limit_that_is_over_while_a_row_is_read_is_the_tasks(too_late):
    lookup = parse_lookup("order.total", "value", [])
    with pytest.raises(TimeLimit):
        lookup.find({"order": Order(too_late)}, [])


@pytest.mark.parametrize("error", [OSError(), ValueError(), MemoryError()])
def test_what_fails_beside_a_handler_has_failed(make, post, ended, error):
    client = make(Filtering(raising(error)), to=post)
    client.track("Lead")
    client.close()
    assert post.events == []
