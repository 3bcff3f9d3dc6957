"""Held events in the database, and a request whose store is broken."""

from __future__ import annotations

import pytest
from bookshop.models import Order
from capi_django import conf
from capi_django.held_store import DatabaseHeldStore
from capi_django.models import HeldEvent as Entry
from django.db import connections, transaction
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.on_django import databases
from tests.outbox import test_held_stores as suite

for name, test in vars(suite).items():
    if name.startswith("test_") and "held_store" in test.__code__.co_varnames[:1]:
        globals()[name] = test


@pytest.fixture
def held_store(tables):
    return DatabaseHeldStore(tables.alias)


def test_a_store_without_a_table_breaks_no_transaction(tables):
    store = DatabaseHeldStore(tables.alias)
    with (
        databases.without_table(tables.alias, Entry) as table,
        transaction.atomic(using=tables.alias),
    ):
        for call in (
            lambda: store.find(["a"]),
            lambda: store.hold([suite.ONE]),
            lambda: store.remove(["a"]),
            lambda: store.prune(0.0),
        ):
            with pytest.raises(Exception, match=table):
                call()
        Order.objects.using(tables.alias).create(number="1")
    assert Order.objects.using(tables.alias).count() == 1


@pytest.fixture
def ask(configure, view, tables):
    delivery = {"OUTBOX": "database", "DATABASE": tables.alias, "WORKER": "external"}
    consent = {"DEFAULT": "hold", "SOURCES": [{"COOKIE": "ads"}]}
    configure(DELIVERY=delivery, CONSENT=consent, PAGE_VIEW=True)
    view(lambda _: HttpResponse("<p>as it was</p>"))
    headers = {"user-agent": "Mozilla/5.0 Firefox/140.0", "accept": "text/html"}
    client = Client(headers=headers, REMOTE_ADDR="203.0.113.9")

    def ask(decision=None):
        if decision:
            client.cookies["ads"] = decision
        answer = client.get("/do/")
        assert (answer.status_code, answer.content) == (200, b"<p>as it was</p>")
        return answer

    ask.cookies = client.cookies
    ask.alias = tables.alias
    return ask


def test_the_cookie_is_only_for_servers_and_goes_with_the_decision(ask):
    (cookie,) = ask().cookies.values()
    assert cookie.key == "capi_visit"
    assert (cookie["httponly"], cookie["samesite"], cookie["max-age"]) == (True, "Lax", 1800)
    assert Entry.objects.using(ask.alias).count() == 1
    assert ask("denied").cookies["capi_visit"]["max-age"] == 0
    assert Entry.objects.using(ask.alias).count() == 0


def test_what_is_not_decided_in_time_is_gone_and_told(ask, recorder, monkeypatch):
    ask()
    client = conf.client()
    later = client.holding._clock() + 30 * 60 + 1
    monkeypatch.setattr(client.holding, "_clock", lambda: later)
    ask("granted")
    assert recorder.dropped == ["no consent (the visitor did not decide within 30 minutes)"]
    assert Entry.objects.using(ask.alias).count() == 0


def test_who_has_decided_costs_no_query_but_the_first(ask):
    ask("denied")
    with CaptureQueriesContext(connections[ask.alias]) as queries:
        ask()
    assert "\n".join(query["sql"] for query in queries) == ""


@pytest.mark.parametrize("method", ["hold", "find", "remove", "prune"])
def test_a_store_that_raises_changes_no_answer(ask, monkeypatch, method):
    def broken(*_, **__):
        raise RuntimeError("the store broke")

    monkeypatch.setattr(DatabaseHeldStore, method, broken)
    ask()
    ask("granted")
