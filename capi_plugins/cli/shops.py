"""The example shops, each run as a server of its own."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

import attrs
import click

_READY_WITHIN = 60.0
_GONE_WITHIN = 20.0
_LOOK_EVERY = 0.05
_TAIL = 2_000
# What would make a shop another one than the example.
_NOT_INHERITED = ("CAPI_", "SHOP_", "FLASK_", "DJANGO_", "SANDBOX_URL", "PAYMENT_WEBHOOK_SECRET")


class ShopFailed(Exception):
    """A shop could not be set up, or did not come up; the text ends with what it said."""


@attrs.frozen(kw_only=True)
class Shop:
    """One of the example shops.

    Attributes:
        name: ``django`` or ``flask``.
        title: The same for people.
        dataset: The dataset it sends to, so that the sandbox can tell the shops apart.
        folder: Below the examples.
        needs: Modules it imports.
        install: What to install when one of them is missing.
        set_up: Commands that make and fill its database.
        run: The command that serves it; ``{port}`` is replaced.
    """

    name: str
    title: str
    dataset: str
    folder: str
    needs: tuple[str, ...]
    install: str
    set_up: tuple[tuple[str, ...], ...]
    run: tuple[str, ...]

    def missing(self) -> list[str]:
        """Return the modules that are not installed."""
        return [name for name in self.needs if importlib.util.find_spec(name) is None]


SHOPS = (
    Shop(
        name="django",
        title="Django",
        dataset="1000000000000001",
        folder="django_shop",
        needs=("django",),
        install="pip install 'capi-plugins[django]'",
        set_up=(("manage.py", "migrate", "--verbosity=0"), ("manage.py", "seed")),
        run=("manage.py", "runserver", "--noreload", "--skip-checks", "127.0.0.1:{port}"),
    ),
    Shop(
        name="flask",
        title="Flask",
        dataset="1000000000000002",
        folder="flask_shop",
        needs=("flask", "flask_login", "flask_sqlalchemy", "flask_wtf"),
        install="pip install 'capi-plugins[flask]' Flask-Login Flask-SQLAlchemy Flask-WTF",
        set_up=(("-m", "flask", "--app", "flask_shop", "seed"),),
        run=("-m", "flask", "--app", "flask_shop", "run", "--port", "{port}"),
    ),
)


def examples() -> Path:
    """Return the folder of the example shops: in this package when installed, or in the clone."""
    here = Path(__file__).resolve().parent
    for folder in (here / "examples", here.parent.parent / "examples"):
        if (folder / "shopping").is_dir():
            return folder
    raise click.ClickException("the example shops are not part of this installation")


@contextlib.contextmanager
def serving(shop: Shop, folder: Path, scratch: Path, settings: Mapping[str, str]) -> Iterator[str]:
    """Run a shop, and stop it in such a way that it delivers what it still has.

    Args:
        shop: Which one.
        folder: The examples.
        scratch: Where its database and its log go.
        settings: Its environment variables.

    Yields:
        Its URL.

    Raises:
        ShopFailed: It did not come up.
    """
    log = scratch / f"{shop.name}.log"
    environ = _environ({**settings, "SHOP_DATABASE": str(scratch / f"{shop.name}.sqlite3")})
    where = folder / shop.folder
    with log.open("wb") as out:
        for command in shop.set_up:
            with _running(command, where, environ, out) as process:
                if process.wait():
                    raise ShopFailed(f"{' '.join(command)} failed.\n{_tail(log)}")
        port = _free_port()
        command = tuple(part.format(port=port) for part in shop.run)
        with _running(command, where, environ, out) as process:
            _wait_until_it_listens(process, port, log)
            yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def _running(
    command: Sequence[str], where: Path, environ: Mapping[str, str], out: IO[bytes]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program of a shop, and end it in any case."""
    with contextlib.ExitStack() as stack:
        with _signals_later():
            process = subprocess.Popen(  # noqa: S603 - our own examples
                [sys.executable, *command],
                cwd=where,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                # Ctrl-C in the terminal is for the demo, which ends its shops itself.
                start_new_session=True,
            )
            stack.callback(_stop, process)
        yield process


@contextlib.contextmanager
def _signals_later() -> Iterator[None]:
    """Put signals off until a program that was started is known.

    It also gives that program a Ctrl-C that works, which programs in the background of a shell do
    not pass on.
    """
    came: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _frame: came.append(number))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    for missed in came:
        signal.raise_signal(missed)


def _environ(settings: Mapping[str, str]) -> dict[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)
    }
    # Examples may stand where nothing can be written, and a proxy must not see loopback traffic.
    quiet = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1", "NO_PROXY": "127.0.0.1"}
    return {**kept, **quiet, **settings}


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _READY_WITHIN
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
            return
        # Waits for the next look, and notices at once when the shop gives up.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_LOOK_EVERY)
            raise ShopFailed(f"the shop ended at once.\n{_tail(log)}")
    raise ShopFailed(f"the shop did not answer in time.\n{_tail(log)}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)  # does nothing when it has ended
    try:
        process.wait(_GONE_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _tail(log: Path) -> str:
    return log.read_bytes()[-_TAIL:].decode(errors="replace").strip()
