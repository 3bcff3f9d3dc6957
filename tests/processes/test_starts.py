"""What a process does when it starts to serve: it looks for what earlier ones have left."""

from __future__ import annotations

import sys
import threading
import types

import pytest

from capi_plugins import configure
from capi_plugins.context import NO_REQUEST
from tests.faults.shop_settings import settings


@pytest.fixture
def make(sandbox, box):
    made = []

    def make(**delivery):
        wanted = settings(sandbox.url, box)
        wanted["DELIVERY"] |= delivery
        made.append(configure(wanted))
        return made[-1]

    yield make
    for client in made:
        client.close(0)


def leave_one(make):
    """Store an event and end before it is sent."""
    client = make(WORKER="external")
    client.track("Lead", user_data={"email": "ada@example.com"}, action_source="system_generated")
    assert client.stats().waiting == 1
    client.close()


def request(client):
    with client.request(lambda: NO_REQUEST):
        pass


def lanes():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("capi-meta")]


def test_the_first_request_delivers_what_was_left(make, sandbox):
    leave_one(make)
    client = make()
    assert lanes() == []
    request(client)
    sandbox.wait_for(1, name="Lead")


def test_a_client_that_serves_nobody_opens_nothing(make, box):
    make()
    assert lanes() == []
    assert not box.parent.exists()


def test_a_request_starts_nothing_where_nothing_can_be_left(make, sandbox):
    client = make(OUTBOX="memory")
    request(client)
    assert lanes() == []


def test_a_request_starts_nothing_where_another_process_delivers(make, sandbox):
    leave_one(make)
    client = make(WORKER="external")
    request(client)
    assert lanes() == []
    assert client.stats().waiting == 1


def test_a_closed_client_starts_nothing(make):
    leave_one(make)
    client = make()
    client.close()
    request(client)
    assert lanes() == []


class Broken:
    def __init__(self, settings):
        raise OSError("no outbox today")


def test_an_outbox_that_cannot_be_made_is_no_matter_of_the_request(make, caplog):
    client = make(OUTBOX=f"{__name__}.Broken")
    request(client)
    request(client)
    assert caplog.text.count("delivery did not begin: OSError") == 2


@pytest.mark.parametrize(
    ("has_threads", "opt", "sends"),
    [(0, {}, False), (1, {}, True), (0, {"gevent": b"10"}, True)],
)
def test_under_uwsgi_threads_start_only_where_they_run(
    make, sandbox, monkeypatch, caplog, has_threads, opt, sends
):
    uwsgi = types.SimpleNamespace(has_threads=has_threads, opt=opt)
    monkeypatch.setitem(sys.modules, "uwsgi", uwsgi)
    leave_one(make)
    client = make()
    request(client)
    request(client)
    client.track("Search", user_data={"email": "ada@example.com"}, action_source="email")
    assert bool(lanes()) == sends
    assert caplog.text.count("uWSGI runs without threads") == (not sends)
    assert client.flush(20)
    assert len(sandbox.accepted()) == 2
