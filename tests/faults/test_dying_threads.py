"""The thread that sends is killed, again and again."""

from __future__ import annotations

import ctypes
import gc
import threading
import time

import pytest

from capi_plugins import configure, hookimpl
from capi_plugins.sandbox import Fault
from tests.faults.shop_process import event
from tests.faults.shop_settings import settings


def sender():
    found = [thread for thread in threading.enumerate() if thread.name == "capi-meta"]
    return found[0] if found else None


class Watch:
    """Tells when a request is about to leave."""

    def __init__(self):
        self.leaves = threading.Event()

    @hookimpl(tryfirst=True)
    def capi_send(self):
        self.leaves.set()


def kill(thread, error):
    """Have a thread raise, wherever it is."""
    number = ctypes.c_ulong(thread.ident)
    assert ctypes.pythonapi.PyThreadState_SetAsyncExc(number, ctypes.py_object(error)) == 1


@pytest.fixture
def collected():
    """Have a connection that dies with its request collected here, not in another test."""
    yield
    # The client is garbage only when the test has returned.
    gc.collect()


@pytest.mark.fault("A18")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("collected")
@pytest.mark.parametrize("outbox", ["memory", "sqlite"])
@pytest.mark.parametrize("error", [SystemExit, MemoryError])
def test_a_sender_that_is_killed_goes_on(outbox, error, sandbox, box, until):
    """An exception that ends threads is thrown into the one that sends, five times: while its batch
    is with the other side, and while it has nothing to do.

    Each time it gives back what it had in hand, waits a little and goes on. Everything is delivered
    and counts once, and nothing is left.
    """
    watch = Watch()
    wanted = settings(sandbox.url, box if outbox == "sqlite" else "memory")
    client = configure({**wanted, "PLUGINS": [watch]})
    client.capture(event("event-0"))
    for number in range(1, 6):
        sandbox.wait_for(number, timeout=20)
        until(lambda: client.stats().waiting == 0)
        if number % 2:
            sandbox.inject(Fault.latency(0.2))
            seen = len(sandbox.requests)
            watch.leaves.clear()
            client.capture(event(f"event-{number}"))
            assert watch.leaves.wait(30)
            kill(sender(), error)
            until(lambda seen=seen: len(sandbox.requests) > seen)
        else:
            kill(sender(), error)
            client.capture(event(f"event-{number}"))
    sandbox.wait_for(6, timeout=20)
    assert client.flush(20), client.stats()
    assert client.stats().waiting == client.stats().dead == 0
    accepted = [found.payload["event_id"] for found in sandbox.accepted()]
    assert sorted(accepted) == [f"event-{number}" for number in range(6)]
    client.close()


@pytest.mark.fault("A18")
def test_a_sender_that_cannot_be_started_is_started_with_the_next_event(sandbox, box, monkeypatch):
    """The system has no thread left when the first event is captured.

    The event is stored, the host notices nothing, and the next event takes it along.
    """
    client = configure(settings(sandbox.url, box))
    with monkeypatch.context() as without:
        without.setattr(threading.Thread, "start", _no_threads)
        began = time.monotonic()
        client.capture(event("first"))
        assert time.monotonic() - began < 5
    assert client.stats().waiting == 1
    client.capture(event("second"))
    sandbox.wait_for(2)
    client.close()


def _no_threads(_):
    raise RuntimeError("can't start new thread")
