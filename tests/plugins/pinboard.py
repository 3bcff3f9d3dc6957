"""Another ad network, as its own small plugin: a destination with its own names and rules.

It speaks to a server of the tests over real HTTP, through the built-in sender.
"""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
from collections.abc import Iterable, Sequence
from typing import Any

from capi_plugins import Consent, Event, InvalidEvent, hookimpl
from capi_plugins.destinations.base import (
    Destination,
    Option,
    Outcome,
    Payload,
    Request,
    Response,
    Verdict,
)
from capi_plugins.outbox.base import Delivery

NAMES = {"Purchase": "checkout", "Lead": "lead", "PageView": "page_visit"}


def hashed(email: str) -> str:
    # A host's text may hold what UTF-8 cannot say.
    return hashlib.sha256(email.strip().lower().encode("utf-8", "replace")).hexdigest()


class Pinboard(Destination):
    KIND = "pinboard"
    OPTIONS = (
        Option(name="AD_ACCOUNT", required=True),
        Option(name="KEY", required=True, secret=True, env=True),
        Option(name="URL", default="https://api.pinboard.example"),
    )
    MAX_BATCH = 2

    def payload(self, event: Event, consent: Consent, *, now: float) -> Payload:
        if event.event_name not in NAMES:
            raise InvalidEvent(f"Pinboard knows no {event.event_name}")
        email = event.user_data.email
        body: dict[str, Any] = {
            "event": NAMES[event.event_name],
            "id": event.event_id,
            "limited": consent is Consent.LIMITED,
        }
        if isinstance(email, str):
            body["hashed_email"] = hashed(email)
        return Payload(body=json.dumps(body).encode(), expires_at=event.event_time + 86400 * 3)

    def request(self, deliveries: Sequence[Delivery]) -> Request:
        return Request(
            url=f"{self.options['URL']}/accounts/{self.options['AD_ACCOUNT']}",
            headers={"Authorization": f"Bearer {self.options['KEY']}"},
            body=b"[" + b",".join(item.payload for item in deliveries) + b"]",
        )

    def outcome(self, response: Response, deliveries: Sequence[Delivery]) -> Outcome:
        if response.status == 200:
            return Outcome(verdict=Verdict.DELIVERED)
        if response.status == 401:
            return Outcome(verdict=Verdict.STOP, reason="the key is wrong")
        return Outcome(verdict=Verdict.RETRY, reason=f"HTTP {response.status}")


@hookimpl
def capi_destination_types() -> Iterable[type[Destination]]:
    return [Pinboard]


class PinboardServer:
    """The network's side."""

    def __init__(self) -> None:
        self.batches: list[tuple[str, list[dict[str, Any]]]] = []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                ok = self.headers["Authorization"].startswith("Bearer k")
                if ok:
                    server.batches.append((self.path, json.loads(body)))
                self.send_response(200 if ok else 401)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for _, batch in self.batches for event in batch]

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
