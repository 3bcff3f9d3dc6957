"""What undecided visitors do is held by several processes, over real HTTP, until they decide."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time

import httpx
import psycopg
import pytest

from capi_plugins.sandbox import Sandbox
from tests.on_django import databases, test_servers
from tests.on_django.conftest import PROJECT

CONSENT = {
    "DEFAULT": "hold",
    "SOURCES": [{"COOKIE": "ads"}, {"SOURCE": "gpc", "OPT_OUT": "limited"}],
}
FLASK_HOST = """
import json, os
from capi_flask import Capi
from flask import Flask

app = Flask(__name__)
app.config["CAPI"] = json.loads(os.environ["BOOKSHOP_CAPI"])
Capi(app)


@app.get("/book/<slug>/")
def book(slug):
    return f"<html><head></head><body>{slug}</body></html>"
"""
GUNICORN = [sys.executable, "-m", "gunicorn", "-b", "127.0.0.1:{port}", "--graceful-timeout", "5"]


class Host:
    """A host behind two processes that can be killed and started again."""

    def __init__(self, command, folder, environ, held):
        self.command = command
        self.folder = folder
        self.environ = environ
        self.held = held
        self.process = None
        self.port = None

    def start(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        command = [part.format(port=self.port) for part in self.command]
        self.process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert self.process.poll() is None
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.05)
        raise TimeoutError

    def stop(self, number):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)
        self.process.wait(30)

    def visitor(self):
        return httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}",
            headers={
                "User-Agent": test_servers.VISITOR["User-Agent"],
                "X-Forwarded-For": "203.0.113.9",
                "Accept": "text/html",
            },
            trust_env=False,
            timeout=30,
        )


def on_postgresql(folder, capi):
    database = databases.made("postgresql", folder)
    capi["DELIVERY"] = {"OUTBOX": "database"}
    environ = test_servers.environment(
        folder,
        BOOKSHOP_CAPI=json.dumps(capi),
        BOOKSHOP_DATABASES=json.dumps({"default": database}),
    )
    migrate(environ)

    def held():
        where = f"host=127.0.0.1 user=postgres dbname={database['NAME']}"
        with psycopg.connect(where, connect_timeout=5) as connection:
            return connection.execute("SELECT count(*) FROM capi_django_heldevent").fetchone()[0]

    command = [*GUNICORN, "--workers", "2", "bookshop.wsgi"]
    return (
        Host(command, PROJECT, environ, held),
        lambda: databases.removed("postgresql", database),
    )


def in_memory(folder, capi):
    environ = test_servers.environment(folder, BOOKSHOP_CAPI=json.dumps(capi))
    migrate(environ)
    # What one process has in its memory another one cannot release.
    command = [*GUNICORN, "--workers", "1", "bookshop.wsgi"]
    return Host(command, PROJECT, environ, None), lambda: None


def in_sqlite(folder, capi):
    (folder / "host.py").write_text(FLASK_HOST)
    file = folder / "outbox" / "outbox.sqlite3"
    capi["DELIVERY"] = {"OUTBOX": f"sqlite:///{file}"}
    environ = {**os.environ, "BOOKSHOP_CAPI": json.dumps(capi), "PYTHONWARNINGS": ""}

    def held():
        with contextlib.closing(sqlite3.connect(file, timeout=20)) as connection:
            return connection.execute("SELECT count(*) FROM held").fetchone()[0]

    command = [*GUNICORN, "--workers", "2", "host:app"]
    return Host(command, folder, environ, held), lambda: None


def migrate(environ):
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "-v0"], cwd=PROJECT, env=environ, check=True
    )


HOSTS = {"django postgresql": on_postgresql, "django memory": in_memory, "flask": in_sqlite}


@pytest.fixture(scope="module", params=HOSTS)
def served(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("host")
    with Sandbox() as sandbox:
        capi = json.loads(test_servers.settings_for(sandbox))
        capi |= {"CONSENT": CONSENT, "TRIGGERS": []}
        host, remove = HOSTS[request.param](folder, capi)
        host.start()
        try:
            yield host, sandbox
        finally:
            host.stop(signal.SIGTERM)
            remove()


def pages(sandbox, mark):
    return sorted(
        event.payload["event_source_url"].split("/book/")[1].rstrip("/")
        for event in sandbox.accepted("PageView")
        if f"/book/{mark}-" in event.payload["event_source_url"]
    )


def arrive(sandbox, mark, count):
    deadline = time.monotonic() + 30
    while len(pages(sandbox, mark)) < count:
        assert time.monotonic() < deadline, pages(sandbox, mark)
        time.sleep(0.05)
    return pages(sandbox, mark)


def browse(visitor, mark, count):
    for number in range(count):
        assert visitor.get(f"/book/{mark}-{number}/").status_code == 200


def test_what_was_held_arrives_once_when_its_visitor_agrees_and_nobody_elses(served):
    host, sandbox = served
    with host.visitor() as visitor, host.visitor() as other:
        browse(visitor, "mine", 3)
        browse(other, "theirs", 2)
        assert set(visitor.cookies) == {"capi_visit"}
        assert visitor.cookies["capi_visit"] != other.cookies["capi_visit"]
        if host.held:
            assert host.held() == 5
        begun = time.time()
        while time.time() < begun + 1.1:
            # The time of the event is told in seconds.
            time.sleep(0.05)
        visitor.cookies.set("ads", "granted")
        granted_at = int(time.time())
        for _ in range(4):
            browse(visitor, "mine-later", 1)
        assert "capi_visit" not in visitor.cookies
        arrive(sandbox, "mine", 7)
        other.cookies.set("ads", "denied")
        for _ in range(4):
            browse(other, "theirs", 1)
        assert "capi_visit" not in other.cookies
        if host.held:
            assert host.held() == 0
        # What would have been sent by mistake would be there before this.
        visitor.get("/book/last-0/")
        arrive(sandbox, "last", 1)
    assert pages(sandbox, "mine") == ["mine-0", "mine-1", "mine-2", *["mine-later-0"] * 4]
    assert pages(sandbox, "theirs") == []
    times = {
        event.payload["event_source_url"].split("/book/")[1]: event.payload["event_time"]
        for event in sandbox.accepted("PageView")
    }
    assert all(times[f"mine-{number}/"] < granted_at for number in range(3))
    assert sandbox.refused == []


def test_who_limits_the_use_of_data_is_sent_with_limited_data_use_only(served):
    host, sandbox = served
    with host.visitor() as visitor:
        browse(visitor, "limited", 2)
        visitor.headers["Sec-GPC"] = "1"
        browse(visitor, "choice", 1)
    arrive(sandbox, "limited", 2)
    limited = [
        event.payload
        for event in sandbox.accepted("PageView")
        if "/book/limited-" in event.payload["event_source_url"]
    ]
    assert [payload["data_processing_options"] for payload in limited] == [["LDU"], ["LDU"]]


def test_who_is_killed_in_between_has_lost_nothing(served):
    host, sandbox = served
    if host.held is None:
        pytest.skip("memory ends with its process")
    with host.visitor() as visitor:
        browse(visitor, "killed", 3)
        visit = visitor.cookies["capi_visit"]
    host.stop(signal.SIGKILL)
    assert host.held() == 3
    host.start()
    with host.visitor() as visitor:
        visitor.cookies.set("capi_visit", visit)
        visitor.cookies.set("ads", "granted")
        browse(visitor, "back", 1)
    assert arrive(sandbox, "killed", 3) == ["killed-0", "killed-1", "killed-2"]
    assert host.held() == 0
