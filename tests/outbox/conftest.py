from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from capi_plugins.outbox.sqlite import SqliteOutbox
from tests.outbox.conforming import BOUNDED, OUTBOXES, maker
from tests.outbox.other_process import OtherProcess


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "box" / "outbox.sqlite3"


@pytest.fixture
def open_outbox(path: Path) -> Iterator[Callable[..., SqliteOutbox]]:
    made: list[SqliteOutbox] = []

    def open_outbox(**options: Any) -> SqliteOutbox:
        made.append(SqliteOutbox(options.pop("path", path), **options))
        return made[-1]

    yield open_outbox
    for outbox in made:
        outbox.close()


@pytest.fixture
def others(path: Path) -> Iterator[Callable[..., OtherProcess]]:
    made: list[OtherProcess] = []

    def start(**environ: str) -> OtherProcess:
        made.append(OtherProcess(path, **environ))
        return made[-1]

    yield start
    for process in made:
        with process:
            pass


@pytest.fixture(params=OUTBOXES)
def new(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Makes outboxes of each kind."""
    yield from maker(request.param, tmp_path)


@pytest.fixture(params=BOUNDED)
def bounded(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Makes outboxes of each kind that has a limit in count and bytes."""
    yield from maker(request.param, tmp_path)


@pytest.fixture
def outbox(new: Callable[..., Any]) -> Any:
    return new()
