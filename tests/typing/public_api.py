"""Checked by mypy and pyright, never run: what a plugin author writes has the types it should."""

from __future__ import annotations

from collections.abc import Sequence

from capi_plugins import (
    Client,
    Consent,
    DropEvent,
    Event,
    RequestContext,
    UserData,
    configure,
    hookimpl,
)
from capi_plugins.destinations.base import Destination, Request, Response

client: Client = configure({"CONSENT": {"DEFAULT": "granted"}})
client.track("Lead", user_data={"email": "a@example.com"})
client.track(Event(event_name="Lead", user_data=UserData(email=["a@example.com"])))
done: bool = bool(client.flush(1.0))


class Plugin:
    @hookimpl
    def capi_consent(self, event: Event, context: RequestContext) -> Consent | None:
        return Consent.DENIED if context.cookies.get("ads") == "no" else None

    @hookimpl
    def capi_enrich(self, event: Event) -> Event | None:
        return event.fill(custom_data={"currency": "EUR"})

    @hookimpl
    def capi_filter(self, event: Event, destination: str) -> Event | None:
        if destination == "meta" and event.event_name == "Secret":
            raise DropEvent("not for Meta")
        return None

    @hookimpl
    def capi_route(self, destinations: Sequence[str]) -> Sequence[str] | None:
        return destinations[:1]

    @hookimpl
    def capi_send(self, request: Request, destination: Destination) -> Response | None:
        return Response(status=200)
