from __future__ import annotations

import copy
import json

import pytest

from capi_plugins._paths import parse_lookup
from capi_plugins.consent import Consent
from capi_plugins.destinations.meta.destination import MetaDestination
from capi_plugins.sandbox import rules
from capi_plugins.segment import Converter, read_options
from tests.segment.api import BROWSER, Api

NOW = 1_785_587_757  # 2026-08-01T12:35:57Z
DESTINATION = MetaDestination("meta", {"DATASET_ID": "1", "ACCESS_TOKEN": "t"})
WEB = {
    "type": "track",
    "messageId": "m-1",
    "timestamp": "2026-08-01T12:34:56.789Z",
    "userId": "u-1",
    "anonymousId": "a-1",
    "event": "Order Completed",
    "properties": {
        "order_id": "O-1",
        "revenue": 25.0,
        "total": 30.5,
        "currency": "USD",
        "products": [
            {"product_id": "p-1", "sku": "s-1", "price": 19, "quantity": 1},
            {"product_id": "p-2", "sku": "s-2", "price": 3, "quantity": 2},
        ],
    },
    "context": {
        "ip": "203.0.113.7",
        "userAgent": BROWSER,
        "library": {"name": "analytics.js", "version": "next-1.70.0"},
        "page": {"url": "https://shop.example/thanks", "referrer": "https://shop.example/pay"},
        "traits": {"email": "jane@example.com"},
    },
}
PHONE = {
    "type": "track",
    "messageId": "m-2",
    "timestamp": "2026-08-01T12:34:56Z",
    "anonymousId": "a-2",
    "channel": "mobile",
    "event": "Application Opened",
    "properties": {"from_background": False},
    "context": {
        "library": {"name": "analytics-swift", "version": "1.6.2"},
        "app": {"name": "Shop", "version": "3.2.1", "build": "321", "namespace": "com.shop"},
        "device": {
            "id": "B5372DB0-C21E-11E4-8DFC-AA07A5B093DB",
            "advertisingId": "7A3CBEA0-BDF5-11E4-8DFC-AA07A5B093DB",
            "adTrackingEnabled": True,
            "model": "iPhone15,2",
            "name": "Jane's iPhone",
            "type": "ios",
        },
        "os": {"name": "iOS", "version": "17.4.1"},
        "network": {"carrier": "T-Mobile US"},
        "screen": {"width": 393, "height": 852, "density": 3},
        "locale": "en-US",
        "timezone": "America/Los_Angeles",
        "traits": {"email": "jane@example.com"},
    },
}


def options(**written):
    problems: list[str] = []
    found = read_options(written, problems, parse_lookup)
    assert problems == []
    return found


def changed(message, changes):
    """A copy in which dotted paths have other values; None takes a key away."""
    message = copy.deepcopy(message)
    for path, value in changes.items():
        *way, last = path.split(".")
        place = message
        for step in way:
            place = place.setdefault(step, {})
        if value is None:
            place.pop(last, None)
        else:
            place[last] = value
    return message


def convert(message, **written):
    return Converter(options(**written)).convert(message, now=NOW)


def wire(event, now=NOW):
    """What Meta gets of an event; it must be nothing that the strict sandbox refuses."""
    payload = DESTINATION.payload(event, Consent.GRANTED, now=now)
    found = json.loads(payload.body)
    assert rules.every_problem(found, now, "strict") == ()
    return found


@pytest.fixture
def web():
    """Convert the order of a website, with changes; return its one event."""

    def make(changes=None, **written):
        result = convert(changed(WEB, changes or {}), **written)
        assert result.reason == ""
        (event,) = result.events
        return event

    return make


@pytest.fixture
def phone():
    """Convert the event of a phone, with changes; return its one event."""

    def make(changes=None, **written):
        result = convert(changed(PHONE, changes or {}), **written)
        assert result.reason == ""
        (event,) = result.events
        return event

    return make


@pytest.fixture
def refused():
    """Convert the order of a website that makes no event; return why."""

    def make(changes, **written):
        result = convert(changed(WEB, changes), **written)
        assert result.events == ()
        return result.reason

    return make


@pytest.fixture
def make():
    """Returns a function that makes an `Api` with other settings."""
    made = []

    def make(**settings):
        made.append(Api(**settings))
        return made[-1]

    yield make
    for api in made:
        api.client.close(0)


@pytest.fixture
def api(make):
    """An `Api`."""
    return make()
