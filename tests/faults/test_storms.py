"""Processes are killed at random, again and again, while customers order.

``make storm ROUNDS=100`` kills that often, and prints what came of it.
"""

from __future__ import annotations

import os
import random
import time

import pytest

from capi_plugins.sandbox import Fault
from tests.faults.orders import Customers, Orders, copies, kill_all, unexplained
from tests.faults.serving import missing

ROUNDS = int(os.environ.get("CAPI_STORM_ROUNDS", "12"))


@pytest.fixture(params=["flask-sqlite", "django-postgresql"])
def orders(request, sandbox, tmp_path, box):
    if request.param == "flask-sqlite":
        made = Orders(tmp_path, sandbox.url, box, MAX_ATTEMPTS=1000)
        yield made
        made.close()
        return
    try:
        from tests.on_django import databases
    except ImportError as error:
        missing(f"{error.name} is not installed")
    database = databases.made("postgresql", tmp_path)
    made = None
    try:
        made = Orders(tmp_path, sandbox.url, box, database, MAX_ATTEMPTS=1000, GRACE=5)
        yield made
    finally:
        if made is not None:
            made.close()
        databases.removed("postgresql", database)


def storm(orders, customers, sandbox):
    """Kill a worker, or all at once, at random moments; return who was killed."""
    rng = random.Random()
    killed = set()
    customers.server = server = orders.serve("gunicorn -w 4 --preload")
    customers.keep_coming(at_once=4)
    for _ in range(ROUNDS):
        # The moment is what is tried, so there is nothing to wait for.
        time.sleep(rng.uniform(0.05, 0.4))
        fault = rng.random()
        if fault < 0.2:
            sandbox.inject(Fault.server_error())
        elif fault < 0.5:
            sandbox.inject(Fault.late_answer(rng.uniform(0.05, 0.3)))
        if rng.random() < 0.1:
            killed |= kill_all(server)
            customers.server = server = orders.serve("gunicorn -w 4 --preload")
        else:
            server.kill_one(rng)
            killed |= server.killed
    customers.stay_away()
    killed |= kill_all(server)
    sandbox.clear_faults()
    return killed


@pytest.mark.storm
@pytest.mark.fault("A3", "A5")
def test_nothing_promised_is_lost_and_every_second_copy_is_that_of_a_killed_sender(
    orders, sandbox, capfd
):
    """gunicorn's workers are killed at random moments, now and then all at once with their master,
    while customers order and the other side fails or dawdles at times.

    Everything answered with 200 and everything committed is accepted, once by (event_name,
    event_id); what was rolled back never leaves. Second copies exist only of what a process had
    sent when it was killed, with the same id, the same time and the same content.
    """
    customers = Customers(None, declines=0.2 if orders.database else 0.0)
    began = time.monotonic()
    killed = storm(orders, customers, sandbox)
    took = time.monotonic() - began
    orders.deliver_the_rest()

    promised = set(customers.acknowledged)
    found = copies(sandbox)
    second = sum(len(each) - 1 for each in found.values())
    with capfd.disabled():
        print(  # noqa: T201
            f"\n{'Django, PostgreSQL' if orders.database else 'Flask, SQLite'}: {ROUNDS} rounds in "
            f"{took:.0f} s, {len(killed)} processes killed; {len(promised)} promised, "
            f"{customers.in_memory} taken without a promise, {len(promised - set(found))} lost, "
            f"{len(found)} arrived, {second} second copies, "
            f"{len(unexplained(orders.sends, killed))} of them without a killed sender"
        )
    assert len(promised) > ROUNDS
    assert promised - set(found) == set()
    assert not set(customers.declined) & set(found)
    if orders.database:
        assert set(found) == orders.committed()
    accepted = [event.payload["event_id"] for event in sandbox.accepted()]
    assert len(accepted) == len(set(accepted)) == len(found)
    assert unexplained(orders.sends, killed) == set()
    assert all(each[0] == copy for each in found.values() for copy in each)
    whole = [event for event in sandbox.refused if event.payload is not None]
    assert {event.refusal.reason for event in whole} <= {"injected"}
    orders.assert_sound()
