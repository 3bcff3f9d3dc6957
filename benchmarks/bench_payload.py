"""What one event costs from raw values to bytes, beside Meta's own SDK and beside the floor.

    pip install -e . facebook_business
    python benchmarks/bench_payload.py

The work is the same everywhere: a website Purchase with nine match keys to hash, address, user
agent, click and browser id, value, currency and three contents. Rounds alternate, so what else
the machine does hits all alike; figures are medians, and the ratios are what counts.
"""

from __future__ import annotations

import gc
import hashlib
import statistics
import sys
import time

import orjson
from straight_payload import straight

from capi_plugins.consent import Consent
from capi_plugins.destinations.meta.destination import MetaDestination
from capi_plugins.events import Content, CustomData, Event, UserData

EVENTS = 500
ROUNDS = 25
LIMIT = "nine SHA-256 + orjson"
OURS = "capi-plugins"
USER_AGENT = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/131.0.0.0 Safari/537.36"
)
CITIES = ("New York", "Los Angeles", "Chicago", "Houston", "Phoenix")
STATES = ("New York", "California", "Illinois", "Texas", "Arizona")


def person(number: int) -> dict[str, str]:
    """Raw match keys: personal ones differ from event to event, places repeat."""
    return {
        "email": f" Jane.Doe{number}@Example.com",
        "phone": f"+1 (650) {number % 1000:03}-{number % 10000:04}",
        "first_name": f"Jane{chr(97 + number % 26)}",
        "last_name": f"O'Brien-{chr(97 + number % 26)}",
        "city": CITIES[number % 5],
        "state": STATES[number % 5],
        "zip": f"{10000 + number % 300}-1234",
        "country": "US",
        "external_id": f"Customer-{number}",
        "client_ip_address": f"24.48.{number % 200}.{number % 250}",
        "fbp": f"fb.1.1596403881668.{1000000000 + number}",
        "fbc": f"fb.1.1554763741205.IwAR2F4-dbP0l7Mn1IawQQGCINEz7PYXQvwjNwB_{number}",
    }


CONTENTS = [("sku-1", 1, 100.0), ("sku-2", 2, 21.26), ("sku-3", 1, 0.01)]
URL = "https://shop.example/checkout/thank-you?order=1001"


def our_event(number: int, now: int) -> Event:
    return Event(
        event_name="Purchase",
        event_time=now,
        event_id=f"order-{number}",
        action_source="website",
        event_source_url=URL,
        user_data=UserData(client_user_agent=USER_AGENT, **person(number)),
        custom_data=CustomData(
            value=142.53,
            currency="USD",
            order_id=str(number),
            content_type="product",
            contents=[Content(id=i, quantity=q, item_price=p) for i, q, p in CONTENTS],
        ),
    )


def their_event(number: int, now: int):
    from facebook_business.adobjects.serverside import (
        action_source,
        content,
        custom_data,
        event,
        user_data,
    )

    names = {"zip": "zip_code", "country": "country_code"}
    return event.Event(
        event_name="Purchase",
        event_time=now,
        event_id=f"order-{number}",
        action_source=action_source.ActionSource.WEBSITE,
        event_source_url=URL,
        user_data=user_data.UserData(
            client_user_agent=USER_AGENT,
            **{names.get(key, key): value for key, value in person(number).items()},
        ),
        custom_data=custom_data.CustomData(
            value=142.53,
            currency="USD",
            order_id=str(number),
            content_type="product",
            contents=[
                content.Content(product_id=i, quantity=q, item_price=p) for i, q, p in CONTENTS
            ],
        ),
    )


def their_request(numbers: range, now: int):
    from facebook_business.adobjects.serverside.event_request import EventRequest

    return EventRequest(pixel_id="1", events=[their_event(number, now) for number in numbers])


def their_body(request) -> str:
    """Do what ``execute()`` does up to the wire: normalise, encode each, encode the list."""
    from urllib.parse import urlencode

    from facebook_business.api import _top_level_param_json_encode

    return urlencode(_top_level_param_json_encode(request.get_params()))


def floor(value: dict, texts: list[bytes]) -> bytes:
    """Nine SHA-256 and one encoding: nothing can be cheaper than that."""
    for text in texts:
        hashlib.sha256(text).hexdigest()
    return orjson.dumps(value)


def timed(function) -> float:
    # CPU time: what other programs take of the machine is nobody's cost here.
    started = time.thread_time()
    function()
    return (time.thread_time() - started) / EVENTS * 1e6


def their_runs(numbers: range, now: int) -> dict:
    try:
        batch = their_request(numbers, now)
    except ImportError:
        print("facebook_business is not installed; its rows are left out", file=sys.stderr)
        return {}
    singles = [their_request(range(number, number + 1), now) for number in numbers]
    return {
        "facebook_business as sent": lambda: their_body(batch),
        "facebook_business, one at a time": lambda: [their_body(one) for one in singles],
        "facebook_business, event made too": lambda: [
            their_body(their_request(range(number, number + 1), now)) for number in numbers
        ],
    }


def our_runs(numbers: range, now: int) -> dict:
    destination = MetaDestination("meta", {"DATASET_ID": "1", "ACCESS_TOKEN": "token"})
    events = [our_event(number, now) for number in numbers]
    encoded = destination.payload(events[0], Consent.GRANTED, now=now)
    assert not encoded.notes, encoded.notes
    print(f"{len(numbers)} events of {len(encoded.body)} bytes, median of {ROUNDS} rounds")
    wire = orjson.loads(encoded.body)
    texts = [f"jane.doe{number}@example.com".encode() for number in range(9)]

    def build(event: Event) -> None:
        destination.payload(event, Consent.GRANTED, now=now)

    assert orjson.loads(straight(events[0], now=now).body) == wire
    return {
        LIMIT: lambda: [floor(wire, texts) for _ in numbers],
        "the same, written out": lambda: [straight(event, now=now) for event in events],
        OURS: lambda: [build(event) for event in events],
        "capi-plugins, event made too": lambda: [
            build(our_event(number, now)) for number in numbers
        ],
    }


def main() -> None:
    now = int(time.time())
    numbers = range(EVENTS)
    runs = our_runs(numbers, now) | their_runs(numbers, now)
    times: dict[str, list[float]] = {name: [] for name in runs}
    gc.disable()
    for _ in range(ROUNDS):
        for name, run in runs.items():
            times[name].append(timed(run))
        gc.collect()
    medians = {name: statistics.median(values) for name, values in times.items()}
    print(f"{'':34}{'us/event':>10}{'against ours':>14}")
    for name, median in sorted(medians.items(), key=lambda item: item[1]):
        print(f"{name:34}{median:10.1f}{median / medians[OURS]:13.2f}x")
    print(f"ours against the limit: {medians[OURS] / medians[LIMIT]:.2f}")


if __name__ == "__main__":
    main()
