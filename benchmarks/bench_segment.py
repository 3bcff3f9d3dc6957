"""What one Segment message costs: to events, and to the bytes that are posted.

    pip install -e .
    python benchmarks/bench_segment.py

The messages are orders of a website with traits, cookies and three products, and orders of a phone
with its device. Rounds alternate, so what else the machine does hits all alike; figures are
medians.
"""

from __future__ import annotations

import gc
import json
import statistics
import time

from capi_plugins.consent import Consent
from capi_plugins.destinations.meta.destination import MetaDestination
from capi_plugins.segment import Converter

MESSAGES = 500
ROUNDS = 25
BROWSER = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/131.0.0.0 Safari/537.36"
)


def order(number: int, now: int) -> dict:
    return {
        "type": "track",
        "event": "Order Completed",
        "messageId": f"ajs-next-{number}",
        "timestamp": now,
        "userId": f"Customer-{number}",
        "anonymousId": f"507f191e-810c-1972-9de8-{number:012}",
        "integrations": {},
        "properties": {
            "order_id": str(number),
            "revenue": 142.53,
            "total": 150.0,
            "tax": 2.5,
            "shipping": 3,
            "coupon": "MAY",
            "currency": "USD",
            "products": [
                {"product_id": "sku-1", "sku": "a", "name": "One", "price": 100.0, "quantity": 1},
                {"product_id": "sku-2", "sku": "b", "name": "Two", "price": 21.26, "quantity": 2},
                {"product_id": "sku-3", "sku": "c", "name": "Six", "price": 0.01, "quantity": 1},
            ],
        },
        "context": {
            "ip": f"24.48.{number % 200}.{number % 250}",
            "locale": "en-US",
            "timezone": "America/New_York",
            "traits": {
                "email": f"Jane.Doe{number}@Example.com",
                "phone": f"+1 (650) {number % 1000:03}-{number % 10000:04}",
                "firstName": f"Jane{chr(97 + number % 26)}",
                "lastName": "O'Brien",
                "address": {
                    "city": "New York",
                    "state": "NY",
                    "postalCode": f"{10000 + number % 300}",
                    "country": "US",
                },
            },
        },
    }


def of_website(number: int, now: int) -> dict:
    message = order(number, now)
    message["context"] |= {
        "userAgent": BROWSER,
        "library": {"name": "analytics.js", "version": "next-1.70.0"},
        "page": {
            "url": "https://shop.example/checkout/thank-you?order=1001",
            "path": "/checkout/thank-you",
            "referrer": "https://shop.example/checkout",
            "search": "?order=1001",
            "title": "Thank you",
        },
        "clientIds": {"fbp": f"fb.1.1596403881668.{1000000000 + number}"},
    }
    return message


def of_phone(number: int, now: int) -> dict:
    message = order(number, now)
    message["context"] |= {
        "library": {"name": "analytics-swift", "version": "1.6.2"},
        "app": {"name": "Shop", "version": "3.2.1", "build": "321", "namespace": "com.shop"},
        "device": {"id": f"B537-{number}", "adTrackingEnabled": True, "model": "iPhone15,2"},
        "os": {"name": "iOS", "version": "17.4.1"},
        "network": {"carrier": "T-Mobile US"},
        "screen": {"width": 393, "height": 852, "density": 3},
    }
    return message


def timed(function) -> float:
    started = time.perf_counter()
    function()
    return (time.perf_counter() - started) / MESSAGES * 1e6


def main() -> None:
    now = int(time.time())
    converter = Converter()
    destination = MetaDestination("meta", {"DATASET_ID": "1", "ACCESS_TOKEN": "token"})

    def convert(messages: list[dict]) -> None:
        for message in messages:
            converter.convert(message, now=now)

    def whole(messages: list[dict]) -> None:
        for message in messages:
            for event in converter.convert(message, now=now).events:
                destination.payload(event, Consent.GRANTED, now=now)

    runs = {}
    for name, make in (("website", of_website), ("phone", of_phone)):
        messages = [make(number, now) for number in range(MESSAGES)]
        events = [converter.convert(message, now=now).events[0] for message in messages]
        assert not destination.payload(events[0], Consent.GRANTED, now=now).notes
        runs[f"{name}, conversion"] = lambda messages=messages: convert(messages)
        runs[f"{name}, conversion and payload"] = lambda messages=messages: whole(messages)
        runs[f"{name}, payload alone"] = lambda events=events: [
            destination.payload(event, Consent.GRANTED, now=now) for event in events
        ]
        lines = [json.dumps(message) for message in messages]
        runs[f"{name}, json.loads for comparison"] = lambda lines=lines: [
            json.loads(line) for line in lines
        ]
    times: dict[str, list[float]] = {name: [] for name in runs}
    gc.disable()
    for _ in range(ROUNDS):
        for name, run in runs.items():
            times[name].append(timed(run))
        gc.collect()
    print(f"{MESSAGES} messages, median of {ROUNDS} rounds")
    print(f"{'':34}{'us/message':>12}")
    for name, values in times.items():
        print(f"{name:34}{statistics.median(values):12.1f}")


if __name__ == "__main__":
    main()
