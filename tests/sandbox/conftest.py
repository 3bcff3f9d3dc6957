from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from capi_plugins.sandbox import Sandbox
from tests.sandbox.wire_events import NOW

CHROMIUM = "/usr/bin/chromium"
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


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    required = os.environ.get("CAPI_REQUIRE_SERVICES") == "1"
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        if required:
            raise
        pytest.skip("the Python package playwright is not installed")
    if not Path(CHROMIUM).exists():
        if required:
            pytest.fail(f"{CHROMIUM} is missing")
        pytest.skip(f"{CHROMIUM} is not installed")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
            ],
        )  # fmt: skip
        yield running
        running.close()


@pytest.fixture
def live() -> Iterator[Sandbox]:
    """A sandbox on the real clock, for the page."""
    with Sandbox(clock=time.time) as running:
        yield running
