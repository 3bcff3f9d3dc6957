"""Hosts of several processes behind real HTTP, with each kind of outbox."""

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

from capi_plugins.sandbox import Sandbox
from tests.on_django import databases, test_servers
from tests.on_django.conftest import PROJECT

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
UVICORN = [
    *(sys.executable, "-m", "uvicorn", "bookshop.asgi:application"),
    *("--port", "{port}", "--workers", "2"),
]


class Host:
    """A host behind two processes that can be killed and started again."""

    def __init__(self, command, folder, environ, rows):
        self.command = command
        self.folder = folder
        self.environ = environ
        self.rows = rows
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


def on_postgresql(folder, capi, command=(*GUNICORN, "--workers", "2", "bookshop.wsgi")):
    database = databases.made("postgresql", folder)
    capi["DELIVERY"] = {"OUTBOX": "database"}
    environ = test_servers.environment(
        folder,
        BOOKSHOP_CAPI=json.dumps(capi),
        BOOKSHOP_DATABASES=json.dumps({"default": database}),
    )
    migrate(environ)

    def rows(table):
        name = {"held": "capi_django_heldevent", "delivery": "capi_django_waitingdelivery"}[table]
        where = f"host=127.0.0.1 user=postgres dbname={database['NAME']}"
        with psycopg.connect(where, connect_timeout=5) as connection:
            return connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]

    return (
        Host(command, PROJECT, environ, rows),
        lambda: databases.removed("postgresql", database),
    )


def on_asgi(folder, capi):
    return on_postgresql(folder, capi, UVICORN)


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

    def rows(table):
        with contextlib.closing(sqlite3.connect(file, timeout=20)) as connection:
            return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]

    command = [*GUNICORN, "--workers", "2", "host:app"]
    return Host(command, folder, environ, rows), lambda: None


def migrate(environ):
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "-v0"], cwd=PROJECT, env=environ, check=True
    )


HOSTS = {
    "django postgresql": on_postgresql,
    "django ASGI": on_asgi,
    "django memory": in_memory,
    "flask": in_sqlite,
}


@contextlib.contextmanager
def serving(name, folder, **settings):
    """Run a host whose settings are those of the other tests and these.

    Yields:
        The host, and the sandbox that it sends to.
    """
    with Sandbox() as sandbox:
        capi = json.loads(test_servers.settings_for(sandbox)) | settings
        host, remove = HOSTS[name](folder, capi)
        host.start()
        try:
            yield host, sandbox
        finally:
            host.stop(signal.SIGTERM)
            remove()
