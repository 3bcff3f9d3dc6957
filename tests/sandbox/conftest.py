from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from capi_plugins.sandbox import Sandbox
from tests.sandbox.wire_events import NOW

Post = Callable[..., httpx.Response]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(clock=lambda: NOW) as running:
        yield running


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=10) as made:
        yield made


@pytest.fixture
def post(sandbox: Sandbox, client: httpx.Client) -> Post:
    def send(*events: Any, to: Sandbox | None = None, path: str = "", **more: Any) -> Any:
        base = (to or sandbox).url
        body = {"data": list(events), "access_token": "TOKEN", **more}
        return client.post(base + (path or "/v26.0/1234567890/events"), json=body)

    return send


@pytest.fixture
def live() -> Iterator[Sandbox]:
    """A sandbox on the real clock, for the page."""
    with Sandbox(clock=time.time) as running:
        yield running
