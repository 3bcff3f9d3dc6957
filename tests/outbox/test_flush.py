"""``flush()`` where others are to send: a script has its events sent, and stays no sender."""

from __future__ import annotations

import threading

import pytest

from capi_plugins.sandbox import Fault
from tests.outbox import test_stopped
from tests.outbox.test_stopped import ids, lead

sandbox, clock, delivery = test_stopped.sandbox, test_stopped.clock, test_stopped.delivery
process = test_stopped.process


@pytest.fixture(params=["external", "celery"])
def worker(request):
    if request.param == "celery":
        pytest.importorskip("celery")
        return {"WORKER": "celery", "CELERY_APP": "no_such_module_anywhere.app"}
    return {"WORKER": "external"}


def lanes():
    return [each for each in threading.enumerate() if each.name == "capi-meta"]


def test_it_sends_and_the_process_is_no_sender_afterwards(process, worker, sandbox):
    script = process(**worker)
    lead(script, "1")
    assert not sandbox.requests
    assert script.flush(20)
    assert ids(sandbox) == ["1"]
    assert lanes() == []
    lead(script, "2")
    assert lanes() == []
    assert script.stats().waiting == 1
    assert len(sandbox.requests) == 1


def test_what_is_due_in_time_is_waited_for_and_the_rest_is_told(process, worker, sandbox):
    sandbox.inject(Fault.error(2, status=500, times=1))
    script = process(**worker, clock=None)
    lead(script, "1")
    assert script.flush(20)
    assert ids(sandbox) == ["1"]
    sandbox.inject(Fault.error(190, status=400))
    lead(script, "2")
    result = script.flush(20)
    assert (bool(result), result.waiting) == (False, 1)


def test_what_another_process_has_in_hand_is_waited_for(process, worker, sandbox, until):
    sandbox.inject(Fault.latency(0.5, times=1))
    other, script = process(**worker), process(**worker)
    lead(other, "1")
    sending = threading.Thread(target=other.delivering.drain, args=(None, 20))
    sending.start()
    until(lambda: sandbox.requests or not sending.is_alive())
    assert script.flush(20)
    sending.join()
    assert ids(sandbox) == ["1"]
    assert len(sandbox.requests) == 1
