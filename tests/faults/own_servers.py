"""Servers of a test's own, which it may stop and kill."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

LIMIT = 60.0


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


def missing(what):
    """Skip where something is not installed, or fail where it has to be."""
    if os.environ.get("CAPI_REQUIRE_SERVICES") == "1":
        pytest.fail(f"{what} is not installed")
    pytest.skip(f"{what} is not installed")


def wait_for(port):
    deadline = time.monotonic() + LIMIT
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        assert time.monotonic() < deadline, "the server does not listen"
        time.sleep(0.02)


class AsUser:
    """A folder and programs of a user who is not root: some servers refuse to run as root."""

    def __init__(self, user):
        self.folder = Path(tempfile.mkdtemp(prefix="capi-server-"))
        self._prefix = []
        if os.geteuid() == 0:
            try:
                found = pwd.getpwnam(user)
            except KeyError:
                missing(f"the user {user}")
            os.chown(self.folder, found.pw_uid, found.pw_gid)
            self._prefix = ["runuser", "-u", user, "--"]

    def command(self, *arguments):
        return [*self._prefix, *map(str, arguments)]

    def run(self, *arguments):
        subprocess.run(
            self.command(*arguments), cwd=self.folder, check=True, timeout=LIMIT,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


class OwnPostgres:
    """A PostgreSQL server with nothing in it.

    Attributes:
        settings: How Django connects to it.
    """

    def __init__(self):
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        if not found:
            missing("PostgreSQL")
        self._bin = found[-1].parent
        self._user = AsUser("postgres")
        self._data = self._user.folder / "data"
        self.port = free_port()
        self._user.run(
            self._bin / "initdb", "-D", self._data, "-A", "trust", "-U", "postgres", "-N"
        )
        self.start()
        self.settings = {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": "127.0.0.1",
            "PORT": self.port,
            "USER": "postgres",
            "NAME": "postgres",
        }

    def _control(self, *arguments):
        self._user.run(self._bin / "pg_ctl", "-D", self._data, "-w", *arguments)

    def start(self):
        options = f"-p {self.port} -k {self._user.folder} -h 127.0.0.1 -c fsync=off"
        self._control("-l", self._user.folder / "log", "-o", options, "start")

    def crash(self):
        """End at once, as if killed, and begin anew."""
        self._control("-m", "immediate", "stop")
        self.start()

    def stop(self):
        self._control("-m", "immediate", "stop")

    def remove(self):
        with contextlib.suppress(subprocess.CalledProcessError):
            self.stop()
        self._user.remove()


class OwnPooler:
    """A pgbouncer that gives a server connection away for one transaction only."""

    def __init__(self, settings):
        if shutil.which("pgbouncer") is None:
            missing("pgbouncer")
        self._user = AsUser("postgres")
        self.port = free_port()
        place = f"host={settings['HOST']} port={settings.get('PORT') or 5432}"
        (self._user.folder / "users.txt").write_text('"postgres" ""\n')
        (self._user.folder / "pooler.ini").write_text(
            f"[databases]\n* = {place} user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
            f"listen_port = {self.port}\nunix_socket_dir =\nauth_type = trust\n"
            f"auth_file = {self._user.folder}/users.txt\npool_mode = transaction\n"
            "default_pool_size = 3\nignore_startup_parameters = extra_float_digits\n"
        )
        command = self._user.command("pgbouncer", "-q", self._user.folder / "pooler.ini")
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        wait_for(self.port)

    def remove(self):
        end(self._process)
        self._user.remove()


class OwnRedis:
    """A Redis that keeps nothing on a disk."""

    def __init__(self):
        if shutil.which("redis-server") is None:
            missing("redis-server")
        self.port = free_port()
        self.start()

    def start(self):
        self._process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--save", "", "--appendonly", "no"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_for(self.port)

    def kill(self):
        end(self._process)

    remove = kill


class OwnRabbit:
    """A RabbitMQ of one node, which keeps its queues on a disk.

    Attributes:
        url: Where Celery finds it.
    """

    def __init__(self):
        self._program = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
        if not self._program.exists():
            missing("RabbitMQ")
        self._user = AsUser("rabbitmq")
        self._port, talk = free_port(), free_port()
        folder = self._user.folder
        self._environ = {
            "HOME": str(folder),
            "RABBITMQ_NODENAME": f"capi{self._port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(talk),
            "RABBITMQ_MNESIA_BASE": str(folder),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(folder / "none"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        }
        self.url = f"amqp://guest:guest@127.0.0.1:{self._port}//"
        self.start()

    def start(self):
        self._process = subprocess.Popen(
            self._user.command(self._program),
            cwd=self._user.folder,
            env={**os.environ, **self._environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_for(self._port)

    def kill(self):
        end(self._process)

    def remove(self):
        self.kill()
        self._user.remove()


def end(process):
    """Kill a process and what it has started."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait(LIMIT)
