"""Hosts as processes, and people who walk through their shops."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

HOSTS = Path(__file__).parent
LIMIT = 60.0
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"


def environment(**more):
    """What a host sees of the outer world: nothing of the test's own."""
    kept = ("PATH", "HOME", "LANG", "VIRTUAL_ENV")
    inherited = {name: value for name, value in os.environ.items() if name in kept}
    return {**inherited, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1", **more}


def run(folder, environ, *arguments):
    """Run a command of a host; return what it says on standard output."""
    command = [sys.executable, *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, timeout=LIMIT, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


class Served:
    """A server of a host.

    Attributes:
        url: Where it is.
        said: Its standard output, once it has ended.
        log: Its standard error, once it has ended.
    """

    def __init__(self, url):
        self.url = url
        self.said = self.log = ""


@contextlib.contextmanager
def served(folder, environ, scratch, *arguments):
    """Run a server of a host until the block ends; ``{port}`` is replaced in its arguments."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, *(part.format(port=port) for part in arguments)]
    out, log = scratch / f"{port}.out", scratch / f"{port}.log"
    with out.open("wb") as stdout, log.open("wb") as stderr:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**environ, "PORT": str(port)},
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
    server = Served(f"http://127.0.0.1:{port}")
    try:
        deadline = time.monotonic() + LIMIT
        while True:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.02)
        yield server
        process.send_signal(signal.SIGTERM)
        process.wait(LIMIT)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(LIMIT)
    server.said, server.log = out.read_text(), log.read_text()
    # The host may fail by itself.
    assert "/capi_" not in server.log, server.log
    assert "failed with" not in server.log, server.log


@contextlib.contextmanager
def visitor(url):
    """A browser with a session of its own."""
    with httpx.Client(
        base_url=url,
        headers={"User-Agent": FIREFOX},
        cookies={"_fbp": f"fb.1.{int(time.time() * 1000)}.1234567890"},
        follow_redirects=True,
        trust_env=False,
        timeout=LIMIT,
    ) as browser:
        yield browser


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


def settings_for(sandbox, **more):
    """The settings of a host that sends to the sandbox."""
    meta = {"DATASET_ID": "1234567890", "ACCESS_TOKEN": "sandbox-token", "API_URL": sandbox.url}
    return {
        "DESTINATIONS": {"meta": meta},
        "CONSENT": {"DEFAULT": "granted"},
        "PAGE_VIEW": False,
        "RECIPES": [],
        "DELIVERY": {"OUTBOX": "memory"},
        **more,
    }
