from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from capi_plugins import Client, Event, configure
from capi_plugins.sandbox import Sandbox
from capi_plugins.toml_file import read_toml

CAPI = Path(sys.executable).with_name("capi")


def clean_environ(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CAPI_")}
    return {**kept, "COLUMNS": "80", "NO_COLOR": "1", "NO_PROXY": "127.0.0.1", **more}


@pytest.fixture
def capi(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """The console script, in a process and a folder of its own."""

    def run(
        *arguments: object, stdin: bytes = b"", **environ: str
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [CAPI, *map(str, arguments)],
            input=stdin,
            capture_output=True,
            cwd=tmp_path,
            env=clean_environ(**environ),
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """The console script, left running."""
    running: list[subprocess.Popen[bytes]] = []

    def run(*arguments: object, **options: object) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [CAPI, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            env=clean_environ(),
            bufsize=0,
            **options,
        )
        running.append(process)
        return process

    yield run
    for process in running:
        process.kill()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        process.wait()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(datasets={"1234567890": "sandbox-token"}) as running:
        yield running


@pytest.fixture
def config(tmp_path: Path) -> Callable[..., Path]:
    """Writes a TOML file with one Meta destination."""

    def write(
        url: str = "https://graph.facebook.com",
        *,
        consent: str = "granted",
        sources: tuple[str, ...] = (),
        token: str = "sandbox-token",
        more: str = "",
    ) -> Path:
        path = tmp_path / "capi.toml"
        path.write_text(
            f"""
            {more}
            [CAPI.DESTINATIONS.meta]
            DATASET_ID = "1234567890"
            ACCESS_TOKEN = "{token}"
            API_URL = "{url}"
            [CAPI.CONSENT]
            DEFAULT = "{consent}"
            SOURCES = {list(sources)}
            """
        )
        return path

    return write


@pytest.fixture
def shop(
    sandbox: Sandbox, config: Callable[..., Path], tmp_path: Path
) -> Iterator[Callable[..., Client]]:
    """Stands for a web process whose outbox is on disk and who leaves the sending to others."""
    made: list[Client] = []

    def shop(url: str = sandbox.url, delivery: str = "", **options: str) -> Client:
        more = f"""
        [CAPI]
        PAGE_VIEW = false
        [CAPI.DELIVERY]
        OUTBOX = "sqlite:///{tmp_path}/box/outbox.sqlite3"
        WORKER = "external"
        {delivery}
        """
        made.append(configure(read_toml(config(url, more=more, **options)), environ={}))
        return made[-1]

    yield shop
    for client in made:
        client.close(0)


@pytest.fixture
def file_of_another_program(tmp_path: Path) -> None:
    """A database that is not ours, where the outbox of ``shop`` is to be."""
    (tmp_path / "box").mkdir(mode=0o700)
    path = tmp_path / "box" / "outbox.sqlite3"
    with contextlib.closing(sqlite3.connect(path)) as another:
        another.execute("CREATE TABLE theirs (x)")
    path.chmod(0o600)


@pytest.fixture
def lead() -> Callable[..., None]:
    def lead(client: Client, *event_ids: str, **user_data: object) -> None:
        for event_id in event_ids:
            data = {"email": f"{event_id}@example.com", **user_data}
            event = {"event_name": "Lead", "event_id": event_id, "action_source": "email"}
            client.capture(Event.from_dict({**event, "user_data": data}, now=time.time()))

    return lead
