"""Segment's own libraries, and hosts behind real servers that they send to."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import http.client
import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import attrs
import pytest

from capi_plugins.sandbox import Sandbox

HERE = Path(__file__).parent
HOSTS = HERE.parent / "hosts"
LIMIT = 60.0
WRITE_KEY = "web"


def _npm():
    found = shutil.which("npm")
    if found is None:
        if os.environ.get("CAPI_REQUIRE_SERVICES") == "1":
            pytest.fail("npm is missing")
        pytest.skip("npm is not installed")
    return found


@pytest.fixture(scope="session")
def libraries():
    """The folder with Segment's JavaScript libraries, installed once for all runs."""
    npm = _npm()
    wanted = (HERE / "package.json").read_bytes() + (HERE / ".npmrc").read_bytes()
    name = f"capi-segment-{os.getuid()}-{hashlib.sha256(wanted).hexdigest()[:16]}"
    place = Path(tempfile.gettempdir()) / name
    place.mkdir(exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "done").exists():
            for file in ("package.json", ".npmrc"):
                shutil.copy(HERE / file, place / file)
            done = subprocess.run(
                [npm, "install", "--ignore-scripts"],
                cwd=place,
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
            if done.returncode:
                if os.environ.get("CAPI_REQUIRE_SERVICES") == "1":
                    pytest.fail(done.stderr[-2000:])
                pytest.skip("npm has no registry to install from")
            (place / "done").touch()
    return place / "node_modules"


@pytest.fixture(scope="session")
def pages(libraries, tmp_path_factory):
    """A folder with the page of a shop and analytics.js."""
    folder = tmp_path_factory.mktemp("pages")
    shutil.copy(HERE / "shop.html", folder)
    shutil.copytree(libraries / "@segment/analytics-next/dist/umd", folder / "analytics-next")
    return folder


@pytest.fixture(scope="session")
def elsewhere(pages):
    """The same page under another origin than the host's: its URL."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, directory=str(pages), **kwargs)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def settings_for(sandbox, folder, **changes):
    """The ``CAPI`` of a host."""
    meta = {"DATASET_ID": "1234567890", "ACCESS_TOKEN": "test-token", "API_URL": sandbox.url}
    return {
        "DESTINATIONS": {"meta": meta},
        "CONSENT": {"DEFAULT": "granted"},
        "TRUSTED_PROXIES": 1,
        "DELIVERY": {"OUTBOX": f"sqlite:///{folder / 'outbox.sqlite3'}"},
        **changes,
    }


def toml(data):
    """Write settings as the TOML that ``capi`` reads; JSON's values are TOML's here."""
    lines = []
    for name, value in data.items():
        options = value if isinstance(value, dict) else {"": value}
        for key, item in options.items():
            inner = item if isinstance(item, dict) else {"": item}
            for last, found in inner.items():
                path = ".".join(part for part in (name, key, last) if part)
                lines.append(f"{path} = {json.dumps(found)}")
    return "\n".join(lines)


@attrs.define
class Host:
    """A host behind a server.

    Attributes:
        kind: ``django``, ``flask`` or ``serve``.
        url: Where it is.
        sandbox: What it delivers to.
        process: The server.
        log: What it says.
    """

    kind: str
    url: str
    sandbox: Sandbox
    process: subprocess.Popen
    log: Path

    @property
    def capi(self):
        return f"{self.url}/capi"

    def request(self, method, path, body=b"", headers=()):
        """Ask, and return status, headers and body."""
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=LIMIT)
        with contextlib.closing(connection):
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()

    def received(self, prefix, count):
        """Wait for the events whose id begins with a prefix; by name."""
        deadline = time.monotonic() + LIMIT
        while True:
            found = {
                event.name: event.payload
                for event in self.sandbox.events
                if event.payload["event_id"].startswith(prefix)
            }
            if len(found) >= count or time.monotonic() > deadline:
                assert self.sandbox.refused == []
                assert len(found) == count, (found, self.log.read_text()[-3000:])
                return found
            time.sleep(0.02)


def command(kind, port, folder, capi):
    where = ["-b", f"127.0.0.1:{port}", "--no-control-socket"]
    if kind == "serve":
        (folder / "capi.toml").write_text(toml(capi))
        options = ["--config", str(folder / "capi.toml"), "serve", "--port", str(port)]
        return [sys.executable, "-c", "import capi_plugins.cli as c; exit(c.main())", *options]
    return [sys.executable, "-m", "gunicorn", f"segment_{kind}:app", *where, "--threads", "4"]


@contextlib.contextmanager
def hosting(kind, capi, sandbox, folder, pages):
    """Run a host, wait until it answers, and end it."""
    port = free_port()
    log = folder / f"{kind}.log"
    environ = {
        **os.environ,
        "PYTHONPATH": str(HOSTS),
        "PYTHONWARNINGS": "",
        "HOST_CAPI": json.dumps(capi),
        "HOST_PAGES": str(pages),
    }
    with log.open("wb") as out:
        process = subprocess.Popen(
            command(kind, port, folder, capi),
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    host = Host(kind, f"http://127.0.0.1:{port}", sandbox, process, log)
    try:
        deadline = time.monotonic() + LIMIT
        while True:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            with contextlib.suppress(OSError):
                host.request("GET", "/nowhere")
                break
            time.sleep(0.05)
        yield host
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 15)
        try:
            process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            raise


@pytest.fixture(scope="module", params=["django", "flask", "serve"])
def host(request, elsewhere, pages, tmp_path_factory):
    """Each kind of host in turn, delivering to a strict sandbox of its own."""
    folder = tmp_path_factory.mktemp(request.param)
    with Sandbox() as sandbox:
        segment = {"WRITE_KEYS": [WRITE_KEY], "ORIGINS": [elsewhere]}
        capi = settings_for(sandbox, folder, SEGMENT=segment)
        with hosting(request.param, capi, sandbox, folder, pages) as running:
            yield running
