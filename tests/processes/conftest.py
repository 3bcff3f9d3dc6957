from __future__ import annotations

import pytest

from capi_plugins.sandbox import Sandbox


@pytest.fixture
def sandbox():
    with Sandbox() as running:
        yield running


@pytest.fixture
def box(tmp_path):
    return tmp_path / "box" / "outbox.sqlite3"
