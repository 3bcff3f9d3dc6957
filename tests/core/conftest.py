from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from capi_plugins import Client, signals
from capi_plugins._triggers import parse_trigger
from tests.core.paper import Clock, Post, paper_client
from tests.core.shoppers import RECEIVER, Ads, Shop, identify


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def make(post: Post) -> Iterator[Callable[..., Client]]:
    """Make clients that deliver to ``post``, and close them when the test is over."""
    made: list[Client] = []

    def make(*plugins: object, **settings: Any) -> Client:
        client = paper_client(settings.pop("to", post), *plugins, **settings)
        made.append(client)
        return client

    yield make
    for client in made:
        client.close(0)


@pytest.fixture
def heard() -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """Everything the signals tell, in order: (name of the signal, arguments)."""
    told: list[tuple[str, dict[str, Any]]] = []
    every = [
        signals.event_captured,
        signals.event_dropped,
        signals.event_held,
        signals.event_released,
        signals.field_dropped,
        signals.delivered,
        signals.delivery_retried,
        signals.delivery_dead,
        signals.outbox_full,
        signals.plugin_failed,
    ]
    receivers = []
    for signal in every:

        def receiver(sender: object, *, _name: str = signal.name, **arguments: Any) -> None:
            told.append((_name, arguments))

        signal.connect(receiver)
        receivers.append((signal, receiver))
    yield told
    for signal, receiver in receivers:
        signal.disconnect(receiver)


@pytest.fixture
def shop(make, clock):
    """Make shops whose shoppers are remembered."""

    def shop(**settings):
        ads = Ads()
        problems = []
        trigger = parse_trigger({**RECEIVER, **settings.pop("trigger", {})}, "T", problems)
        assert problems == []
        settings = {
            "CONSENT": {"DEFAULT": "denied"},
            "USER_DATA": {"external_id": "id"},
            **settings,
        }
        return Shop(
            make(ads, options={"identify": identify, "clock": clock}, **settings), ads, trigger
        )

    return shop
