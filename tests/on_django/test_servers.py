"""Real servers, real HTTP, and the sandbox behind them: all give the same events."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlencode

import pytest

from capi_plugins.sandbox import Sandbox

PROJECT = Path(__file__).parent / "project"
SERVERS = {
    "gunicorn sync": ["-m", "gunicorn", "bookshop.wsgi", "-b", "127.0.0.1:{port}"],
    "gunicorn gthread": [
        *("-m", "gunicorn", "bookshop.wsgi", "-b", "127.0.0.1:{port}"),
        *("--threads", "4", "--workers", "2", "--preload"),
    ],
    "uvicorn": ["-m", "uvicorn", "bookshop.asgi:application", "--port", "{port}"],
    "runserver": ["manage.py", "runserver", "127.0.0.1:{port}"],
}
TRIGGERS = [
    {"ON": "request", "ROUTE": "orders:fail", "STATUS": [200, 302], "EVENT": "Schedule"},
    {
        "ON": "request",
        "ROUTE": "book",
        "EVENT": "ViewContent",
        "CUSTOM_DATA": {"content_ids": "kwargs.slug", "currency": "context.shop.currency"},
    },
    {
        "ON": "request",
        "ROUTE": "contact",
        "METHOD": "POST",
        "EVENT": "Lead",
        "USER_DATA": {"email": "form.email"},
    },
    {
        "ON": "signal",
        "SIGNAL": "bookshop.signals.order_placed",
        "EVENT": "InitiateCheckout",
        "EVENT_ID": "order.number",
        "CUSTOM_DATA": {"contents": {"EACH": "order.lines.all", "id": "item.sku"}},
    },
    {
        "ON": "model",
        "MODEL": "bookshop.Order",
        "CHANGED": {"paid": True},
        "EVENT": "Purchase",
        "EVENT_ID": "instance.number",
        "CUSTOM_DATA": {"value": "instance.total", "currency": {"VALUE": "EUR"}},
    },
]
EXPECTED = {
    "PageView": 5,
    "ViewContent": 1,
    "Lead": 1,
    "InitiateCheckout": 1,
    "Purchase": 1,
}
VISITOR = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0",
    "X-Forwarded-For": "203.0.113.9",
    "Cookie": "_fbp=fb.1.1700000000000.1234567890",
}


@pytest.fixture
def sandbox():
    with Sandbox() as running:
        yield running


def environment(tmp_path, **more):
    return {
        **os.environ,
        "BOOKSHOP_DATABASE": str(tmp_path / "shop.sqlite3"),
        "DJANGO_SETTINGS_MODULE": "bookshop.settings",
        "PYTHONPATH": str(PROJECT),
        "PYTHONWARNINGS": "",
        **more,
    }


def settings_for(sandbox):
    return json.dumps(
        {
            "DESTINATIONS": {
                "meta": {
                    "DATASET_ID": "1234567890",
                    "ACCESS_TOKEN": "test-token",
                    "API_URL": sandbox.url,
                }
            },
            "CONSENT": {"DEFAULT": "granted"},
            "TRUSTED_PROXIES": 1,
            "TRIGGERS": TRIGGERS,
            "DELIVERY": {"OUTBOX": "memory"},
        }
    )


@contextlib.contextmanager
def serving(name, environ):
    """Start a server, wait until it answers, and end it with its children."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = [argument.format(port=port) for argument in SERVERS[name]]
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=PROJECT,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        _wait_for(port, process)
        yield port
    finally:
        # The autoreloader of runserver has a child of its own.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 15)
        process.communicate(timeout=20)


def _wait_for(port, process):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(process.communicate()[0].decode())
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    raise TimeoutError(port)


def ask(port, method, path, headers=None, **fields):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    body = urlencode(fields) if fields else None
    sent = {**VISITOR, **(headers or {}), "Host": "shop.example"}
    if body:
        sent["Content-Type"] = "application/x-www-form-urlencoded"
    try:
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        head = sorted((k, v) for k, v in answer.getheaders() if k.lower() not in {"date", "server"})
        content = answer.read()
        return answer.status, head, re.sub(rb"0x[0-9a-f]+", b"0x", content)
    finally:
        connection.close()


def walk(port):
    """A visit of the shop, and all that was answered."""
    return [
        ask(port, "GET", "/"),
        ask(port, "GET", "/async/"),
        ask(port, "GET", "/book/dune/?q=1"),
        ask(port, "GET", "/stream/"),
        ask(port, "GET", "/nowhere/"),
        ask(port, "POST", "/contact/", name="Ada", email="ada@example.com"),
        ask(port, "POST", "/orders/place/", number="A1", email="ada@example.com"),
        ask(port, "GET", "/orders/pay/A1/"),
        ask(port, "POST", "/orders/fail/", number="A2"),
    ]


@pytest.mark.parametrize("name", SERVERS)
def test_every_server_gives_the_same_events_and_answers(name, tmp_path, sandbox):
    ours = environment(tmp_path, BOOKSHOP_CAPI=settings_for(sandbox))
    bare = environment(tmp_path, BOOKSHOP_WITHOUT_CAPI="1")
    answers = []
    for environ in (bare, ours):
        (tmp_path / "shop.sqlite3").unlink(missing_ok=True)
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "-v0"], cwd=PROJECT, env=environ, check=True
        )
        with serving(name, environ) as port:
            answers.append(walk(port))
            if environ is ours:
                received = sandbox.wait_for(sum(EXPECTED.values()))
    assert answers[0] == answers[1]
    assert [status for status, _, _ in answers[0]] == [200] * 4 + [404, 302, 302, 200, 500]
    assert Counter(event.name for event in received) == EXPECTED
    assert sandbox.refused == []
    for event in received:
        assert event.payload["user_data"]["client_ip_address"] == "203.0.113.9"
        assert event.payload["user_data"]["client_user_agent"] == VISITOR["User-Agent"]
        assert event.payload["user_data"]["fbp"] == "fb.1.1700000000000.1234567890"
        assert event.payload["event_source_url"].startswith("http://shop.example/")
    by_name = {event.name: event.payload for event in received}
    assert by_name["Purchase"]["event_id"] == "Purchase.A1"
    assert by_name["Purchase"]["custom_data"]["value"] == 20
    assert by_name["InitiateCheckout"]["custom_data"]["contents"] == [{"id": "B1"}]
    assert by_name["ViewContent"]["custom_data"]["currency"] == "EUR"


@pytest.mark.parametrize("name", ["gunicorn sync", "uvicorn", "runserver"])
def test_wrong_settings_stop_the_server(name, tmp_path):
    environ = environment(
        tmp_path, BOOKSHOP_CAPI='{"DESTINATION": {}, "CONSENTS": {}}', PYTHONUNBUFFERED="1"
    )
    arguments = [argument.format(port=0) for argument in SERVERS[name]]
    if name == "runserver":
        # With the reloader it waits for the mistake to be corrected.
        arguments.append("--noreload")
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=PROJECT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    text = done.stdout + done.stderr
    assert "CAPI['DESTINATION'] is not a setting; did you mean 'DESTINATIONS'?" in text
    assert "CAPI['CONSENTS'] is not a setting; did you mean 'CONSENT'?" in text
