"""The senders of ``bench_delivery.py``: each takes one event after the other, and waits at the end.

The event is the same everywhere: the Purchase of ``bench_payload.py``. All of them keep their own
defaults but for the length of the queue, which has to hold what is offered.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import bench_payload as work

QUEUE = 2_000_000


class Ours:
    """A client with one of the outboxes."""

    outbox = "memory"

    def __init__(self, url: str) -> None:
        from capi_plugins import configure

        self.folder = tempfile.TemporaryDirectory(prefix="capi-bench-")
        self.client = configure(self.settings(url, self.outbox, Path(self.folder.name)))
        self.now = int(time.time())

    @staticmethod
    def settings(url: str, outbox: str, folder: Path, **delivery) -> dict:
        if outbox == "sqlite":
            outbox = f"sqlite:///{folder / 'outbox.sqlite3'}?max_bytes=8000000000"
        return {
            "DESTINATIONS": {"meta": {"DATASET_ID": "1", "ACCESS_TOKEN": "x", "API_URL": url}},
            "CONSENT": {"DEFAULT": "granted"},
            "AUTOLOAD": False,
            "DELIVERY": {
                "OUTBOX": outbox,
                "QUEUE_SIZE": QUEUE,
                "QUEUE_BYTES": 8_000_000_000,
                "EXIT_TIMEOUT": 0,
                **delivery,
            },
        }

    def send(self, number: int) -> None:
        self.client.track(work.our_event(number, self.now))

    def finish(self) -> None:
        assert self.client.flush(timeout=60), self.client.stats()

    def close(self) -> None:
        self.client.close(timeout=0)
        self.folder.cleanup()


class OursInFile(Ours):
    """The same with a SQLite outbox; every event is a commit of its own."""

    outbox = "sqlite"


class Segment:
    def __init__(self, url: str) -> None:
        from segment.analytics.client import Client

        self.client = Client("key", host=url, max_queue_size=QUEUE)

    def send(self, number: int) -> None:
        self.client.track(
            user_id=f"Customer-{number}",
            event="Order Completed",
            properties=bought(number),
            context=visited(number),
        )

    def finish(self) -> None:
        self.client.flush()

    def close(self) -> None:
        self.client.join()


class Rudder(Segment):
    def __init__(self, url: str) -> None:
        from rudderstack.analytics.client import Client

        self.client = Client("key", host=url, max_queue_size=QUEUE)


class PostHog:
    def __init__(self, url: str) -> None:
        from posthog import Posthog

        self.client = Posthog("key", host=url, max_queue_size=QUEUE)

    def send(self, number: int) -> None:
        self.client.capture(
            "Order Completed",
            distinct_id=f"Customer-{number}",
            properties={**bought(number), **visited(number)},
        )

    def finish(self) -> None:
        self.client.flush(timeout_seconds=60)

    def close(self) -> None:
        self.client.shutdown()


class FacebookBusiness:
    """Sends where it is called, as its documentation shows."""

    batch = 1

    def __init__(self, url: str) -> None:
        from facebook_business.adobjects.serverside.event_request import EventRequest
        from facebook_business.api import FacebookAdsApi, FacebookSession

        FacebookSession.GRAPH = url
        FacebookAdsApi.init(access_token="x", crash_log=False)
        self.make = EventRequest
        self.now = int(time.time())
        self.waiting: list = []

    def send(self, number: int) -> None:
        self.waiting.append(work.their_event(number, self.now))
        if len(self.waiting) == self.batch:
            self.finish()

    def finish(self) -> None:
        if self.waiting:
            self.make(pixel_id="1", events=self.waiting).execute()
            self.waiting = []

    def close(self) -> None:
        pass


class FacebookBusiness1000(FacebookBusiness):
    batch = 1000


def bought(number: int) -> dict:
    return {
        "order_id": str(number),
        "total": 142.53,
        "currency": "USD",
        "products": [
            {"product_id": i, "quantity": q, "price": price} for i, q, price in work.CONTENTS
        ],
    }


def visited(number: int) -> dict:
    """What an event of Segment says of the visitor; contact data stays as it is."""
    person = work.person(number)
    return {
        "ip": person.pop("client_ip_address"),
        "userAgent": work.USER_AGENT,
        "page": {"url": work.URL},
        "traits": person,
    }


# Events of a run at 0, 50 and 200 ms: a second or two for each.
SENDERS = {
    "capi-plugins, memory": (Ours, (10_000, 10_000, 5_000)),
    "capi-plugins, SQLite": (OursInFile, (6_000, 6_000, 4_000)),
    "segment, batch 100": (Segment, (4_000, 2_000, 700)),
    "rudder, batch 100": (Rudder, (3_000, 1_500, 600)),
    "posthog, batch 100": (PostHog, (3_000, 1_500, 600)),
    "facebook_business, batch 1": (FacebookBusiness, (250, 25, 6)),
    "facebook_business, batch 1000": (FacebookBusiness1000, (3_000, 3_000, 2_000)),
}
