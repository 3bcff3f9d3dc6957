from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from capi_plugins import Client, configure


@pytest.fixture
def make() -> Iterator[Callable[..., Client]]:
    """Make clients as a host does, deliver at once, and close them when the test is over."""
    made: list[Client] = []

    def make(*plugins: object, options: dict[str, Any] | None = None, **settings: Any) -> Client:
        raw = {
            "CONSENT": {"DEFAULT": "granted"},
            "DELIVERY": {"OUTBOX": "immediate"},
            "PLUGINS": list(plugins),
            "PAGE_VIEW": False,
            "AUTOLOAD": False,
            **settings,
        }
        client = configure(raw, environ={}, **(options or {}))
        made.append(client)
        return client

    yield make
    for client in made:
        client.close(0)
