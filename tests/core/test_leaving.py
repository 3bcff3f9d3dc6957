"""A plugin that exits or cancels ends nothing; who means to end something ends it."""

from __future__ import annotations

import asyncio
import signal
import sys

import pytest

from capi_plugins import hookimpl, signals
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


def test_a_signal_that_comes_while_an_event_is_sent_ends_the_worker(make, post, ended):
    client = make(to=post)

    def answer(events, destination):
        ended()

    post.answer, usual = answer, post.answer
    with pytest.raises(SystemExit):
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
