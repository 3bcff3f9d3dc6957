"""The journal of a host on a database: in the database, or beside it."""

from __future__ import annotations

import time

import pytest
from capi_django import conf
from capi_django.journal import DatabaseJournal, make_journal
from capi_django.models import JournalChunk
from django.db import connections
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from capi_plugins.journal import FolderJournal

EMAIL = "b5fc85e55755f9e0d030a10ab4429b6b2944855f9a0d60077fe832becbc41d72"


@pytest.fixture
def journal(tables):
    return DatabaseJournal(tables.alias)


def texts(journal):
    return [line["text"] for line in journal.read()]


def test_lines_are_read_as_they_were_written(journal):
    journal.write([{"text": "a"}, {"text": "b"}], browsing=False)
    journal.write([{"text": "c"}], browsing=True)
    assert texts(journal) == ["a", "b", "c"]
    assert JournalChunk.objects.using(journal._alias).count() == 2


def test_a_person_is_taken_out(journal):
    journal.write([{"text": "w", "event_id": "1"}, {"text": "y", "event_id": "2"}], browsing=True)
    journal.write([{"text": "x", "event_id": "1", "who": EMAIL[:12]}], browsing=False)
    assert journal.forget([EMAIL]) == 2
    assert texts(journal) == ["y"]
    assert journal.forget([EMAIL]) == 0


def test_what_is_a_week_old_goes(journal):
    journal.write([{"text": "a"}], browsing=False)
    journal.prune(time.time() + 6.9 * 86_400)
    assert texts(journal) == ["a"]
    journal.prune(time.time() + 7.1 * 86_400)
    assert texts(journal) == []


def test_of_too_much_the_oldest_goes_and_each_series_by_itself(journal):
    journal._most = 1000
    journal.write([{"text": "order"}], browsing=False)
    for number in range(20):
        journal.write([{"text": f"page {number}"}], browsing=True)
    journal.prune(time.time())
    kept = texts(journal)
    assert kept[0] == "order"
    assert kept[1:] == [f"page {number}" for number in range(20)][-len(kept) + 1 :]
    assert 2 <= len(kept) <= 5


def test_a_request_of_the_host_writes_no_line_itself(tables, configure, view):
    configure(
        DELIVERY={"OUTBOX": "database", "DATABASE": tables.alias, "WORKER": "external"},
        CONSENT={"DEFAULT": "denied"},
        PAGE_VIEW=True,
    )
    view(lambda _: HttpResponse("<p>page</p>"))
    headers = {"user-agent": "Mozilla/5.0 Firefox/140.0", "accept": "text/html"}
    client = Client(headers=headers, REMOTE_ADDR="203.0.113.9")
    began = time.time()
    with CaptureQueriesContext(connections[tables.alias]) as queries:
        client.get("/do/")
    assert "journal" not in str(queries.captured_queries)
    kept = make_journal(tables.alias)

    def told():
        # Beside a file there may be lines of other tests.
        lines = [line for line in kept.read() if line["at"] >= began]
        return sorted(lines, key=lambda line: line["at"])

    deadline = time.monotonic() + 60
    while "dropped" not in {line["stage"] for line in told()}:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    (captured, dropped) = told()
    assert (captured["event_name"], captured["path"]) == ("PageView", "/do/")
    assert dropped["reason"].startswith("no consent")
    assert conf.client().settings.journal == "auto"


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_the_journal_of_a_file_is_beside_it(tables):
    kept = make_journal(tables.alias)
    assert isinstance(kept, FolderJournal)
    assert str(kept.folder) == f"{tables.settings['NAME']}.capi-journal"
