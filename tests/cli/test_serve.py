"""``capi serve``."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from capi_plugins.cli import serve_command
from capi_plugins.sandbox import Sandbox

pytest.importorskip("waitress")
BASIC = "Basic " + base64.b64encode(b"web:").decode()
ORDER = {"event": "Order Completed", "messageId": "m-1", "userId": "u", "properties": {"revenue": 5,
         "currency": "EUR"}}  # fmt: skip
LIMIT = 30.0


@pytest.fixture
def sandbox():
    with Sandbox() as running:
        yield running


@pytest.fixture
def serve(tmp_path, sandbox):
    """Returns a function that starts the command, and gives the process and the port."""
    running = []

    def serve(*arguments, seconds=None, **changes):
        settings = {
            "DELIVERY.OUTBOX": f"sqlite:///{tmp_path / 'outbox.sqlite3'}",
            "SEGMENT.WRITE_KEYS": ["web"],
            **changes,
        }
        lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
        (tmp_path / "capi.toml").write_text(
            "\n".join(
                [
                    'DESTINATIONS.meta.DATASET_ID = "1234567890"',
                    'DESTINATIONS.meta.ACCESS_TOKEN = "t"',
                    f'DESTINATIONS.meta.API_URL = "{sandbox.url}"',
                    'CONSENT.DEFAULT = "granted"',
                    *lines,
                ]
            )
        )
        code = "import sys, capi_plugins.cli as c; sys.exit(c.main())"
        if seconds is not None:
            shorter = f"import capi_plugins.cli.serve_command as s; s.REQUEST_SECONDS = {seconds}; "
            code = shorter + code
        process = subprocess.Popen(
            [sys.executable, "-c", code, "--config", str(tmp_path / "capi.toml"), "serve",
             "--port", "0", *arguments],
            stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        running.append(process)
        first = process.stderr.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", first)
        assert found, first + process.stderr.read()
        return process, int(found[1])

    yield serve
    for process in running:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.communicate(timeout=LIMIT)


def ask(port, method, path, body=None, **headers):
    """Ask as a library does: again, while the outbox cannot be written, as on a busy machine."""
    deadline = time.monotonic() + LIMIT
    while (answer := ask_once(port, method, path, body, **headers))[0] == 503:
        assert time.monotonic() < deadline, answer
    return answer


def ask_once(port, method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
    with contextlib.closing(connection):
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or "null")


@pytest.mark.parametrize("where", ["/v1/track", "/capi/v1/track"])
def test_what_is_sent_is_delivered(serve, sandbox, where):
    _, port = serve()
    assert ask(port, "GET", "/health") == (200, {"ok": True})
    answer = ask(port, "POST", where, json.dumps(ORDER), Authorization=BASIC)
    assert answer == (200, {"success": True})
    (event,) = sandbox.wait_for(1)
    assert (event.name, event.payload["event_id"]) == ("Purchase", "m-1")
    assert sandbox.refused == []


def test_what_was_answered_survives_the_end_of_the_process(serve, sandbox):
    process, port = serve()
    sandbox.stop()
    assert ask(port, "POST", "/v1/t", json.dumps(ORDER), Authorization=BASIC)[0] == 200
    process.kill()
    process.wait(LIMIT)
    sandbox.start()
    serve()
    assert [event.name for event in sandbox.wait_for(1)] == ["Purchase"]


def test_it_ends_when_it_is_told_to(serve):
    process, port = serve()
    assert ask(port, "POST", "/v1/t", json.dumps(ORDER), Authorization=BASIC)[0] == 200
    process.send_signal(signal.SIGTERM)
    assert process.wait(LIMIT) == 0
    assert "Stopped" in process.stderr.read()


def test_a_request_that_drips_is_cut_off(serve):
    _, port = serve(seconds=1)
    with socket.create_connection(("127.0.0.1", port), timeout=LIMIT) as connection:
        connection.sendall(b"POST /v1/t HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        connection.settimeout(0.1)
        began = time.monotonic()
        while time.monotonic() - began < LIMIT:
            try:
                connection.sendall(b"x")
                if connection.recv(100) == b"":
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        assert time.monotonic() - began < LIMIT
    assert ask(port, "GET", "/health")[0] == 200


def test_slow_senders_do_not_keep_others_out(serve):
    _, port = serve("--threads", "1")
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            slow = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            slow.sendall(b"POST /v1/t HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx")
        assert ask(port, "POST", "/v1/t", json.dumps(ORDER), Authorization=BASIC)[0] == 200


def test_the_client_is_found_behind_a_proxy(serve, sandbox):
    _, port = serve(TRUSTED_PROXIES=1)
    body = json.dumps({**ORDER, "context": {"direct": True}})
    headers = {"Authorization": BASIC, "X-Forwarded-For": "203.0.113.9"}
    assert ask(port, "POST", "/v1/t", body, **headers)[0] == 200
    (event,) = sandbox.wait_for(1)
    assert event.payload["user_data"]["client_ip_address"] == "203.0.113.9"


def test_too_much_is_refused(serve):
    _, port = serve()
    assert ask(port, "POST", "/v1/b", b" " * 600_000, Authorization=BASIC)[0] == 413


def test_memory_is_warned_of(serve):
    process, _ = serve(**{"DELIVERY.OUTBOX": "memory"})
    assert "Events wait in memory" in process.stderr.readline()


def run(tmp_path, text, *arguments):
    (tmp_path / "capi.toml").write_text(text)
    command = "import sys, capi_plugins.cli as c; sys.exit(c.main())"
    return subprocess.run(
        [sys.executable, "-c", command, "--config", str(tmp_path / "capi.toml"), "serve",
         *arguments],
        capture_output=True,
        text=True,
        env={**os.environ},
        timeout=LIMIT,
        check=False,
    )  # fmt: skip


def test_with_nobody_who_may_send_it_does_not_begin(tmp_path):
    done = run(tmp_path, 'CONSENT.DEFAULT = "denied"')
    assert done.returncode == 2
    assert "SEGMENT.WRITE_KEYS" in done.stderr


def test_a_port_that_is_taken_is_said(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = run(
            tmp_path, 'CONSENT.DEFAULT = "denied"\nSEGMENT.WRITE_KEYS = ["w"]', "--port", port
        )
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr


def test_without_waitress_it_says_what_to_install():
    assert "capi-plugins[serve]" in serve_command.INSTALL
