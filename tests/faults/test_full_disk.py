"""A disk or a file that is full; what was taken in arrives once there is room."""

from __future__ import annotations

import contextlib
import logging
import sqlite3

import attrs
import pytest

from capi_plugins import signals
from tests.faults.small_shop import accepted, until
from tests.faults.storage import drained, fill, integrity, small_disk, take
from tests.outbox.other_process import delivery, ids


@pytest.mark.fault("B2")
def test_a_file_at_its_largest_size_empties_again(open_outbox, caplog, path):
    """The file reaches the size that the settings allow.

    Further events stay in memory, a thousand at most, one error is logged, and everything that
    was taken in leaves once there is room. The file is sound and no larger than allowed.
    """
    outbox = open_outbox(max_bytes=1_000_000)
    with caplog.at_level(logging.ERROR, "capi_plugins"):
        taken = fill(outbox)
    assert outbox.stats().problem == "the disk or the file is full"
    assert len(caplog.records) == 1
    found = []
    while batch := take(outbox, limit=50):
        outbox.delivered(batch)
        found += ids(batch)
    until(lambda: outbox.stats().in_memory == 0)
    found += drained(outbox)
    assert sorted(found) == sorted(taken)
    outbox.close()
    assert path.stat().st_size <= 1_000_000
    assert integrity(path) == "ok"


@pytest.mark.fault("B1")
def test_a_full_disk_is_survived(open_outbox, path):
    """The disk is full, and later is not.

    Nothing is raised, events stay in memory, the health says why, and everything that was taken
    in arrives afterwards. The file is sound.
    """
    with small_disk(path.parent):
        outbox = open_outbox()
        outbox.put([delivery("first")])
        ballast = path.with_name("ballast")
        with contextlib.suppress(OSError):
            ballast.write_bytes(b"x" * 1_500_000)
        taken = ["first", *fill(outbox)]
        assert outbox.stats().problem == "the disk or the file is full"
        ballast.unlink()
        until(lambda: outbox.stats().in_memory == 0)
        assert sorted(drained(outbox)) == sorted(taken)
        outbox.close()
        assert integrity(path) == "ok"


@pytest.mark.fault("B1")
def test_a_disk_that_is_full_when_the_log_is_emptied_is_survived(open_outbox, path):
    """Events are in the log beside the file, and the disk has no room to move them over.

    What is delivered meanwhile is not sent again, the rest arrives, and once there is room the log
    is emptied. The file is sound.
    """
    log = path.with_name(path.name + "-wal")
    with small_disk(path.parent):
        outbox = open_outbox()
        names = [str(number) for number in range(60)]
        outbox.put([delivery(name, payload=b"x" * 5000) for name in names])
        ballast = path.with_name("ballast")
        with contextlib.suppress(OSError):
            ballast.write_bytes(b"x" * 2_000_000)
        outbox._tidying.tidy()
        assert log.stat().st_size > 60 * 5000
        sent = take(outbox, limit=30)
        outbox.delivered(sent)
        outbox.put([delivery("while-full")])
        assert outbox.stats().problem == "the disk or the file is full"
        ballast.unlink()
        until(lambda: outbox.stats().in_memory == 0)
        assert sorted([*ids(sent), *drained(outbox)]) == sorted([*names, "while-full"])
        outbox.close()
        assert not log.exists() or log.stat().st_size == 0
        assert integrity(path) == "ok"


@pytest.mark.fault("B2")
def test_a_conversion_takes_the_place_of_page_views_in_a_full_outbox(open_outbox, path):
    """The file has reached its size with page views, and purchases come in.

    They are stored in the place of the newest page views, which are refused in their stead. The
    oldest stay.
    """
    outbox = open_outbox(max_bytes=1_000_000)
    views = [attrs.evolve(delivery(f"view-{number}", payload=b"x" * 2000), event_name="PageView")
             for number in range(600)]  # fmt: skip
    stored = [outbox.put([view]) for view in views]
    assert not any(each.refused for each in stored)
    assert outbox.stats().in_memory > 0
    refused = []
    for number in range(40):
        refused += outbox.put([delivery(f"bought-{number}", payload=b"x" * 2000)]).refused
    with contextlib.closing(sqlite3.connect(path)) as connection:
        kept = {each for (each,) in connection.execute("SELECT event_id FROM delivery")}
    assert {f"bought-{number}" for number in range(40)} <= kept
    assert "view-0" in kept
    assert {item.event_name for item in refused} == {"PageView"}
    assert 0 < len(refused) < 100
    assert not kept & {item.event_id for item in refused}


@pytest.mark.fault("B2")
def test_what_a_full_outbox_refuses_is_counted(open_shop, sandbox, box, caplog):
    """Events come into a file of one megabyte while nobody sends.

    Every one of them is stored, in memory, or refused and told of as such. The log says once that
    events are lost, and what was taken in arrives once.
    """
    refused = []

    def hear(sender, *, deliveries):
        refused.extend(item.event_id for item in deliveries)

    shop = open_shop(outbox=f"sqlite:///{box}?max_bytes=1000000", WORKER="external")
    names = [str(number) for number in range(2500)]
    much = [f"customer-{number}" for number in range(10)]
    with signals.outbox_full.connected_to(hear, sender=shop.client):
        shop.lead(*names, external_id=much)
        stats = shop.stats
        assert stats.in_memory <= 1000
        assert stats.waiting + len(refused) == len(names)
    assert caplog.text.count("outbox is full") == 1
    until(lambda: shop.drain() or shop.stats.waiting == 0)
    assert accepted(sandbox) == sorted({*names} - {*refused})
