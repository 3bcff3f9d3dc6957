from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests import waiting

# What a shop does in production is what is tried here; every server is on this machine.
os.environ["CAPI_SENDING"] = "on"

# A shell that starts something in the background has it ignore Ctrl-C, and whatever that starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

CHROMIUM = "/usr/bin/chromium"

# How long an example takes depends on what else the machine does; what blocks a change must not
# depend on chance, so a CI run tries the same examples every time.
settings.register_profile("capi", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("capi")


@pytest.fixture
def until() -> Callable[..., Any]:
    """Ask again until the answer is true, and return it."""
    return waiting.until


# For one module and no longer: as long as it is there, an event loop runs in this thread.
@pytest.fixture(scope="module")
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
