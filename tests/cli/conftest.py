from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from capi_plugins.sandbox import Sandbox

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
            """
        )
        return path

    return write
