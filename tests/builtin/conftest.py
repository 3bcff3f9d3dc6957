from __future__ import annotations

import pytest

from capi_plugins import configure
from capi_plugins.builtin.consent import make_reader
from capi_plugins.destinations.base import Destination, Outcome, Payload, Request, Response, Verdict
from capi_plugins.hookspecs import hookimpl
from capi_plugins.http_context import request_context


class Notebook(Destination):
    """Takes any event and sends nothing."""

    KIND = "notebook"

    def payload(self, event, consent, *, now):
        return Payload(body=f"{event.event_name} {consent.value}".encode())

    def request(self, deliveries):
        return Request(url="http://127.0.0.1/")

    def outcome(self, response, deliveries):
        return Outcome(verdict=Verdict.DELIVERED)


class OffersNotebook:
    @hookimpl
    def capi_destination_types(self):
        return [Notebook]

    @hookimpl
    def capi_send(self, request):
        return Response(status=200)


@pytest.fixture
def make_client():
    """A client of the whole pipeline, with a destination that accepts everything."""
    clients = []

    def make(consent="granted", **settings):
        raw = {
            "DESTINATIONS": {"notebook": {}},
            "CONSENT": consent if isinstance(consent, dict) else {"DEFAULT": consent},
            "PLUGINS": [OffersNotebook()],
            "AUTOLOAD": False,
            **settings,
        }
        clients.append(configure(raw, environ={}))
        return clients[-1]

    yield make
    for client in clients:
        client.close(0)


@pytest.fixture
def make_context():
    """A request as an adapter tells it: a visitor with a browser, unless said otherwise."""

    def make(url="https://shop.example/p/1", *, method="GET", headers=None, **fields):
        told = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0.0.0", **(headers or {})}
        fields = {"remote_addr": "203.0.113.7", "trusted_proxies": 0, **fields}
        return request_context(method=method, url=url, headers=told, **fields)

    return make


@pytest.fixture
def decide():
    """What one source says of a cookie header and other headers."""

    def ask(source, cookie="", **headers):
        problems = []
        read = make_reader(source, "CAPI['CONSENT']['SOURCES'][0]", problems)
        assert problems == []
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return read(
            request_context(
                method="GET",
                url="https://shop.example/",
                headers={"cookie": cookie, **names},
                remote_addr=None,
                trusted_proxies=0,
            )
        )

    return ask
