from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import types
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from capi_plugins import Client, Event, configure
from capi_plugins.sandbox import Sandbox

BROKERS = {
    "amqp": "amqp://guest:guest@127.0.0.1:5672//",
    "redis": "redis://127.0.0.1:6379/9",
}
PORTS = {"amqp": 5672, "redis": 6379}


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 2):
        return True
    return False


@pytest.fixture(params=list(BROKERS))
def broker(request: pytest.FixtureRequest) -> str:
    port = PORTS[request.param]
    if os.environ.get("CAPI_REQUIRE_SERVICES") != "1" and not _listens(port):
        pytest.skip(f"nothing listens on 127.0.0.1:{port}, where {request.param} is expected")
    return BROKERS[request.param]


@pytest.fixture
def queue() -> str:
    return f"capi-test-{uuid.uuid4().hex}"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def settings(sandbox: Sandbox, tmp_path: Path) -> dict[str, Any]:
    return {
        "DESTINATIONS": {
            "meta": {"DATASET_ID": "1", "ACCESS_TOKEN": "secret-token", "API_URL": sandbox.url}
        },
        "CONSENT": {"DEFAULT": "granted"},
        "DELIVERY": {
            "OUTBOX": f"sqlite:///{tmp_path}/box/outbox.sqlite3",
            "WORKER": "celery",
            "CELERY_APP": "capi_test_shop.app",
        },
        "PAGE_VIEW": False,
        "AUTOLOAD": False,
    }


@pytest.fixture
def web(
    settings: dict[str, Any], queue: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], Client]]:
    """Stands for a web process that knows a broker."""
    from celery import Celery

    made: list[tuple[Client, Celery]] = []

    def web(url: str) -> Client:
        module = types.ModuleType("capi_test_shop")
        module.app = app = Celery("shop", broker=url, set_as_current=False)
        app.conf.task_default_queue = queue
        monkeypatch.setitem(sys.modules, "capi_test_shop", module)
        made.append((configure(settings, environ={}), app))
        return made[-1][0]

    yield web
    for client, app in made:
        client.close(0)
        if app.conf.broker_url in BROKERS.values():
            with app.connection_for_write() as connection, contextlib.suppress(Exception):
                connection.default_channel.queue_delete(queue)
        app.close()


@pytest.fixture
def worker(
    settings: dict[str, Any], queue: str, tmp_path: Path
) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """A Celery worker with two children, ready to work."""
    running: list[subprocess.Popen[bytes]] = []

    def worker(broker: str, *, sweep: float | None = None) -> subprocess.Popen[bytes]:
        log = tmp_path / f"worker-{len(running)}.log"
        beat = ["-B", "-s", str(tmp_path / "beat")] if sweep else []
        # A name of its own: RabbitMQ lets nobody else listen for what is said to a node.
        node = ["-n", f"{queue}-{len(running)}@%h"]
        arguments = ["-A", "celery_host", "worker", "-c", "2", "-l", "INFO", "-f", str(log), *node]
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "celery", *arguments, "--without-mingle", *beat],
            cwd=Path(__file__).parent,
            env={
                **os.environ,
                "BROKER": broker,
                "QUEUE": queue,
                "SWEEP": str(sweep or 3600),
                "SETTINGS": json.dumps(settings),
                "NO_PROXY": "127.0.0.1",
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        running.append(process)
        deadline = time.monotonic() + 30
        while not (log.exists() and " ready." in log.read_text()):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
        return process

    yield worker
    for process in running:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a worker and all of its children at once."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def lead() -> Callable[..., float]:
    """Captures events; returns the longest time that one of them took, seconds."""

    def lead(client: Client, *event_ids: str) -> float:
        longest = 0.0
        for event_id in event_ids:
            event = {"event_name": "Lead", "event_id": event_id, "action_source": "email"}
            data = {"email": f"{event_id}@example.com"}
            made = Event.from_dict({**event, "user_data": data}, now=time.time())
            began = time.perf_counter()
            client.capture(made)
            longest = max(longest, time.perf_counter() - began)
        return longest

    return lead
