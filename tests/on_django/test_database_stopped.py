"""The suite of stopped destinations on the database outbox, in three databases."""

from __future__ import annotations

import inspect

import pytest
from capi_django.models import DestinationStanding
from capi_django.outbox import DatabaseOutbox
from django.db import connections

from tests.outbox import test_stopped as suite

globals().update(
    {
        name: test
        for name, test in vars(suite).items()
        if name in ("sandbox", "clock", "process")
        or (name.startswith("test_") and "path" not in inspect.signature(test).parameters)
    }
)


@pytest.fixture
def delivery(tables, clock):
    return {"OUTBOX": "database"}, {"database": lambda _: DatabaseOutbox(tables.alias, clock=clock)}


@pytest.fixture
def open_outbox(tables, clock):
    return lambda: DatabaseOutbox(tables.alias, clock=clock)


def test_without_its_table_every_process_finds_out_for_itself(process, sandbox, tables):
    connection = connections[tables.alias]
    with connection.schema_editor() as editor:
        editor.delete_model(DestinationStanding)
    try:
        for _ in range(2):
            client = process("wrong-token")
            suite.lead(client, "1")
            suite.drain(client)
            assert client.stats().waiting == 1
            assert client.stats().problem is None
        assert len(sandbox.requests) == 2
    finally:
        with connection.schema_editor() as editor:
            editor.create_model(DestinationStanding)
