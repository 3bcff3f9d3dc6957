"""A web worker is killed at the worst moments of one request."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import time

import pytest

from capi_plugins.sandbox import Fault
from tests.faults.orders import Customers, Orders, copies
from tests.faults.serving import LIMIT


@pytest.fixture
def orders(sandbox, tmp_path, box):
    made = Orders(tmp_path, sandbox.url, box, MAX_ATTEMPTS=1000)
    yield made
    made.close()


def order_in_vain(server, query):
    with contextlib.suppress(OSError, http.client.HTTPException):
        assert server.get(f"/order/dies/{query}") == 500, "the customer was answered"


@pytest.mark.fault("A1", "A4", "A5")
def test_what_was_answered_is_sent_again_as_it_was(orders, sandbox):
    """The only web worker is killed with SIGKILL when the customer has read the answer, while its
    batch is with the other side.

    The worker that takes its place sends the same event: same id, same time, same content. It
    counts once.
    """
    server = orders.serve("gunicorn -w 1")
    customers = Customers(server)
    # Until the file is open and nothing is on its way.
    customers.come(1)
    orders.wait_until_nothing_waits()
    before = len(sandbox.requests)
    sandbox.inject(Fault.late_answer(30))
    customers.come(1)
    sandbox.wait_for_requests(before + 1)
    assert server.kill_one(orders.random)
    killed = time.monotonic()
    server.wait_for_workers(1)
    assert server.get("/nowhere/") == 404
    number = customers.acknowledged[-1]
    while len(copies(sandbox)[number]) < 2:
        assert time.monotonic() - killed < 15, server.said()
        time.sleep(0.02)
    first, second = copies(sandbox)[number]
    assert json.dumps(first) == json.dumps(second)
    assert len(sandbox.accepted()) == len(copies(sandbox))
    orders.deliver_the_rest()
    orders.assert_sound()


@pytest.mark.fault("A2")
@pytest.mark.parametrize(("moment", "expected"), [("before", 0), ("after", 1)])
def test_an_event_without_an_answer_is_there_or_not_and_never_half(
    orders, sandbox, moment, expected
):
    """A web worker is killed with SIGKILL inside a request: before its event is stored, and when it
    is and the customer has no answer yet.

    The event is not sent in the first case and sent once in the second. The file is sound.
    """
    server = orders.serve("gunicorn -w 1")
    customers = Customers(server)
    order_in_vain(server, f"?die={moment}")
    orders.deliver_the_rest()
    customers.server = orders.servers[-1]
    customers.come(1)
    sandbox.wait_for(expected + 1, timeout=30)
    orders.wait_until_nothing_waits()
    assert ("dies" in copies(sandbox)) == expected
    assert len(sandbox.events) == len(copies(sandbox))
    assert set(customers.acknowledged) <= set(copies(sandbox))
    orders.assert_sound()


@pytest.mark.fault("A15")
def test_a_worker_that_takes_too_long_loses_nothing(orders, sandbox):
    """A request never ends, and gunicorn ends its worker by SIGABRT and SIGKILL. Another worker is
    killed in the middle of its commits by SIGABRT.

    What was stored arrives and counts once; the file is sound.
    """
    sandbox.inject(Fault.server_error(times=5))
    server = orders.serve("gunicorn -w 2 --timeout 1")
    customers = Customers(server)
    order_in_vain(server, "?hang=1")
    customers.keep_coming()
    for _ in range(3):
        server.wait_for_workers(2)
        seen = len(customers.acknowledged)
        deadline = time.monotonic() + LIMIT
        while len(customers.acknowledged) < seen + 5:
            assert time.monotonic() < deadline, server.said()
            time.sleep(0.005)
        server.kill_one(orders.random, signal.SIGABRT)
    customers.stay_away()
    assert "WORKER TIMEOUT" in server.said()
    server.close()
    orders.deliver_the_rest()
    assert set(customers.acknowledged) <= set(copies(sandbox)), server.said()
    assert len(sandbox.accepted()) == len(copies(sandbox))
    assert "dies" in copies(sandbox)
    orders.assert_sound()
