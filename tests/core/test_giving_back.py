"""What a sender had in hand when something went badly wrong comes back, whatever fails besides."""

from __future__ import annotations

import threading

import pytest

from capi_plugins._worker import Worker
from capi_plugins.outbox.memory import MemoryOutbox
from capi_plugins.settings import DeliverySettings
from capi_plugins.testing.outbox_trial import delivery
from tests.core.paper import OK, Paper

LIMIT = 60


class Exhausted(MemoryOutbox):
    """Has no memory left for what it is given back, at first."""

    failures = 2

    def retry(self, deliveries, *, at, attempt):
        if self.failures:
            self.failures -= 1
            raise MemoryError
        super().retry(deliveries, at=at, attempt=attempt)


@pytest.fixture
def outbox():
    return Exhausted()


@pytest.fixture
def sent():
    return threading.Event()


@pytest.fixture
def worker(outbox, sent):
    troubles = [SystemExit()]

    def send(request, destination):
        if troubles:
            raise troubles.pop()
        sent.set()
        return OK

    return Worker(
        outbox,
        DeliverySettings(),
        destination=lambda name: Paper(name, {}),
        send=send,
        tell=lambda signal, **told: None,
    )


def test_a_thread_gives_back_as_soon_as_the_outbox_can_take_it(worker, outbox, sent):
    outbox.put([delivery("1")])
    worker.wake(["paper"])
    assert sent.wait(LIMIT)
    assert worker.close(LIMIT) == 0
    assert outbox.failures == 0


def test_who_sends_in_the_calling_thread_gives_back_with_the_next_call(worker, outbox, sent):
    outbox.put([delivery("1")])
    with pytest.raises(MemoryError):
        worker.run_inline()
    with pytest.raises(MemoryError):
        worker.run_inline()
    worker.run_inline()
    assert sent.is_set()
    assert outbox.stats().waiting == 0
