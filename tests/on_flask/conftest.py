"""Apps as hosts make them, and what became of their events."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence

import flask
import pytest
from capi_flask import Capi

from capi_plugins import Consent, hookimpl
from capi_plugins.destinations.base import Destination, Outcome, Payload, Request, Response, Verdict
from tests.on_flask.host_shop import shop  # noqa: F401 - a fixture


def pytest_configure(config):
    config.addinivalue_line("markers", "may_fail: the library may log errors in this test")


class Recorder(Destination):
    """A destination that keeps neutral events; its answers come from ``RecorderPlugin``."""

    KIND = "recorder"

    def payload(self, event, consent: Consent, *, now: float) -> Payload:
        body = {
            "name": event.event_name,
            "id": event.event_id,
            "url": event.event_source_url,
            "user_data": {
                name: value
                for name in event.user_data.names()
                if name != "client_user_agent"
                and (value := getattr(event.user_data, name)) is not None
            },
            "custom_data": {
                **{
                    name: value
                    for name in event.custom_data.names()
                    if name != "properties" and (value := getattr(event.custom_data, name))
                },
                **{k: v for k, v in event.custom_data.properties.items() if v is not None},
            },
        }
        return Payload(body=json.dumps(body, default=str).encode())

    def request(self, deliveries: Sequence) -> Request:
        body = b"[" + b",".join(item.payload for item in deliveries) + b"]"
        return Request(url="https://recorder.invalid/", body=body)

    def outcome(self, response: Response, deliveries: Sequence) -> Outcome:
        return Outcome(verdict=Verdict.DELIVERED)


class RecorderPlugin:
    """Offers the destination, fills events from their context, and keeps what is sent."""

    def __init__(self) -> None:
        self.events: list[dict] = []
        self.contexts: list = []

    @hookimpl
    def capi_destination_types(self):
        return [Recorder]

    @hookimpl
    def capi_enrich(self, event, context):
        import attrs

        self.contexts.append(context)
        user = attrs.evolve(context.user, client_ip_address=context.client_ip_address)
        return event.fill(user_data=user, event_source_url=context.url)

    @hookimpl(tryfirst=True)
    def capi_send(self, request, destination):
        self.events += json.loads(request.body)
        return Response(status=200)

    def named(self, name: str) -> list[dict]:
        return [event for event in self.events if event["name"] == name]


@pytest.fixture
def recorder():
    return RecorderPlugin()


@pytest.fixture
def capi_config(recorder):
    """Returns a function that makes ``app.config["CAPI"]``, with anything changed."""

    def make(**changes):
        return {
            "DESTINATIONS": {"recorder": {}},
            "CONSENT": {"DEFAULT": "granted"},
            "EXCLUDE": {"bots": False},
            "PAGE_VIEW": False,
            "RECIPES": [],
            "PLUGINS": [recorder],
            "AUTOLOAD": False,
            "DELIVERY": {"OUTBOX": "immediate"},
            **changes,
        }

    return make


@pytest.fixture
def make_app(capi_config):
    """Returns a function that makes an app with the extension."""

    def make(name="shop", *, capi=True, **changes):
        app = flask.Flask(name)
        app.secret_key = "only for tests"
        app.config["CAPI"] = capi_config(**changes)
        if capi:
            Capi(app)
        return app

    return make


@pytest.fixture(autouse=True)
def nothing_failed(caplog, request):
    """No test may make the library log an error, unless it says so with ``may_fail``."""
    caplog.set_level(logging.WARNING, "capi_plugins")
    yield
    if request.node.get_closest_marker("may_fail"):
        return
    errors = [
        record.getMessage()
        for record in caplog.get_records("call")
        if record.name.startswith("capi_plugins") and record.levelno >= logging.ERROR
    ]
    assert errors == []


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path):
    """A fresh, empty database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'shop.sqlite3'}"
        return
    sqlalchemy = pytest.importorskip("sqlalchemy")
    url = "postgresql+psycopg://postgres@127.0.0.1:5432/test"
    schema = f"capi_flask_{os.getpid()}"
    engine = sqlalchemy.create_engine(
        url, connect_args={"connect_timeout": 3, "options": "-c lock_timeout=3s"}
    )
    try:
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text(f"drop schema if exists {schema} cascade"))
            connection.execute(sqlalchemy.text(f"create schema {schema}"))
    except (ImportError, sqlalchemy.exc.OperationalError) as error:
        if os.environ.get("CAPI_REQUIRE_SERVICES") == "1":
            raise
        pytest.skip(f"no PostgreSQL at 127.0.0.1:5432: {type(error).__name__}")
    yield f"{url}?options=-csearch_path%3D{schema}%20-clock_timeout%3D3s"
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text(f"drop schema {schema} cascade"))
    engine.dispose()
