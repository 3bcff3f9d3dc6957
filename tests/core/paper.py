"""A destination made of paper: its "wire" is a Python function, so that tests decide the answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from capi_plugins import Client, Consent, Event, InvalidEvent, configure, hookimpl
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

VERDICTS = {
    200: Verdict.DELIVERED,
    400: Verdict.SPLIT,
    401: Verdict.STOP,
    429: Verdict.THROTTLED,
}
NOW = 1_800_000_000.0
OK = Response(status=200)


class Clock:
    """Seconds since the epoch, moved by hand."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class Paper(Destination):
    KIND = "paper"
    OPTIONS = (
        Option(name="TOKEN", required=True, secret=True, env=True),
        Option(name="REGION", default="eu"),
        Option(name="SIZE", types=(int, float)),
    )

    def payload(self, event: Event, consent: Consent, *, now: float) -> Payload:
        if event.event_name == "Refused":
            raise InvalidEvent("paper refuses this name")
        if event.event_name == "Crash":
            raise ZeroDivisionError("jane@example.com")
        body = {
            "name": event.event_name,
            "id": event.event_id,
            "time": event.event_time,
            "email": event.user_data.email,
            "value": event.custom_data.value,
            "url": event.event_source_url,
            "consent": consent.value,
        }
        return Payload(body=json.dumps(body).encode(), expires_at=now + 7 * 86400)

    def request(self, deliveries: Sequence[Delivery]) -> Request:
        body = b"[" + b",".join(delivery.payload for delivery in deliveries) + b"]"
        return Request(url=f"http://paper.invalid/{self.name}", body=body)

    def outcome(self, response: Response, deliveries: Sequence[Delivery]) -> Outcome:
        verdict = VERDICTS.get(response.status, Verdict.RETRY)
        after = response.headers.get("retry-after")
        return Outcome(
            verdict=verdict,
            reason=f"answer {response.status}",
            retry_after=float(after) if after else None,
        )


Answer = Callable[[list[dict[str, Any]], str], Response]


class Post:
    """The plugin that brings the destination, and is its wire.

    Args:
        answer: Called with the events of a request and the destination's name.
    """

    def __init__(self, answer: Answer | None = None) -> None:
        self.answer = answer or (lambda events, destination: OK)
        self.requests: list[list[dict[str, Any]]] = []
        self.lock = threading.Lock()

    @hookimpl
    def capi_destination_types(self) -> list[type[Destination]]:
        return [Paper]

    @hookimpl(tryfirst=True)
    def capi_send(self, request: Request, destination: Destination) -> Response:
        events = json.loads(request.body)
        with self.lock:
            self.requests.append(events)
        return self.answer(events, destination.name)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for request in self.requests for event in request]


def paper_settings(post: Post, *plugins: object, **settings: Any) -> dict[str, Any]:
    return {
        "DESTINATIONS": {"paper": {"TOKEN": "t0ken"}},
        "CONSENT": {"DEFAULT": "granted"},
        "DELIVERY": {"OUTBOX": "immediate"},
        "PLUGINS": [*plugins, post],
        "PAGE_VIEW": False,
        "AUTOLOAD": False,
        **settings,
    }


def paper_client(
    post: Post,
    *plugins: object,
    clock: Callable[[], float] | None = None,
    options: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Client:
    """Make a client that delivers to paper at once, unless settings say otherwise."""
    more = dict(options or {})
    if clock is not None:
        more["clock"] = clock
    return configure(paper_settings(post, *plugins, **settings), environ={}, **more)
