"""Little that waits gathers for a moment: a request of a few costs as much as one of many."""

from __future__ import annotations

import time

import pytest

from capi_plugins import _sending
from capi_plugins.testing.outbox_trial import delivery
from tests.core.paper import Post

MEMORY = {"OUTBOX": "memory", "BATCH_SIZE": 10, "EXIT_TIMEOUT": 5}
LIMIT = 20.0
LONGER = 600.0


@pytest.fixture
def post(monkeypatch):
    """Where events arrive; the first has, and for what comes after it there is a lot of time."""
    monkeypatch.setattr(_sending, "GATHER", LONGER)
    return Post()


def first(client, post):
    client.track("Lead")
    wait_for(lambda: client.stats().waiting == 0)
    assert len(post.requests) == 1


def wait_for(condition):
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_after_a_request_the_next_events_leave_together(make, post):
    client = make(to=post, DELIVERY=MEMORY)
    first(client, post)
    for _ in range(5):
        client.track("Lead")
    assert client.flush(LIMIT)
    assert [len(request) for request in post.requests] == [1, 5]


def test_a_flush_waits_for_nothing_more(make, post):
    client = make(to=post, DELIVERY=MEMORY)
    for _ in range(3):
        client.track("Lead")
        assert client.flush(LIMIT)
    assert len(post.requests) == 3


def test_closing_does_not_wait_for_more(make, post):
    client = make(to=post, DELIVERY={**MEMORY, "EXIT_TIMEOUT": LIMIT})
    first(client, post)
    client.track("Lead")
    began = time.monotonic()
    assert client.close()
    assert time.monotonic() - began < LIMIT
    assert len(post.events) == 2


def test_after_a_full_request_the_rest_leaves_at_once(make, post):
    client = make(to=post, DELIVERY=MEMORY)
    client.delivering.put([delivery(str(number)) for number in range(25)])
    wait_for(lambda: len(post.events) == 25)
