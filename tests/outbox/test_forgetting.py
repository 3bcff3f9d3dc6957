"""What every outbox has to do when a person is to be forgotten."""

from __future__ import annotations

import json

import attrs
import pytest

from capi_plugins._worker import Worker
from capi_plugins.destinations.base import Response
from capi_plugins.settings import DeliverySettings
from tests.core.paper import NOW, OK, Clock, Paper, delivery
from tests.outbox.conforming import ids, put, take

JANE, JOHN = "8c87b489", "96d9632f"


def person(event_id, key):
    return delivery(event_id, payload=b'{"em":["%s"]}' % key.encode())


def test_a_person_is_forgotten_wherever_the_events_are(outbox):
    outbox.put([person("dead", JANE), person("dead too", JOHN)])
    outbox.dead(take(outbox), reason="refused")
    outbox.put([person("later", JANE)])
    outbox.retry(take(outbox), at=NOW + 50, attempt=True)
    outbox.put([person("ready", JANE), person("stays", JOHN)])
    assert outbox.forget([JANE, "no such hash"]) == 3
    assert ids(letter.delivery for letter in outbox.dead_letters(10)) == ["dead too"]
    assert ids(take(outbox, now=NOW + 100)) == ["stays"]
    assert (outbox.stats().waiting, outbox.stats().dead) == (1, 1)
    assert outbox.forget([JANE]) == 0


@pytest.mark.parametrize("settle", ["delivered", "dead", "retry"])
def test_what_is_forgotten_in_flight_does_not_come_back(outbox, settle):
    more = {"retry": {"at": NOW, "attempt": True}, "dead": {"reason": "x"}, "delivered": {}}
    outbox.put([person("1", JANE)])
    batch = take(outbox)
    assert outbox.forget([JANE]) == 1
    getattr(outbox, settle)(batch, **more[settle])
    assert take(outbox, now=NOW + 100) == []
    assert (outbox.stats().waiting, outbox.stats().dead) == (0, 0)


def test_a_person_may_be_forgotten_for_one_destination_only(outbox):
    elsewhere = attrs.evolve(person("1", JANE), destination="elsewhere")
    outbox.put([person("1", JANE), elsewhere])
    assert outbox.forget([JANE], destination="elsewhere") == 1
    assert ids(take(outbox)) == ["1"]


def test_an_empty_text_forgets_nobody(outbox):
    put(outbox, "1")
    assert outbox.forget([""]) == outbox.forget([]) == 0
    assert outbox.stats().waiting == 1


def test_what_is_forgotten_or_settled_remains_no_longer(outbox):
    outbox.put([person("1", JANE), person("2", JOHN), person("3", JOHN)])
    batch = take(outbox)
    assert ids(outbox.remaining(batch)) == ["1", "2", "3"]
    outbox.forget([JANE])
    assert ids(outbox.remaining(batch)) == ["2", "3"]
    outbox.delivered(batch[1:2])
    assert ids(outbox.remaining(batch)) == ["3"]


def test_who_is_forgotten_between_the_parts_of_a_batch_is_in_no_further_part(outbox):
    """What waits in the hand of a sender is not on its way yet."""
    outbox.put([person(f"{key}{number}", key) for number in range(4) for key in (JANE, JOHN)])
    requests = []

    def send(request, destination):
        requests.append(request.body.decode())
        if len(requests) == 1:
            assert outbox.forget([JANE]) == 4
        return Response(status=400) if len(json.loads(request.body)) > 2 else OK

    worker = Worker(
        outbox,
        DeliverySettings(),
        destination=lambda name: Paper(name, {}),
        send=send,
        tell=lambda signal, **told: None,
        clock=Clock(),
    )
    worker.run_inline()
    assert JANE in requests[0]
    assert JANE not in "".join(requests[1:])
    assert "".join(requests[1:]).count(JOHN) == 4
    assert outbox.stats().waiting == outbox.stats().dead == 0
