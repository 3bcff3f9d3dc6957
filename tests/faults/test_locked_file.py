"""Somebody else holds the file, makes it at the same instant, or opens it in this process."""

from __future__ import annotations

import logging
import os
import time

import pytest
from capi_flask import Capi
from flask import Flask

from capi_plugins.context_store import ShopperContext
from capi_plugins.held_store import HeldEvent
from capi_plugins.outbox import sqlite_file
from tests.faults.shop_settings import settings
from tests.faults.small_shop import until
from tests.faults.storage import LOCK, drained, take
from tests.outbox.other_process import delivery, ids


@pytest.mark.fault("B3", "S19")
def test_a_locked_file_costs_a_request_no_more_than_its_budget(open_outbox, others, caplog):
    """Another process holds the file for itself while events come in.

    A request waits 50 ms at most, and after half a second not at all. Events stay in memory,
    one error is logged, and all are stored when the file is free.
    """
    outbox, other = open_outbox(), others()
    outbox.put([delivery("before")])
    other.ask(LOCK)
    waits = []
    with caplog.at_level(logging.WARNING, "capi_plugins"):
        for number in range(40):
            start = time.monotonic()
            stored = outbox.put([delivery(str(number))])
            waits.append(time.monotonic() - start)
            assert not stored.refused
        until(lambda: outbox._overflow.trouble.hopeless)
        hopeless = []
        for number in range(3):
            start = time.monotonic()
            outbox.put([delivery(f"hopeless-{number}")])
            hopeless.append(time.monotonic() - start)
        until(lambda: caplog.records)
        stats = outbox.stats()
        assert stats.in_memory == 43
        assert stats.waiting == 44
        assert stats.problem == "it is locked by another process"
        other.ask("c.execute('ROLLBACK') and 1")
        until(lambda: outbox.stats().in_memory == 0)
    assert sorted(waits)[len(waits) // 2] < 0.06
    assert max(waits) < 1, "50 ms, and some for a busy machine"
    assert min(hopeless) < 0.03, "nobody waits for a turn that nobody gets"
    assert outbox.stats().problem is None
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    names = [*map(str, range(40)), *(f"hopeless-{number}" for number in range(3))]
    assert sorted(drained(outbox)) == sorted(["before", *names])


@pytest.mark.fault("B3", "S19")
def test_a_request_waits_once_however_often_it_needs_the_file(open_outbox, others):
    """Another process holds the file while a request keeps the context of its shopper, holds an
    event until the visitor decides, and stores another.

    All of that waits 50 ms, not each of it.
    """
    outbox, other = open_outbox(), others()
    outbox.put([delivery("before")])
    other.ask(LOCK)
    told = ShopperContext(at=time.time(), fbp="fb.1.1700000000000.1234567890")
    waits = []
    for number in range(3):
        began = time.monotonic()
        with pytest.raises(sqlite_file.Unavailable):
            outbox.contexts.keep(told, replace=[f"{number}"], add=(), oldest=0)
        outbox.held.hold([held(f"{number}")])
        assert outbox.put([delivery(f"{number}")]).in_memory
        waits.append(time.monotonic() - began)
        # Longer than the patience of a request lasts, so that the next one has its own.
        time.sleep(0.06)
    assert min(waits) < 0.09
    assert outbox.stats().in_memory == 3
    other.ask("c.execute('ROLLBACK') and 1")
    assert sorted(drained(outbox)) == ["0", "1", "2", "before"]


def held(visitor):
    return HeldEvent(
        visitor=visitor, user=None, destination="paper", event_name="Lead", event_id=visitor,
        at=time.time(), until=time.time() + 600, granted=b"{}", limited=b"{}", expires_at=None,
    )  # fmt: skip


@pytest.mark.fault("B3", "S19")
@pytest.mark.parametrize(("default", "seconds"), [("granted", 10), ("hold", 2)])
def test_visitors_do_not_notice_that_the_file_is_held(
    sandbox, box, others, caplog, default, seconds
):
    """Another process holds the file for ten seconds while visitors look at pages and order, those
    of a shop that is sure of their consent, and of one that holds events until they decide.

    Pages come as fast as ever but for a few in the first half second. Every order arrives once, and
    the log has a line for each trouble and not for each visitor.
    """
    app = Flask("shop")
    wanted = {**settings(sandbox.url, box), "CONSENT": {"DEFAULT": default}, "AUTOLOAD": False}
    app.config["CAPI"] = {**wanted, "PAGE_VIEW": True}
    Capi(app)
    client = app.extensions["capi"].client

    @app.get("/<number>/")
    def order(number):
        client.track("Purchase", event_id=number, custom_data={"value": 5, "currency": "EUR"})
        return "<html><body>Thank you</body></html>"

    def visit(number):
        agent = {"User-Agent": "Mozilla/5.0 Firefox/140.0", "Accept": "text/html",
                 "Cookie": f"_fbp=fb.1.1700000000000.{number:010}"}  # fmt: skip
        began = time.monotonic()
        answer = app.test_client(use_cookies=False).get(f"/{number}/", headers=agent)
        assert answer.status_code == 200
        return time.monotonic() - began

    visit(0)
    other = others()
    other.ask("outbox.stats().waiting")
    other.ask(LOCK)
    over = time.monotonic() + seconds
    waits = []
    while time.monotonic() < over:
        waits.append(visit(len(waits) + 1))
        time.sleep(0.02)
    other.ask("c.execute('ROLLBACK') and 1")
    assert sorted(waits)[len(waits) * 9 // 10] < 0.05
    for where in ("keeping the context", "looking for the shopper", "holding events", "cannot be"):
        assert caplog.text.count(where) <= 1
    if default == "granted":
        wanted = sorted(str(number) for number in range(len(waits) + 1))
        until(lambda: len(sandbox.accepted("Purchase")) == len(wanted))
        assert client.flush(20)
        bought = [event for event in sandbox.events if event.payload["event_name"] == "Purchase"]
        assert sorted(event.payload["event_id"] for event in bought) == wanted
    client.close(0)


@pytest.mark.fault("B3", "S18")
def test_what_is_in_memory_is_bounded_and_may_be_sent_from_there(open_outbox, others):
    """Another process holds the file while 1,200 events come in.

    A thousand are kept and may be sent from memory, the rest is refused and counted. What was
    not sent is stored when the file is free, with its attempts.
    """
    outbox, other = open_outbox(), others()
    outbox.put([delivery("before")])
    other.ask(LOCK)
    stored = outbox.put([delivery(str(number)) for number in range(1200)])
    assert len(stored.refused) == 200
    batch = take(outbox, limit=600)
    assert len(batch) == 600
    outbox.delivered(batch[:500])
    outbox.retry(batch[500:], at=0, attempt=True)
    other.ask("c.execute('ROLLBACK') and 1")
    until(lambda: outbox.stats().in_memory == 0)
    left = take(outbox)
    assert len(left) == 501
    assert sum(item.attempts for item in left) == 100


@pytest.mark.fault("B3", "S18")
def test_what_is_in_memory_is_bounded_in_bytes(open_outbox, others):
    """Another process holds the file while large events come in.

    No more than 8 MB of them are kept.
    """
    outbox, other = open_outbox(), others()
    outbox.put([delivery("before")])
    other.ask(LOCK)
    stored = outbox.put([delivery(str(n), payload=b"x" * 1_000_000) for n in range(10)])
    assert ids(stored.refused) == ["8", "9"]


@pytest.mark.fault("B3", "S9")
def test_a_person_is_erased_from_memory_though_the_file_is_locked(open_outbox, others, monkeypatch):
    """A person is erased while the file is held and the person's events wait in memory.

    They are gone, whatever becomes of the file; the rest is stored.
    """
    monkeypatch.setattr("capi_plugins.outbox.sqlite._SETTLE_BUDGET", 0.01)
    outbox, other = open_outbox(), others()
    outbox.put([delivery("before")])
    other.ask(LOCK)
    outbox.put([delivery("jane", payload=b"8c87b489"), delivery("john", payload=b"96d9632f")])
    with pytest.raises(sqlite_file.Unavailable):
        outbox.forget(["8c87b489"])
    other.ask("c.execute('ROLLBACK') and 1")
    outbox.close()
    assert other.ask(
        "sorted(item.event_id for item in outbox.take('paper', limit=9, max_bytes=9999, now=9e9))"
    ) == ["before", "john"]


@pytest.mark.fault("B3")
def test_closing_stores_what_is_in_memory(open_outbox, others):
    """The process ends while events are in memory because the file was held.

    They are stored before it ends.
    """
    outbox, other = open_outbox(), others()
    outbox.put([delivery("before")])
    other.ask(LOCK)
    outbox.put([delivery("1")])
    other.tell("c.execute('ROLLBACK') and 1")
    outbox.close()
    assert other.hear() == 1
    assert other.ask("outbox.stats().waiting") == 2


@pytest.mark.fault("B3")
def test_what_was_delivered_is_not_sent_again_because_it_could_not_be_written_down(
    open_outbox, others, monkeypatch
):
    """The file is held in the moment it has to be written down that an event was delivered.

    No process sends it again.
    """
    monkeypatch.setattr("capi_plugins.outbox.sqlite_settling.PAY_BUDGET", 0.01)
    outbox, other = open_outbox(), others()
    outbox._tidying._tidied = time.monotonic()
    outbox.put([delivery("1"), delivery("2")])
    batch = take(outbox, limit=1)
    other.ask(LOCK)
    outbox.delivered(batch)
    assert take(outbox) == []
    assert outbox.next_due("paper") > time.time()
    assert other.ask("take()") == [], "the sender holds on to it"
    other.ask("c.execute('ROLLBACK') and 1")
    assert ids(take(outbox)) == ["2"]


@pytest.mark.fault("B4")
def test_eight_processes_may_make_the_file_at_the_same_instant(others, path):
    """Eight processes make the file at the same instant, five times.

    All of them can use it, and no event is refused or lost.
    """
    processes = [others() for _ in range(8)]
    for process in processes:
        process.ask("globals().__setitem__('boxes', [])")
    for turn in range(5):
        for number, process in enumerate(processes):
            process.tell(
                f"boxes.append(type(outbox)(path + '{turn}')) or "
                f"boxes[-1].put([delivery('{number}')]).refused"
            )
        for process in processes:
            assert process.hear() == []
        for process in processes:
            while process.ask("boxes[-1].stats().in_memory"):
                pass
        assert processes[0].ask("boxes[-1].stats().waiting") == 8
        for process in processes:
            assert process.ask("boxes[-1].stats().problem") is None


@pytest.mark.fault("B7")
def test_nobody_but_sqlite_opens_the_file_once_it_exists(others):
    """Every file is watched that a process opens while it stores, sends and forgets.

    Nobody but SQLite opens the file, except once to make it: closing it would drop its locks.
    """
    other = others()
    other.ask("globals().__setitem__('opened', [])")
    other.ask(
        "__import__('sys').addaudithook(lambda event, args: event == 'open' and "
        "str(args[0]).startswith(path) and opened.append([str(args[0])[len(path):], args[2]]))"
    )
    other.ask("put('1', '2')")
    other.ask("take()")
    other.ask("outbox.delivered(held)")
    other.ask("outbox.forget(['x'])")
    other.ask("outbox.stats()")
    opened = other.ask("opened")
    assert {name for name, _ in opened} <= {"", ".lock"}
    assert all(flags & os.O_EXCL for name, flags in opened if name == "")
    assert len([name for name, _ in opened if name == ".lock"]) == 1
