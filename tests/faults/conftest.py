from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import time

import pytest

from capi_plugins.builtin.http import HttpSender
from capi_plugins.sandbox import Sandbox
from tests.core.test_http import Server as WireServer
from tests.faults.serving import EXIT_TIMEOUT, Server, environment, missing, set_up
from tests.faults.shop_settings import settings
from tests.faults.shops import PATIENT, Shop
from tests.faults.small_shop import SmallShop
from tests.on_django.conftest import (  # noqa: F401 - fixtures
    configure,
    engine,
    engines,
    recorder,
    tables,
    view,
)
from tests.outbox.conftest import open_outbox, others, path  # noqa: F401 - fixtures


def pytest_addoption(parser):
    parser.addoption("--fault", help="only the tests of this fault of docs/faults.md, such as A3")


def pytest_collection_modifyitems(config, items):
    wanted = config.getoption("--fault", None)
    if wanted:
        items[:] = [
            item
            for item in items
            if any(wanted in mark.args for mark in item.iter_markers("fault"))
        ]


@pytest.fixture
def sandbox():
    with Sandbox(limit=1_000_000) as running:
        yield running


@pytest.fixture(scope="session")
def databases(tmp_path_factory):
    """Returns a function that gives the database of a shop, made once: nobody writes to it."""
    made = {}

    def databases(shop):
        if shop not in made:
            path = tmp_path_factory.mktemp("shops") / f"{shop}.sqlite3"
            set_up(shop, path)
            made[shop] = path
        return made[shop]

    return databases


@pytest.fixture
def box(tmp_path):
    return tmp_path / "box" / "outbox.sqlite3"


@pytest.fixture
def serve(tmp_path, databases, sandbox, box):
    """Returns a function that runs a shop behind a server."""
    running = []

    def serve(server, shop="flask", **delivery):
        needed = {"flask": ("flask_login", "flask_sqlalchemy", "flask_wtf"), "django": ()}[shop]
        for module in (*needed, *(name for name in ("gevent", "uvicorn_worker") if name in server)):
            if importlib.util.find_spec(module) is None:
                missing(f"{module} is not installed")
        wanted = {
            "OUTBOX": f"sqlite:///{box}",
            "TIMEOUT": 60,
            "EXIT_TIMEOUT": EXIT_TIMEOUT,
            "MAX_ATTEMPTS": 1000,
            **delivery,
        }
        environ = environment(shop, databases(shop), sandbox.url, wanted)
        running.append(Server(server, shop, environ, tmp_path / "server.log"))
        return running[-1]

    yield serve
    for server in running:
        server.close()


@pytest.fixture
def run_shop(tmp_path, sandbox, path):  # noqa: F811
    """Returns a function that runs a shop without the web, see ``shops.py``."""
    shops = []

    def run_shop(per_second=40.0, environ=(), **delivery):
        wanted = settings(sandbox.url, path, **{**PATIENT, **delivery})
        shops.append(Shop(tmp_path, wanted, f"shop{len(shops)}", per_second, **dict(environ)))
        return shops[-1]

    run_shop.all = shops
    yield run_shop
    for shop in shops:
        if shop.process.poll() is None:
            shop.process.send_signal(signal.SIGCONT)
            shop.kill()


@pytest.fixture
def open_shop(sandbox, box):
    """Returns a function that opens a small shop, whose outbox is the file at ``box``."""
    opened = []

    def small_shop(*, url=None, outbox=None, clock=time.time, meta=(), **delivery):
        wanted = settings(url or sandbox.url, outbox or box, **delivery)
        wanted["DESTINATIONS"]["meta"].update(meta)
        opened.append(SmallShop(wanted, clock))
        return opened[-1]

    yield small_shop
    for shop in opened:
        shop.close()


# ---------------------------------------------------------------------- the wire


@pytest.fixture
def no_proxy_from_outside(monkeypatch):
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith("SSL_CERT"):
            monkeypatch.delenv(name)


@pytest.fixture
def opened():
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def listen(opened):
    """Returns a function that runs a server whose answers a function of the test gives."""

    def listen(handle):
        server = WireServer(handle)
        opened.callback(server.close)
        return server

    return listen


@pytest.fixture
def sender():
    made = HttpSender()
    yield made
    made.capi_shutdown()
