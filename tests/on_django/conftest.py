"""The bookshop, a recorder of what capi_django captures, and real servers."""

from __future__ import annotations

import os
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

PROJECT = Path(__file__).parent / "project"
sys.path.insert(0, str(PROJECT))


def _set_up() -> None:
    """Set Django up without telling processes that other tests start."""
    before = os.environ.get("DJANGO_SETTINGS_MODULE")
    os.environ["DJANGO_SETTINGS_MODULE"] = "bookshop.settings"
    try:
        import django

        django.setup()
    finally:
        del os.environ["DJANGO_SETTINGS_MODULE"]
        if before is not None:
            os.environ["DJANGO_SETTINGS_MODULE"] = before


_set_up()

from django.apps import apps  # noqa: E402 - Django comes first
from django.db import connections  # noqa: E402

from capi_plugins import RequestContext, hookimpl, signals  # noqa: E402
from capi_plugins.destinations.base import Response  # noqa: E402
from capi_plugins.events import Event  # noqa: E402
from tests.on_django import databases  # noqa: E402
from tests.on_django.side_by_side import ada, both  # noqa: E402, F401 - fixtures


@attrs.define
class Recorder:
    """What was captured and what was dropped, in order."""

    captured: list[tuple[Event, RequestContext]] = attrs.field(factory=list)
    dropped: list[str] = attrs.field(factory=list)

    @property
    def events(self) -> list[Event]:
        return [event for event, _ in self.captured]

    @property
    def names(self) -> list[str]:
        return [event.event_name for event in self.events]

    @property
    def context(self) -> RequestContext:
        return self.captured[-1][1]


class Wire:
    """Takes everything, sends nothing."""

    @hookimpl
    def capi_send(self) -> Response:
        return Response(status=200, body=b'{"events_received": 1}')


BASE = {
    "DESTINATIONS": {"meta": {"DATASET_ID": "1234567890", "ACCESS_TOKEN": "test-token"}},
    "CONSENT": {"DEFAULT": "granted"},
    "PAGE_VIEW": False,
    "RECIPES": [],
    "AUTOLOAD": False,
    "DELIVERY": {"OUTBOX": "memory"},
}


@pytest.fixture
def configure(settings) -> Callable[..., dict[str, Any]]:
    """Set ``settings.CAPI``: what every test needs and what this one adds."""

    def set_capi(*triggers: dict[str, Any], **more: Any) -> dict[str, Any]:
        settings.CAPI = {**BASE, "PLUGINS": [Wire()], "TRIGGERS": list(triggers), **more}
        return settings.CAPI

    return set_capi


@pytest.fixture
def protected_forms(settings) -> None:
    """Django's protection of forms, around our middleware."""
    *others, ours = settings.MIDDLEWARE
    settings.MIDDLEWARE = [*others, "django.middleware.csrf.CsrfViewMiddleware", ours]


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    recorder = Recorder()

    def captured(sender: object, *, event: Event, context: RequestContext) -> None:
        recorder.captured.append((event, context))

    def dropped(sender: object, *, event: object, destination: object, reason: str) -> None:
        recorder.dropped.append(reason)

    with (
        signals.event_captured.connected_to(captured),
        signals.event_dropped.connected_to(dropped),
    ):
        yield recorder


@pytest.fixture
def view(monkeypatch) -> Callable[[Callable[..., Any]], None]:
    """Say what ``/do/`` (or ``/async/do/``) does."""
    from bookshop.views import SCENARIO

    return lambda function: monkeypatch.setitem(SCENARIO, "view", function)


@attrs.define
class Tables:
    """A database of its own, with the tables of all apps.

    Attributes:
        alias: Its name in Django.
        settings: How to connect to it.
    """

    alias: str
    settings: dict[str, Any]

    def empty(self) -> None:
        """Remove what tests have left."""
        for label in ("capi_django", "bookshop"):
            # Backwards: what refers to other rows goes first.
            for model in reversed(list(apps.get_app_config(label).get_models())):
                if not model._meta.proxy:
                    model.objects.using(self.alias).all()._raw_delete(self.alias)


@pytest.fixture(params=databases.ENGINES)
def engine(request) -> str:
    return request.param


@pytest.fixture(scope="session")
def engines(tmp_path_factory, django_db_blocker) -> Iterator[Callable[[str], Tables]]:
    """Databases with the tables of all apps, made when they are first asked for."""
    found: dict[str, Tables] = {}

    def find(engine: str) -> Tables:
        if engine not in found:
            # A name of its own: other folders have databases of their own under theirs.
            alias = f"outbox_{engine}_{uuid.uuid4().hex[:8]}"
            settings = databases.made(engine, tmp_path_factory.mktemp("databases"))
            databases.known(alias, settings)
            databases.migrated(alias)
            found[engine] = Tables(alias, settings)
        return found[engine]

    with django_db_blocker.unblock():
        yield find
        for engine, tables in found.items():
            databases.forgotten(tables.alias)
            databases.removed(engine, tables.settings)


@pytest.fixture
def tables(engine, engines, django_db_blocker) -> Iterator[Tables]:
    """An empty database of each engine."""
    with django_db_blocker.unblock():
        found = engines(engine)
        found.empty()
        yield found
        connections[found.alias].close()
    for thread in threading.enumerate():
        if thread.name == "capi-leases":
            # An outbox that nobody closes prolongs its leases in a database that is gone.
            thread.join(20)
            assert not thread.is_alive(), "an outbox was left open"
