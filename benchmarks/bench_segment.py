"""What one Segment message costs: to events, to the bytes that are posted, and by HTTP.

    pip install -e '.[serve]' segment-analytics-python
    python benchmarks/bench_segment.py

The messages are orders of a website with traits, cookies and three products, and orders of a phone
with its device. Rounds alternate; figures are medians of processor time. Beside them stand
Segment's own destination, in Node, with the same messages (``npm`` fetches it; where there is none,
that line is missing), and what Segment's library for Python takes to make and queue an order.

Ingest is measured with requests as the libraries send them, from the raw body to the answer; the
outbox is a SQLite file, written before each answer.
"""

from __future__ import annotations

import gc
import io
import json
import logging
import shutil
import statistics
import subprocess
import tarfile
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from capi_plugins import RequestContext, configure
from capi_plugins.consent import Consent
from capi_plugins.destinations.meta.destination import MetaDestination
from capi_plugins.receiving import respond
from capi_plugins.segment import Converter

logging.disable(logging.WARNING)
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
    started = time.process_time()
    function()
    return (time.process_time() - started) / MESSAGES * 1e6


def by_segments_library(number: int):
    from segment.analytics.client import Client

    client = Client("key", send=False)
    message = order(number, 0)

    def track() -> None:
        for _ in range(MESSAGES):
            client.track(
                message["userId"],
                message["event"],
                dict(message["properties"]),
                dict(message["context"]),
            )

    return track


# Its other 150 destinations bring hundreds of packages: these are what this one needs.
DESTINATION = "@segment/action-destinations@3.497.0"
NEEDS = ("@segment/actions-core@3.170.0", "liquidjs@10", "lodash@4", "fast-uri@3.0.6")


def by_segments_destination() -> float | None:
    """Return the microseconds a message takes in Segment's own destination; None without npm."""
    if shutil.which("npm") is None:
        return None
    quiet = ("--silent", "--no-audit", "--no-fund", "--ignore-scripts")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "install", *quiet, *NEEDS], cwd=folder, check=True)
        subprocess.run(
            ["npm", "pack", *quiet, DESTINATION], cwd=folder, check=True, capture_output=True
        )
        with tarfile.open(next(Path(folder).glob("*.tgz"))) as packed:
            packed.extractall(folder, filter="data")
        now = int(time.time())
        sent_at = datetime.fromtimestamp(now, UTC).isoformat()
        messages = [of_website(number, now) | {"timestamp": sent_at} for number in range(MESSAGES)]
        file = Path(folder, "messages.jsonl")
        file.write_text("\n".join(map(json.dumps, messages)))
        script = Path(__file__).with_name("segment_destination.js")
        said = subprocess.run(
            ["node", script, folder, file, str(ROUNDS)], check=True, capture_output=True, text=True
        )
    answer = json.loads(said.stdout)
    assert answer["event_name"] == "Purchase", answer
    return answer["microseconds"]


def ingest(folder: str, batch: int, total: int) -> float:
    """Return messages a second and core that arrive by HTTP, in batches of a size."""
    capi = {
        "DESTINATIONS": {"meta": {"DATASET_ID": "1", "ACCESS_TOKEN": "token"}},
        "CONSENT": {"DEFAULT": "granted"},
        "DELIVERY": {"OUTBOX": f"sqlite:///{folder}/{batch}.sqlite3", "WORKER": "external"},
        "SEGMENT": {"WRITE_KEYS": ["web"], "RATE": 0},
        "AUTOLOAD": False,
    }
    client = configure(capi, environ={})
    now = int(time.time())
    messages = [of_website(number, now) for number in range(total)]
    parts = [messages[start : start + batch] for start in range(0, total, batch)]
    bodies = [json.dumps({"batch": part, "writeKey": "web"}).encode() for part in parts]
    context = RequestContext(method="POST", url="https://shop.example/capi/v1/b")
    started = time.process_time()
    for body in bodies:
        answer = respond(client, "v1/b", context, io.BytesIO(body).read)
        assert answer.status == 200, answer
    took = time.process_time() - started
    assert client.stats().waiting == total, client.stats()
    client.close(0)
    return total / took


def report_ingest() -> None:
    print(f"{'HTTP ingest to a SQLite outbox':40}{'messages/s and core':>20}")
    with tempfile.TemporaryDirectory() as folder:
        for batch, total in ((1, 500), (20, 2000), (100, 4000)):
            print(f"{f'requests of {batch}':40}{ingest(folder, batch, total):20,.0f}")


def measured() -> dict[str, float]:
    """Return the microseconds that a message takes, by what is done with it."""
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
    runs["Segment's own library, track()"] = by_segments_library(1)
    times: dict[str, list[float]] = {name: [] for name in runs}
    gc.disable()
    for _ in range(ROUNDS):
        for name, run in runs.items():
            times[name].append(timed(run))
        gc.collect()
    gc.enable()
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    costs = measured()
    in_node = by_segments_destination()
    if in_node is not None:
        costs["website, Segment's destination in Node"] = in_node
    print(f"{MESSAGES} messages, median of {ROUNDS} rounds")
    print(f"{'':40}{'us/message':>12}")
    for name, cost in costs.items():
        print(f"{name:40}{cost:12.1f}")
    print()
    report_ingest()


if __name__ == "__main__":
    main()
