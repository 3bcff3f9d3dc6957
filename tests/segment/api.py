"""The sources of a client, asked as an adapter asks them; nothing is sent."""

from __future__ import annotations

import base64
import io
import json
import time

import attrs

from capi_plugins import configure, signals
from capi_plugins.http_context import request_context
from capi_plugins.outbox.memory import MemoryOutbox
from capi_plugins.receiving import respond

BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/126.0.0.0 Safari/537.36"
KEY = "web-key"
ORDER = {
    "type": "track",
    "event": "Order Completed",
    "messageId": "m-1",
    "userId": "u-1",
    "properties": {"revenue": 25, "currency": "EUR", "products": [{"product_id": "p"}]},
}
BASIC = "Basic " + base64.b64encode(f"{KEY}:".encode()).decode()
SECRET = "a shared secret"
SEGMENT = {"WRITE_KEYS": [KEY], "WEBHOOKS": {"segment": [SECRET]}}
PAGE = {
    "user-agent": BROWSER,
    "origin": "https://shop.example",
    "sec-fetch-site": "same-origin",
    "sec-fetch-mode": "cors",
    "referer": "https://shop.example/thanks?order=1",
    "cookie": "_fbp=fb.1.1700000000000.1234567890",
}


@attrs.define
class Answer:
    """What was answered, the payloads that were queued, and why there are not more."""

    status: int
    headers: dict
    data: object
    events: list
    reasons: list
    body: bytes


class Api:
    """A client whose outbox can be looked into.

    Args:
        clock: Seconds since the epoch.
        **settings: Changes to its settings.
    """

    def __init__(self, clock=time.time, **settings):
        segment = {"WRITE_KEYS": [KEY], **settings.pop("SEGMENT", {})}
        raw = {
            "DESTINATIONS": {"meta": {"DATASET_ID": "1", "ACCESS_TOKEN": "t"}},
            "CONSENT": {"DEFAULT": "granted"},
            "DELIVERY": {"OUTBOX": "memory", "WORKER": "external"},
            "AUTOLOAD": False,
            "SEGMENT": segment,
            **settings,
        }
        self.outbox = MemoryOutbox(max_deliveries=100_000, max_bytes=100_000_000)
        outboxes = {"memory": lambda _: self.outbox}
        self.client = configure(raw, environ={}, outboxes=outboxes, clock=clock)

    def waiting(self):
        taken = self.outbox.take("meta", limit=10_000, max_bytes=100_000_000, now=time.time())
        self.outbox.delivered(taken)
        return [json.loads(item.payload) for item in taken]

    def __call__(self, path, body=b"", method="POST", address="203.0.113.9", read=None, **headers):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        context = request_context(
            method=method,
            url=f"https://shop.example/capi/{path}",
            headers=headers,
            remote_addr=address,
            trusted_proxies=0,
        )
        reasons = []

        def note(_sender, *, reason, **_):
            reasons.append(reason)

        with signals.event_dropped.connected_to(note, sender=self.client):
            answer = respond(self.client, path, context, read or io.BytesIO(body).read)
        data = json.loads(answer.body) if answer.body else None
        headers = dict(answer.headers)
        return Answer(answer.status, headers, data, self.waiting(), reasons, answer.body)
