"""Real host apps behind real servers, each with a sandbox of its own behind it."""

from __future__ import annotations

import contextlib
import email.policy
import fcntl
import importlib.util
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from capi_plugins.sandbox import Sandbox

HERE = Path(__file__).parent
LIMIT = 120.0
PACKAGES = {
    "allauth": ("allauth",),
    "djstripe": ("djstripe",),
    "oscar": ("oscar",),
    "payments": ("payments",),
    "registration": ("django_registration", "registration"),
    "salesman": ("salesman",),
    "wagtail": ("wagtail",),
}
SERVERS = {
    "gunicorn": [
        *("-m", "gunicorn", "served:application", "-b", "127.0.0.1:{port}"),
        *("-k", "gthread", "--threads", "4", "--workers", "2", "--no-control-socket"),
    ],
    "uvicorn": ["-m", "uvicorn", "served:asgi_application", "--port", "{port}"],
    "runserver": ["-m", "django", "runserver", "--noreload", "127.0.0.1:{port}"],
}


def needs(*names):
    """Skip a test whose host apps are not installed: not all can be had for every Django."""
    for name in names:
        for package in PACKAGES.get(name, ()):
            if importlib.util.find_spec(package) is None:
                pytest.skip(f"{package} is not installed")


def environment(name, folder, **more):
    kept = ("PATH", "HOME", "LANG", "PYTHONHASHSEED", "VIRTUAL_ENV")
    return {
        **{key: value for key, value in os.environ.items() if key in kept},
        "PYTHONPATH": os.pathsep.join([str(HERE / name), str(HERE / "base")]),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "DJANGO_SETTINGS_MODULE": "host_settings",
        "HOST_PROJECT": str(HERE / name),
        "HOST_FOLDER": str(folder),
        "HOST_CAPI": "on",
        "SANDBOX_URL": "http://127.0.0.1:9",
        **more,
    }


_DJANGO = "import django; django.setup()"
# The server would look for it within a minute.
_DELIVERED = "from capi_django.conf import get_client; assert get_client().flush(30)"


def database(name, root):
    """Return the folder with the database of a host app, made once for all processes."""
    folder = root / f"host-{name}"
    folder.mkdir(exist_ok=True)
    with (root / f"host-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "ready").exists():
            for command in (["-m", "django", "migrate", "--run-syncdb", "-v0"], ["-m", "seed"]):
                done = subprocess.run(
                    [sys.executable, *command],
                    env=environment(name, folder),
                    capture_output=True,
                    text=True,
                    timeout=LIMIT,
                    check=False,
                )
                assert done.returncode == 0, done.stdout + done.stderr
            (folder / "ready").touch()
    return folder


class Host:
    """One host app behind a server.

    Args:
        name: Its folder.
        server: One of ``SERVERS``.
        folder: Where its database is.
        sandbox: What it sends to.
        variant: What the settings make of ``HOST_VARIANT``.
        capi: ``on``, ``off``, or ``hold``, or what is broken: ``hooks``, ``store``.
    """

    def __init__(self, name, server, folder, sandbox, *, variant, capi):
        self.name = name
        self.folder = folder
        self.sandbox = sandbox
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._log = folder / "server.log"
        self.environ = environment(
            name, folder, HOST_CAPI=capi, HOST_VARIANT=variant, SANDBOX_URL=sandbox.url
        )
        with self._log.open("wb") as out:
            self._process = subprocess.Popen(
                [sys.executable, *(part.format(port=port) for part in SERVERS[server])],
                env=self.environ,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self._wait(port)

    def _wait(self, port):
        deadline = time.monotonic() + LIMIT
        while time.monotonic() < deadline:
            assert self._process.poll() is None, self.said()
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                return
            time.sleep(0.05)
        raise TimeoutError(self.said())

    def said(self):
        """The end of what the server has said."""
        return self._log.read_text(errors="replace")[-4000:]

    def manage(self, code):
        """Run a piece of code in the project, as a shell would, and deliver what it captured."""
        done = subprocess.run(
            [sys.executable, "-c", f"{_DJANGO}\n{code}\n{_DELIVERED}"],
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def mailed(self, address, pattern):
        """What a pattern finds in the last mail to somebody in which it finds anything."""
        found = []
        for path in (self.folder / "mails").iterdir():
            parsed = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            text = parsed.get_body(["plain"]).get_content()
            if address in parsed["To"] and (match := re.search(pattern, text)):
                found.append((path.stat().st_mtime_ns, match[1]))
        return max(found)[1]

    def settled(self):
        """Wait until everything that was captured has been delivered, and return it all."""
        deadline = time.monotonic() + LIMIT
        with contextlib.closing(sqlite3.connect(self.folder / "host.sqlite3", timeout=20)) as rows:
            while rows.execute("SELECT count(*) FROM capi_django_waitingdelivery").fetchone()[0]:
                assert time.monotonic() < deadline, self.said()
                time.sleep(0.02)
        assert self.sandbox.refused == []
        return [event.payload for event in self.sandbox.events]

    def close(self):
        # At once: how servers end is the subject of other tests.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, 9)
        self._process.wait(20)


@contextlib.contextmanager
def serving(name, root, scratch, *, server="gunicorn", variant="", capi="on"):
    """Run a host app on a copy of its database; skip where its packages are not installed."""
    needs(name)
    folder = scratch / name
    shutil.copytree(database(name, root), folder)
    with Sandbox() as sandbox:
        host = Host(name, server, folder, sandbox, variant=variant, capi=capi)
        try:
            yield host
        finally:
            host.close()
