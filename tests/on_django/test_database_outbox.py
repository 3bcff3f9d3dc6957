"""The conformance suites of outboxes on the database outbox, in three databases."""

from __future__ import annotations

import importlib
import inspect

import pytest
from capi_django.outbox import DatabaseOutbox

from tests.core.paper import Clock
from tests.outbox import test_conformance
from tests.outbox.conforming import SUITES

globals().update(
    {
        name: test
        for suite in SUITES
        for name, test in vars(importlib.import_module(f"tests.outbox.{suite}")).items()
        if name.startswith("test_") and "bounded" not in inspect.signature(test).parameters
    }
)


class TestContract(test_conformance.TestContract):
    WRITES = 25


@pytest.fixture
def new(tables):
    made = []

    def new(**options):
        tables.empty()
        made.append(DatabaseOutbox(tables.alias, **{"clock": Clock(), **options}))
        return made[-1]

    yield new
    for outbox in made:
        outbox.close()


@pytest.fixture
def outbox(new):
    return new()
