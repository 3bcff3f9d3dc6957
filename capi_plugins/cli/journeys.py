"""Goes shopping in an example shop, and compares what arrived with what ought to have."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs

from capi_plugins.sandbox import ReceivedEvent

_WIRE = {
    "email": "em",
    "phone": "ph",
    "first_name": "fn",
    "last_name": "ln",
    "city": "ct",
    "state": "st",
    "zip": "zp",
}
"""Neutral names of match keys and Meta's, where they differ."""


_NETWORK = "81.2.69."
"""Where the shoppers seem to be: addresses that are only text here, but public, as Meta wants."""


@attrs.define(kw_only=True)
class Journey:
    """One visit to a shop.

    Attributes:
        name: Its name in the script.
        story: What happens, in a sentence.
        address: The IP address of its shopper, by which its events are told from others.
        expected: What ought to arrive because of it: ``Expectation`` values of the script.
        arrived: What did arrive.
        wrong: What is not as expected, a sentence each.
    """

    name: str
    story: str
    address: str
    expected: Sequence[Any]
    arrived: list[ReceivedEvent] = attrs.field(factory=list)
    wrong: list[str] = attrs.field(factory=list)

    @property
    def withheld(self) -> str:
        """What rightly does not arrive; empty where everything does."""
        counts = {item.event_name: item.count for item in self.expected}
        if not any(counts.values()):
            return "everything"
        # Who sets out to pay, and of whom no purchase may be told.
        tried = counts.get("InitiateCheckout") and not counts.get("Purchase")
        return "Purchase" if tried else ""


def load_script(folder: Path) -> ModuleType:
    """Import the scripted shopper.

    Args:
        folder: The examples.
    """
    package = folder / "shopping"
    spec = importlib.util.spec_from_file_location("capi_examples_shopping", package / "__init__.py")
    if spec is None or spec.loader is None:
        raise ImportError(str(package))
    module = importlib.util.module_from_spec(spec)
    # Its parts are found through it.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def travel(script: ModuleType, url: str, tell: Callable[[str], None]) -> list[Journey]:
    """Go on all journeys.

    Args:
        script: The scripted shopper.
        url: Where the shop is.
        tell: Called with each story before it begins.
    """
    journeys = []
    for number, (name, go) in enumerate(script.JOURNEYS.items(), start=1):
        story = (go.__doc__ or name).strip().partition("\n")[0]
        tell(story)
        journey = Journey(name=name, story=story, address=f"{_NETWORK}{number}", expected=())
        with script.Shopper(url, client_ip=journey.address) as shopper:
            try:
                journey.expected = go(shopper)
            except (script.ShopMisbehaved, script.HTTPError) as error:
                journey.wrong.append(f"the journey ended early: {error}")
        journeys.append(journey)
    return journeys


def due(journeys: Sequence[Journey]) -> int:
    """Count the events that ought to arrive."""
    return sum(item.count for journey in journeys for item in journey.expected)


def judge(journeys: Sequence[Journey], accepted: Sequence[ReceivedEvent]) -> list[str]:
    """Give each journey its events and note what is wrong with them.

    Args:
        journeys: All journeys in one shop.
        accepted: What the sandbox accepted from that shop.

    Returns:
        A sentence for each event that belongs to no journey.
    """
    strangers = []
    for event in accepted:
        address = _user_data(event).get("client_ip_address")
        found = [journey for journey in journeys if journey.address == address]
        if found:
            found[0].arrived.append(event)
        else:
            strangers.append(f"{event.name} arrived that belongs to none of the shoppers")
    for journey in journeys:
        for expectation in journey.expected:
            events = [event for event in journey.arrived if event.name == expectation.event_name]
            journey.wrong += _compare(expectation, events)
        named = {expectation.event_name for expectation in journey.expected}
        others = [event for event in journey.arrived if event.name not in named]
        journey.wrong += [f"{event.name} was not expected" for event in others]
    return strangers


def _compare(expectation: Any, events: Sequence[ReceivedEvent]) -> list[str]:
    name = expectation.event_name
    wrong = []
    if len(events) != expectation.count:
        wrong.append(f"{name}: {expectation.count} expected, {len(events)} arrived")
    for event in events if expectation.count else ():
        custom: Mapping[str, Any] = event.payload.get("custom_data", {})
        found = {
            "value": _number(custom.get("value")),
            "currency": custom.get("currency"),
            "order_id": custom.get("order_id"),
        }
        for field, is_there in found.items():
            wanted = getattr(expectation, field)
            if wanted is not None and is_there != wanted:
                wrong.append(f"{name}: {field} is {is_there}, not {wanted}")
        products = _products(custom)
        if expectation.content_ids and products != sorted(expectation.content_ids):
            wrong.append(f"{name}: products are {products}")
        keys = _user_data(event).keys()
        lost = [key for key in expectation.match_keys if _WIRE.get(key, key) not in keys]
        if lost:
            wrong.append(f"{name}: match keys are missing: {', '.join(lost)}")
    return wrong


def _user_data(event: ReceivedEvent) -> Mapping[str, Any]:
    found = event.payload.get("user_data")
    return found if isinstance(found, dict) else {}


def _products(custom: Mapping[str, Any]) -> list[str]:
    ids = custom.get("content_ids") or [item.get("id") for item in custom.get("contents") or ()]
    return sorted(str(item) for item in ids)


def _number(value: object) -> Decimal | None:
    try:
        return None if value is None else Decimal(str(value))
    except InvalidOperation:
        return None
