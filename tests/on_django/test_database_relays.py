"""Who sends from the database, what dies with a process, and what does not."""

from __future__ import annotations

import json
import os
import signal as posix_signal
import subprocess
import sys
import threading
import time

import capi_django
import pytest
from capi_django.models import WaitingDelivery
from capi_django.outbox_rows import Rows
from django.db import OperationalError, connections, transaction
from django.http import HttpResponse

from capi_plugins import Event, signals
from tests.on_django.conftest import BASE, PROJECT
from tests.on_django.database_shop import (
    PURCHASE,
    Shop,
    bare_delivery,
    relay,
    take,
)
from tests.waiting import until


@pytest.fixture
def shop(tables, configure):
    return Shop(tables, configure)


def test_what_a_slow_request_completes_too_late_is_a_duplicate(shop, recorder):
    with transaction.atomic(using=shop.alias):
        with transaction.atomic(using=shop.alias):
            shop.order(total=5)
        # The relay of another process, after the grace period.
        transaction.on_commit(lambda: relayed.extend(sent(shop.alias)), using=shop.alias)
        relayed = []
        connections[shop.alias].run_on_commit.reverse()
    assert [item.event_id for item in relayed] == ["Purchase.1"]
    assert shop.rows == []
    assert recorder.dropped == ["duplicate: this event_id was queued within the last 48 hours"]


def test_what_is_taken_just_before_it_is_completed_is_sent_and_not_lost(shop):
    outbox, other = relay(shop.alias), Rows(shop.alias)
    final = bare_delivery(Event(event_name="Lead", event_id="1"))
    with transaction.atomic(using=shop.alias):
        (held,) = outbox.hold(lambda: [final], due=1)
    taken = other.claim("meta", limit=9, max_bytes=9_999, now=time.time(), owner="other")
    assert list(outbox.complete([held], ()).duplicates) == [held]
    assert len(other.admit_claimed(taken, "other", time.time())) == 1
    outbox.close()


def sent(alias):
    outbox = relay(alias)
    batch = take(outbox, after=61)
    outbox.delivered(batch)
    outbox.close()
    return batch


def test_another_relay_takes_over_when_a_lease_is_over_and_not_before(shop):
    shop.order()
    dead, alive = relay(shop.alias), relay(shop.alias)
    batch = take(dead)
    assert len(batch) == 1
    assert take(alive) == []
    due = alive.next_due("meta")
    assert 50 < due - time.time() < 62
    assert dead.next_due("meta") is None
    WaitingDelivery.objects.using(shop.alias).update(leased_until=1)
    assert [item.event_id for item in take(alive)] == ["Purchase.1"]
    # Whoever lost the lease settles nothing.
    dead.delivered(batch)
    dead.retry(batch, at=0, attempt=True)
    dead.dead(batch, reason="x")
    assert len(shop.rows) == 1
    assert shop.rows[0].attempts == 0
    dead.close()
    alive.close()


def test_leases_are_prolonged_while_a_batch_is_on_its_way(shop):
    shop.order()
    outbox = relay(shop.alias, lease=0.3)
    batch = take(outbox)
    first = shop.rows[0].leased_until
    until(lambda: shop.rows[0].leased_until != first)
    outbox.delivered(batch)
    assert shop.rows == []
    outbox.close()


@pytest.mark.parametrize("settle", ["delivered", "retry", "dead"])
def test_what_became_of_a_delivery_is_written_down_when_the_database_is_back(shop, settle, caplog):
    more = {"retry": {"at": 9e9, "attempt": True}, "dead": {"reason": "no\0"}, "delivered": {}}
    shop.order()
    outbox, other = relay(shop.alias), relay(shop.alias)
    batch = take(outbox)
    with connections[shop.alias].execute_wrapper(fails):
        getattr(outbox, settle)(batch, **more[settle])
        outbox.delivered(batch)  # a second answer changes nothing
        assert "cannot be written down yet" in caplog.text
    assert take(other) == take(outbox) == []
    rows = {"delivered": (0, 0), "retry": (1, 0), "dead": (0, 1)}
    assert (outbox.stats().waiting, outbox.stats().dead) == rows[settle]
    outbox.close()
    other.close()


def test_the_lease_of_what_cannot_be_written_down_is_prolonged(shop, monkeypatch):
    shop.order()
    outbox = relay(shop.alias, lease=0.6)
    back = threading.Event()
    remove = Rows.remove
    monkeypatch.setattr(Rows, "remove", lambda *given: remove(*given) if back.is_set() else fails())
    outbox.delivered(take(outbox))
    first = shop.rows[0].leased_until
    until(lambda: shop.rows[0].leased_until != first)
    back.set()
    until(lambda: not shop.rows)
    outbox.close()


def test_what_was_claimed_and_not_compared_is_taken_when_its_lease_is_over(shop, monkeypatch):
    with transaction.atomic(using=shop.alias):
        relay(shop.alias).put([bare_delivery(Event(event_name="Lead", event_id="1"))])
    outbox = relay(shop.alias, lease=0.3)
    with monkeypatch.context() as patched:
        patched.setattr(Rows, "admit_claimed", fails)
        with pytest.raises(OperationalError):
            take(outbox)
    deadline = time.monotonic() + 20
    while not (batch := take(outbox)):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert [item.event_id for item in batch] == ["1"]
    outbox.close()


def fails(*_args, **_kwargs):
    raise OperationalError("server closed the connection")


def test_what_was_taken_is_given_back_when_the_process_ends(shop):
    shop.order()
    leaving, staying = relay(shop.alias), relay(shop.alias)
    take(leaving)
    leaving.close()
    assert len(take(staying)) == 1
    staying.close()


def test_what_a_transaction_was_given_is_polled_for_until_it_shows(shop):
    outbox = relay(shop.alias)
    with transaction.atomic(using=shop.alias):
        outbox.put([bare_delivery(Event(event_name="Lead", event_id="1"))])
    WaitingDelivery.objects.using(shop.alias).update(destination="elsewhere")
    assert 0 < outbox.next_due("meta") - time.time() <= 1
    outbox.close()


def test_the_thread_of_a_web_process_sends_right_after_the_commit(client, shop, view):
    gone = threading.Event()

    def page(request):
        with transaction.atomic(using=shop.alias):
            shop.order()
        return HttpResponse("ok")

    def heard(sender, *, deliveries, outcome):
        assert [item.event_id for item in deliveries] == ["Purchase.1"]
        gone.set()

    shop.configure(PURCHASE, WORKER="thread")
    view(page)
    with signals.delivered.connected_to(heard):
        client.get("/do/")
        assert gone.wait(20)
    assert capi_django.flush(20)
    assert shop.rows == []


def environ(shop, ledger, *, worker="external"):
    capi = {
        **BASE,
        "PLUGINS": ["ledger"],
        "TRIGGERS": [PURCHASE],
        "DELIVERY": {"OUTBOX": "database", "WORKER": worker, "GRACE": 1},
    }
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "bookshop.settings",
        "PYTHONPATH": str(PROJECT),
        "BOOKSHOP_DATABASES": json.dumps({"default": shop.settings}),
        "BOOKSHOP_CAPI": json.dumps(capi),
        "LEDGER": str(ledger),
    }


def run(shop, ledger, *arguments):
    command = [sys.executable, str(PROJECT / "chaos.py"), *map(str, arguments)]
    return subprocess.Popen(command, env=environ(shop, ledger))


def test_a_process_killed_between_commit_and_end_of_request_loses_nothing(shop, tmp_path):
    ledger = tmp_path / "ledger"
    ledger.touch()
    victim = run(shop, ledger, "dies-after-commit")
    assert victim.wait(60) == -posix_signal.SIGKILL
    assert shop.due == [False]
    (early,) = shop.payloads
    rescuer = run(shop, ledger, "relay", 1)
    assert rescuer.wait(60) == 0
    assert ledger.read_text().split() == [early["event_id"]]
    assert early["custom_data"]["value"] == 5.0
