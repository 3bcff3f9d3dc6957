"""The whole line over real HTTP: client, worker and Meta's destination against the sandbox."""

from __future__ import annotations

import pytest

from capi_plugins import configure
from capi_plugins.sandbox import Fault, Sandbox

LIMIT = 20.0


@pytest.fixture
def sandbox():
    with Sandbox() as running:
        yield running


@pytest.fixture
def make(sandbox):
    made = []

    def make(token="EAAB", **delivery):
        meta = {"DATASET_ID": "1234567890", "ACCESS_TOKEN": token, "API_URL": sandbox.url}
        client = configure(
            {
                "DESTINATIONS": {"meta": meta},
                "CONSENT": {"DEFAULT": "granted"},
                "DELIVERY": {"OUTBOX": "memory", "EXIT_TIMEOUT": 0, **delivery},
                "AUTOLOAD": False,
            },
            environ={},
        )
        made.append(client)
        return client

    yield make
    for client in made:
        client.close(0)


def lead(client, *event_ids):
    for event_id in event_ids:
        client.track(
            "Lead",
            event_id=event_id,
            action_source="phone_call",
            user_data={"email": f"{event_id}@example.com"},
        )


def test_events_arrive(sandbox, make):
    client = make()
    lead(client, *map(str, range(30)))
    assert client.flush(LIMIT)
    assert {event.payload["event_id"] for event in sandbox.accepted()} == set(map(str, range(30)))
    assert "example.com" not in str([event.payload for event in sandbox.accepted()])


def test_an_outage_is_waited_out(sandbox, make):
    sandbox.inject(Fault.server_error(503), Fault.html())
    client = make()
    lead(client, "1")
    assert client.flush(LIMIT)
    assert [event.payload["event_id"] for event in sandbox.accepted()] == ["1"]
    assert len(sandbox.requests) == 3


def test_a_lost_answer_is_sent_again_and_counted_once(sandbox, make):
    sandbox.inject(Fault.drop_after_storing())
    client = make()
    lead(client, "1")
    assert client.flush(LIMIT)
    assert [event.duplicate for event in sandbox.events] == [False, True]


def test_a_hung_request_ends_at_its_time_limit(sandbox, make):
    sandbox.inject(Fault.hang())
    client = make(TIMEOUT=0.3)
    lead(client, "1")
    assert client.flush(LIMIT)
    assert len(sandbox.accepted()) == 1


def test_an_answer_that_drips_ends_at_its_time_limit(sandbox, make):
    sandbox.inject(Fault.slow_drip(0.2))
    client = make(TIMEOUT=0.5)
    lead(client, "1")
    assert client.flush(LIMIT)
    assert len(sandbox.requests) == 2


def test_a_huge_answer_does_no_harm(sandbox, make):
    sandbox.inject(Fault.huge_body())
    client = make()
    lead(client, "1")
    assert client.flush(LIMIT)
    assert sandbox.accepted()


def test_a_bad_token_stops_the_destination_and_keeps_the_event(sandbox, make, caplog):
    client = make(token="EAAB-expired-secret", OUTBOX="immediate")
    lead(client, "1")
    assert client.stopped() == ["meta"]
    assert client.stats().waiting == 1
    assert "destination meta is stopped, its events are kept" in caplog.text
    assert "EAAB-expired-secret" not in caplog.text
