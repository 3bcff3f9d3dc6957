"""``flush()`` where others are to send: a script has its events sent, and stays no sender."""

from __future__ import annotations

import json
import os
import subprocess
import sys
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


DRAINING = """
import json, sys
from capi_plugins import configure
client = configure(json.loads(sys.argv[1]), environ={})
print("begins", flush=True)
client.delivering.drain(None, 20)
"""


def test_what_another_process_has_in_hand_is_waited_for(process, worker, sandbox, path):
    sandbox.inject(Fault.latency(1, times=1))
    script = process(**worker, clock=None)
    lead(script, "1")
    destination = {
        "DATASET_ID": "1234567890",
        "ACCESS_TOKEN": "right-token",
        "API_URL": sandbox.url,
    }
    settings = {
        "DESTINATIONS": {"meta": destination},
        "CONSENT": {"DEFAULT": "granted"},
        "DELIVERY": {"OUTBOX": f"sqlite:///{path}", "WORKER": "external"},
        "AUTOLOAD": False,
    }
    with subprocess.Popen(
        [sys.executable, "-c", DRAINING, json.dumps(settings)],
        env={**os.environ, "NO_PROXY": "127.0.0.1"},
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout.readline() == b"begins\n"
        assert script.flush(20)
    assert other.returncode == 0
    assert ids(sandbox) == ["1"]
    assert len(sandbox.requests) == 1
