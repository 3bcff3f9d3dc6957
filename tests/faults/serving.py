"""The example shops behind real servers, visitors, and what /proc knows of the processes."""

from __future__ import annotations

import collections
import contextlib
import http.client
import itertools
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from capi_plugins.cli.shops import examples

STORM_SECONDS = float(os.environ.get("CAPI_STORM_SECONDS", "0.7"))
"""How long visitors come while workers are killed; the longer the better."""
EXIT_TIMEOUT = 0.5
"""What the shops allow themselves, seconds."""
HOSTS = Path(__file__).parent / "hosts"
LIMIT = 30.0
CONSENT = ",".join(
    f"{name}:yes"
    for name in "consentid consent action necessary functional analytics advertisement".split()
)
VISITOR = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0",
    "Cookie": f"cookieyes-consent={CONSENT}; _fbp=fb.1.1700000000000.1234567890",
    "Connection": "close",
}
SHOPS = {
    "flask": {
        "folder": "flask_shop",
        "target": ["served_flask:app"],
        "set_up": [["-m", "flask", "--app", "flask_shop", "seed"]],
    },
    "django": {
        "folder": "django_shop",
        "target": ["shop.wsgi:application"],
        "set_up": [["manage.py", "migrate", "--verbosity=0"], ["manage.py", "seed"]],
    },
    "orders_flask": {"folder": str(HOSTS), "target": ["orders_flask:app"]},
    "orders_django": {"folder": str(HOSTS), "target": ["orders_django:application"]},
}


def missing(reason):
    """Skip a test for something that is not here; fail where everything has to be."""
    if os.environ.get("CAPI_REQUIRE_SERVICES") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def environment(shop, database, url, delivery):
    """The environment of a shop: nothing of the test's own but where things are."""
    kept = ("PATH", "HOME", "LANG", "PYTHONHASHSEED", "VIRTUAL_ENV")
    return {
        **{name: value for name, value in os.environ.items() if name in kept},
        "PYTHONPATH": os.pathsep.join([str(examples() / SHOPS[shop]["folder"]), str(HOSTS)]),
        "PYTHONUNBUFFERED": "1",
        "SHOP_DATABASE": str(database),
        "SANDBOX_URL": url,
        "SHOP_DELIVERY": json.dumps(delivery),
        "DJANGO_SETTINGS_MODULE": "served_django",
    }


def set_up(shop, database):
    """Make the database of a shop."""
    environ = environment(shop, database, "http://127.0.0.1:9", {"OUTBOX": "memory"})
    for arguments in SHOPS[shop]["set_up"]:
        subprocess.run(
            [sys.executable, *arguments],
            cwd=examples() / SHOPS[shop]["folder"],
            env=environ,
            check=True,
            capture_output=True,
            timeout=LIMIT,
        )


def command(server, shop, port):
    """What starts a server.

    Args:
        server: ``gunicorn ...``, ``uvicorn ...`` or ``uwsgi ...``, with further arguments.
        shop: ``flask`` or ``django``.
        port: Where it listens.
    """
    name, *arguments = server.split()
    if name == "gunicorn":
        where = ["-b", f"127.0.0.1:{port}", "--no-control-socket"]
        target = ["shop.asgi:application"] if "uvicorn" in server else SHOPS[shop]["target"]
        return [sys.executable, "-m", "gunicorn", *target, *where, *arguments]
    if name == "uvicorn":
        where = ["--host", "127.0.0.1", "--port", str(port)]
        return [sys.executable, "-m", "uvicorn", "shop.asgi:application", *where, *arguments]
    beside = str(Path(sys.executable).parent)
    found = shutil.which("uwsgi", path=os.pathsep.join([beside, os.environ["PATH"]]))
    if found is None:
        missing("no uwsgi: 'pip install uwsgi' builds it where there is a C compiler")
    where = ["--http-socket", f"127.0.0.1:{port}", "--module", *SHOPS[shop]["target"]]
    return [found, "--master", "--die-on-term", "-H", sys.prefix, *where, *arguments]


class Server:
    """A shop behind a server.

    Args:
        server: As in ``command``.
        shop: ``flask`` or ``django``.
        environ: As ``environment`` made it.
        log: Where what it says goes.
    """

    def __init__(self, server, shop, environ, log):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.log = log
        self.killed = set()
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                command(server, shop, self.port),
                cwd=examples() / SHOPS[shop]["folder"],
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self.wait_until_it_answers()

    def wait_until_it_answers(self):
        deadline = time.monotonic() + LIMIT
        while True:
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            with contextlib.suppress(OSError):
                if self.get("/nowhere/") == 404:
                    return

    def said(self):
        return self.log.read_text(errors="replace")

    def get(self, path):
        """Ask for a page as a visitor who has agreed to everything; return the status."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)
        try:
            connection.request("GET", path, headers=VISITOR)
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()

    def workers(self):
        """Process ids below the one that was started."""
        return descendants(self.process.pid)

    def wait_for_workers(self, count):
        """Wait until this many workers listen to signals.

        A worker of gunicorn begins with the master's handlers, and a signal that comes then is
        lost: the master waits half a minute for such a worker to end. Only workers handle ABRT,
        except uvicorn's, which alone do not handle HUP.
        One of uWSGI does not listen while it loads the app, and says when it has.
        """

        def listens(pid):
            of_uvicorn = catches(pid, signal.SIGTERM) and not catches(pid, signal.SIGHUP)
            return (
                of_uvicorn
                or catches(pid, signal.SIGABRT)
                or re.search(rf"ready in .* pid: {pid} ", self.said())
            )

        deadline = time.monotonic() + LIMIT
        while True:
            found = set(self.workers()) - self.killed
            if len(found) == count and all(listens(pid) for pid in found):
                return
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.02)

    def kill_one(self, rng, number=signal.SIGKILL):
        """Kill a worker; return whether there was one."""
        victims = sorted(set(self.workers()) - self.killed)
        if victims:
            victim = rng.choice(victims)
            self.killed.add(victim)
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, number)
        return bool(victims)

    def stop(self):
        """Tell the server to end; return the seconds that took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(LIMIT)
        return time.monotonic() - began

    def close(self):
        """End whatever is left of it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(LIMIT)


class Visitors:
    """Visitors who search for something only they know.

    Attributes:
        asked: How often they did.
        answered: What was answered with success.
        acknowledged: What was answered with 200; 202 says that the file was busy and the event is
            in memory, which is no promise.
    """

    def __init__(self, server):
        self.server = server
        self.asked = 0
        self.answered = []
        self.acknowledged = []
        self._numbers = itertools.count()
        self._mark = random.randbytes(4).hex()
        self._over = threading.Event()
        self._threads = []

    def come(self, visits):
        """Visit one after the other; every visit has to succeed."""
        for _ in range(visits):
            assert self.visit() in {200, 202}, self.server.said()

    def visit(self):
        word = f"{self._mark}.{next(self._numbers)}"
        self.asked += 1
        status = self.server.get(f"/search/?q={quote(word)}")
        if status in {200, 202}:
            self.answered.append(word)
        if status == 200:
            self.acknowledged.append(word)
        return status

    def keep_coming(self, at_once=3):
        self._over.clear()
        self._threads = [threading.Thread(target=self._visit_again) for _ in range(at_once)]
        for thread in self._threads:
            thread.start()

    def _visit_again(self):
        while not self._over.is_set():
            # A worker that is killed takes the requests it handles along.
            with contextlib.suppress(OSError, http.client.HTTPException):
                self.visit()

    def stay_away(self):
        self._over.set()
        for thread in self._threads:
            thread.join(LIMIT)
            assert not thread.is_alive()


def searches(sandbox):
    """How often each search has arrived, copies that Meta would drop left out."""
    return collections.Counter(
        event.payload["custom_data"]["search_string"] for event in sandbox.accepted("Search")
    )


def wait_for(sandbox, words):
    """Wait until every search has arrived, whatever else does."""
    while missing := set(words) - set(searches(sandbox)):
        here = len(sandbox.accepted("Search"))
        try:
            sandbox.wait_for(here + 1, name="Search", timeout=LIMIT)
        except TimeoutError:
            pytest.fail(f"{len(missing)} of {len(words)} are lost: {sorted(missing)[:5]}")


# ---------------------------------------------------------------------- processes


def descendants(pid):
    found = []
    for child in children(pid):
        found += [child, *descendants(child)]
    return found


def children(pid):
    found = []
    # A process may end at any moment while it is looked at.
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += [int(child) for child in task.read_text().split()]
    return found


def catches(pid, number):
    """Whether a process has a handler for a signal."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("SigCgt:"):
                return bool(int(line.split()[1], 16) >> (number - 1) & 1)
    return False


def threads(pid):
    return sorted(
        (task / "comm").read_text().strip() for task in Path(f"/proc/{pid}/task").iterdir()
    )


def open_files(pid):
    """What the descriptors of a process lead to."""
    found = []
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found.append(str(descriptor.readlink()))
    return found


def connections_to(pid, url):
    """The sockets of a process that are connected to a server."""
    port = f":{urlsplit(url).port:04X}"
    lines = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    there = {fields[9] for fields in lines if fields[2].endswith(port)}
    ours = {found[1] for name in open_files(pid) if (found := re.match(r"socket:\[(\d+)\]", name))}
    return there & ours
