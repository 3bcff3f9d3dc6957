"""Rollbacks, and several senders at one database; SQLite, PostgreSQL and MariaDB."""

from __future__ import annotations

import os
import time

import capi_django
import pytest
from bookshop.models import Order
from capi_django.models import WaitingDelivery
from django.db import transaction

from capi_plugins import Event
from tests.on_django.database_shop import VISITOR, Shop, bare_delivery, relay, rolled_back
from tests.on_django.test_database_relays import run

TAKEN = 5_000 if "CAPI_STORM_ROUNDS" in os.environ else 300


@pytest.fixture
def shop(tables, configure):
    return Shop(tables, configure)


@pytest.mark.fault("B15")
def test_a_rollback_removes_the_row_by_itself(shop, recorder):
    """A transaction with events, one of them in a savepoint, is rolled back, in three databases.

    No row is left, and no event is told of.
    """
    with rolled_back(shop.alias):
        shop.order()
        with rolled_back(shop.alias):
            capi_django.track("Contact", user_data=VISITOR)
        capi_django.track("Lead", user_data=VISITOR)
        assert len(shop.rows) == 2
    assert shop.rows == []
    assert recorder.names == []


@pytest.mark.fault("B15")
def test_a_savepoint_takes_its_own_row_with_it(shop, recorder):
    """One savepoint of a transaction is rolled back, another is not, in three databases.

    The event of the second is left, alone.
    """
    with transaction.atomic(using=shop.alias):
        with rolled_back(shop.alias):
            shop.order("gone")
        with transaction.atomic(using=shop.alias):
            shop.order("kept")
    assert shop.ids == ["Purchase.kept"]
    assert recorder.names == ["Purchase"]


@pytest.mark.fault("B15", "B17")
@pytest.mark.storm
def test_nothing_is_lost_doubled_or_made_up_while_everybody_dies(shop, tmp_path):
    """Processes make orders in transactions, roll many back and die, and senders are killed.

    The events that leave are those of the orders that exist, no other and all of them.
    """
    ledger = tmp_path / "ledger"
    ledger.touch()
    each = int(os.environ.get("CAPI_TRANSACTIONS", "120")) // 2
    writers = [run(shop, ledger, "write", seed, each) for seed in range(2)]
    relays = [run(shop, ledger, "relay", 0) for _ in range(2)]
    kills = 0
    while any(writer.poll() is None for writer in writers):
        before = ledger.stat().st_size
        deadline = time.monotonic() + 3
        while ledger.stat().st_size == before and time.monotonic() < deadline:
            time.sleep(0.02)
        victim = relays.pop(0)
        victim.kill()
        victim.wait(20)
        kills += 1
        relays.append(run(shop, ledger, "relay", 0))
    assert [writer.returncode for writer in writers] == [0, 0]
    for process in relays:
        process.kill()
        process.wait(20)
    # Nobody is left who could prolong a lease.
    WaitingDelivery.objects.using(shop.alias).update(leased_until=0)
    assert run(shop, ledger, "relay", 1).wait(60) == 0
    told = ledger.read_text().split()
    orders = Order.objects.using(shop.alias).values_list("number", flat=True)
    assert kills
    assert set(told) == {f"Purchase.{number}" for number in orders}
    assert len(orders) == len(set(orders))
    assert shop.rows == []


@pytest.mark.fault("B17")
def test_four_senders_never_have_the_same_row_at_the_same_time(shop, tmp_path):
    """Four processes take 300 events, or 5,000 in `make storm`, in small batches, in databases with
    SKIP LOCKED and without.

    Each event is taken by one of them, and none is left.
    """
    ledger = tmp_path / "ledger"
    ledger.touch()
    outbox = relay(shop.alias)
    outbox.put([bare_delivery(Event(event_name="Lead", event_id=str(n))) for n in range(TAKEN)])
    relays = [run(shop, ledger, "take", 20) for _ in range(4)]
    assert [process.wait(300) for process in relays] == [0, 0, 0, 0]
    told = ledger.read_text().split()
    assert sorted(told, key=int) == [str(n) for n in range(TAKEN)]
    outbox.close()
