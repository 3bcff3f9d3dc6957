"""Processes that stand still for a while, and those that leave children behind."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from capi_plugins import configure
from capi_plugins.sandbox import Fault, Sandbox
from tests.faults.clocks import WallClock
from tests.faults.orders import Customers, Orders, copies, unexplained
from tests.faults.shop_process import event
from tests.faults.shop_settings import settings
from tests.faults.shops import PATIENT
from tests.on_django import databases
from tests.outbox.other_process import delivery, ids

STOPPED = 30 if "CAPI_STORM_ROUNDS" in os.environ else 10


def take(outbox):
    return list(outbox.take("paper", limit=100, max_bytes=10**6, now=time.time()))


@pytest.mark.fault("A6")
def test_while_the_sender_stands_still_nobody_else_sends_and_nobody_is_slowed(
    run_shop, sandbox, path, until
):
    """The process that sends is stopped with SIGSTOP for ten seconds, or thirty in `make storm`,
    while a batch of its own is on its way, and another process captures events all the time.

    Nobody else sends meanwhile, and capturing is no slower than promised. When the process goes on,
    everything is there within seconds, and nothing was sent twice.
    """
    sandbox.inject(Fault.late_answer(1))
    sender = run_shop(TIMEOUT=90)
    sandbox.wait_for(1)
    sender.signal(signal.SIGSTOP)
    client = configure(settings(sandbox.url, path, **PATIENT))
    until_then = time.monotonic() + STOPPED
    took = []
    number = 0
    while time.monotonic() < until_then:
        began = time.perf_counter()
        client.capture(event(f"meanwhile-{number}"))
        took.append(time.perf_counter() - began)
        number += 1
        time.sleep(0.005)
    took.sort()
    assert len(sandbox.requests) == 1
    # 50 ms is what a locked file may cost; the rest is for a busy machine.
    assert took[len(took) * 95 // 100] < 0.06
    assert client.stats().waiting >= number
    sender.signal(signal.SIGCONT)
    went_on = time.monotonic()
    until(lambda: {f"meanwhile-{each}" for each in range(number)} <= set(copies(sandbox)))
    assert time.monotonic() - went_on < 10
    assert sender.end() == 0
    assert client.flush(20)
    client.close()
    assert set(sender.promised()) <= set(copies(sandbox))
    assert not any(found.duplicate for found in sandbox.events)


CHILDREN = {
    "a program": "__import__('subprocess').Popen(['sleep', '60'], stdout=-3).pid",
    "a fork": "os.fork() or __import__('time').sleep(60)",
    "a fork in C": "__import__('ctypes').PyDLL(None).fork() or __import__('time').sleep(60)",
}


@pytest.mark.fault("A14")
@pytest.mark.parametrize("kind", CHILDREN)
def test_a_child_of_the_sender_does_not_inherit_its_right(kind, open_outbox, others):
    """A process that sends starts a program that lives on, or forks, by Python or past it in C, and
    is killed.

    Another process is the sender at once, and gets the batch that was on its way.
    """
    other = others()
    other.ask("put('1')")
    other.ask("take()")
    child = other.ask(CHILDREN[kind])
    try:
        other.kill()
        assert ids(take(open_outbox())) == ["1"]
        assert Path(f"/proc/{child}").exists()
    finally:
        os.kill(child, signal.SIGKILL)


@pytest.mark.fault("A6")
def test_a_stopped_sender_stays_the_only_one_and_its_answer_counts(open_outbox, others):
    """The process that sends is stopped with SIGSTOP, another stores an event, and the first goes
    on with the news that its batch was accepted.

    The other may not send meanwhile, and what was accepted is not sent again.
    """
    outbox, other = open_outbox(), others()
    other.ask("put('1', '2')")
    assert other.ask("take(limit=1)") == ["1"]
    other.signal(signal.SIGSTOP)
    assert take(outbox) == []
    stored = outbox.put([delivery("3")])
    assert not stored.refused
    assert outbox.stats().in_memory == 0
    other.tell("outbox.delivered(held)")
    other.signal(signal.SIGCONT)
    other.hear()
    assert ids(take(outbox)) == ["2", "3"]


@pytest.mark.fault("A21")
def test_a_process_that_is_frozen_for_an_hour_goes_on_where_it_was(tmp_path, box, until):
    """A server is stopped with SIGSTOP right after an answer, the other side closes its connection
    and comes back, the clock of the server goes on by an hour, and SIGCONT thaws it.

    It sends what it had over a new connection; the event counts once and has the time it happened
    at. Neither the visitor before nor the one after notices.
    """
    with Sandbox() as first:
        clock = WallClock(tmp_path)
        orders = Orders(tmp_path, first.url, box, MAX_ATTEMPTS=1000)
        orders.environ |= clock.environ
        server = orders.serve("gunicorn -w 1")
        customers = Customers(server)
        customers.come(1)
        first.wait_for(1)
        # It holds the next one back, so that nothing has left when it is frozen.
        first.inject(Fault.hang(times=None))
        customers.come(1)
        frozen = [server.process.pid, *server.workers()]
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        port = int(first.url.rsplit(":", 1)[1].split("/")[0])
    clock.set(3600)
    with Sandbox(port=port) as second:
        try:
            for pid in reversed(frozen):
                os.kill(pid, signal.SIGCONT)
            second.wait_for(1, timeout=60)
            until(lambda: customers.acknowledged[1] in copies(second))
            assert not any(event.duplicate for event in second.events)
            [found] = copies(second)[customers.acknowledged[1]]
            assert abs(found["event_time"] - time.time()) < 60
            assert server.get("/nowhere/") == 404
            until(lambda: orders.waiting() == 0)
        finally:
            orders.close()


@pytest.fixture
def orders(tmp_path, sandbox):
    """A shop whose outbox is in PostgreSQL."""
    database = databases.made("postgresql", tmp_path)
    made = Orders(tmp_path, sandbox.url, None, database, MAX_ATTEMPTS=1000)
    yield made
    made.close()
    databases.removed("postgresql", database)


@pytest.mark.fault("A6")
def test_a_sender_that_stands_still_for_longer_than_its_lease_does_no_harm_when_it_goes_on(
    orders, sandbox, until
):
    """A server that sends from PostgreSQL is stopped with SIGSTOP while a batch of its own is on
    its way, its lease ends, and another server takes over. The first goes on, with the news that
    its batch was accepted, while the other has the same event on its way.

    What the other has stays its own, and the first sends later events as before. Nothing is sent
    twice but the one batch that was on its way.
    """
    sandbox.inject(Fault.late_answer(1))
    first = orders.serve("gunicorn -w 1")
    customers = Customers(first)
    customers.come(1)
    [in_flight] = customers.acknowledged
    sandbox.wait_for(1)
    # Its threads, too, those that serve: what comes now waits in the database.
    customers.come(2)
    stopped = [first.process.pid, *first.workers()]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        sandbox.inject(Fault.late_answer(10))
        # A minute passes.
        orders.end_leases()
        assert orders.serve("gunicorn -w 1").get("/nowhere/") == 404
        sandbox.wait_for_requests(2, timeout=90)
        taken_over = orders.unsent()
    finally:
        for pid in reversed(stopped):
            os.kill(pid, signal.SIGCONT)
    # What it sends next it sends when it has settled what it had.
    customers.server = first
    customers.come(1)
    until(lambda: customers.acknowledged[-1] in copies(sandbox))
    assert len(taken_over) == 3
    assert taken_over <= orders.unsent()
    until(lambda: orders.waiting() == 0)
    found = copies(sandbox)
    assert set(found) == set(customers.acknowledged)
    assert {each for each, sent in found.items() if len(sent) > 1} == {in_flight}
    assert len(found[in_flight]) == 2
    assert unexplained(orders.sends, set(stopped)) == set()
