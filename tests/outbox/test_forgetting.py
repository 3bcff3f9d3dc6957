"""What every outbox has to do when a person is to be forgotten."""

from __future__ import annotations

import json

from capi_plugins._worker import Worker
from capi_plugins.destinations.base import Response
from capi_plugins.settings import DeliverySettings
from capi_plugins.testing.outbox_trial import delivery
from tests.core.paper import OK, Clock, Paper

JANE, JOHN = "8c87b489", "96d9632f"


def person(event_id, key):
    return delivery(event_id, payload=b'{"em":["%s"]}' % key.encode())


def test_who_is_forgotten_between_the_parts_of_a_batch_is_in_no_further_part(outbox):
    """What waits in the hand of a sender is not on its way yet."""
    outbox.put([person(f"{key}{number}", key) for number in range(4) for key in (JANE, JOHN)])
    requests = []

    def send(request, destination):
        requests.append(request.body.decode())
        if len(requests) == 1:
            assert len(outbox.forget([JANE])) == 4
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
