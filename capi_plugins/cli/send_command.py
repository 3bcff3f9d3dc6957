"""``capi send``: events from files and other programs, really sent."""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Protocol

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from capi_plugins import Client, Consent
from capi_plugins.cli.doors import Door, current_door
from capi_plugins.cli.inputs import from_option, reader
from capi_plugins.cli.lines import Answers, Line, read_lines
from capi_plugins.cli.payload_command import consent_option
from capi_plugins.cli.sending import Sending

_PLAIN_EVERY = 5.0
_DRAW_EVERY = 0.1


@click.command()
@click.argument("file", type=click.File("rb"), default="-")
@from_option
@consent_option
@click.option("--test-event-code", metavar="CODE", help="Show the events in Test Events, too.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.1),
    default=300.0,
    show_default=True,
    metavar="SECONDS",
    help="Give up when nothing was settled for so long.",
)
@click.option("--quiet", is_flag=True, help="No progress and no summary.")
def send(
    file: BinaryIO,
    form: str,
    consent: str | None,
    test_event_code: str | None,
    timeout: float,
    quiet: bool,
) -> None:
    """Send events, and tell of each what became of it.

    FILE holds one event as a JSON object on each line; without it, or with -, standard input is
    read. One JSON line is written for each event and destination as soon as it is settled:

    \b
      {"ok": true, "event_id": ..., "destination": ..., "line": ...}
      {"ok": false, "reason": ..., "line": ...}

    The exit status is 1 when something was not delivered. Sending a file twice sends its events
    twice: send the lines that failed, alone.
    """  # noqa: D301 - \b is click's mark for lines that are kept as they are
    client = _sender(current_door(), test_event_code)
    answers = Answers()
    size = _size(file)
    asserted = None if consent is None else Consent(consent)
    view: View = Silent() if quiet else _view(size)
    last = Line(number=0, size=0)
    told: set[str] = set()

    def tick(line: Line | None) -> None:
        nonlocal last
        last = line or last
        for name, outcome in list(sending.outbox.last.items()):
            text = f"destination {name}: {outcome.reason}; trying again"
            if text not in told and name not in sending.outbox.stopped and not quiet:
                told.add(text)
                click.echo(text, err=True)
        view.show(last, sending.outbox.delivered_count, answers.failed)

    sending = Sending(client, answers, timeout=timeout, test_event_code=test_event_code, tick=tick)
    try:
        with view.shown():
            sending.run(read_lines(file, reader(form, client), consent=asserted))
    finally:
        unread = "" if sending.read_all else _unread(file, size)
        if not quiet:
            _summary(sending, answers, last, unread)
    if answers.failed or sending.why:
        raise click.exceptions.Exit(1)


def _sender(door: Door, test_event_code: str | None) -> Client:
    client = door.client()
    if not client.settings.enabled:
        raise click.UsageError(f"{door.where}: ENABLED is False, so nothing would be sent")
    if not client.has_destinations:
        raise click.UsageError(f"{door.where}: DESTINATIONS is empty, there is nowhere to send to")
    for destination in client.destinations.values():
        names = [option.name for option in destination.OPTIONS]
        if test_event_code is not None and "TEST_EVENT_CODE" not in names:
            raise click.BadParameter(
                f"destination {destination.name!r} has no test events",
                param_hint="--test-event-code",
            )
    return client


def _size(file: BinaryIO) -> int | None:
    try:
        found = os.fstat(file.fileno())
    except (OSError, ValueError):
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def _unread(file: BinaryIO, size: int | None) -> str:
    if size is None:
        # To count the rest of a pipe would be to wait for it.
        return "what follows was not read"
    count = sum(1 for raw in file if not raw.isspace())
    return f"{count:,} lines after it were not sent" if count else ""


def _summary(sending: Sending, answers: Answers, last: Line, unread: str) -> None:
    if sending.why:
        click.echo(f"Ended at line {last.number}: {sending.why}", err=True)
    text = f"{sending.outbox.delivered_count:,} delivered, {answers.failed:,} not delivered"
    click.echo(f"{text}; {unread}." if unread else f"{text}.", err=True)


class View(Protocol):
    """How progress is shown."""

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show it meanwhile."""
        ...

    def show(self, line: Line, delivered: int, failed: int) -> None:
        """Be told how far it is."""
        ...


class Silent:
    """Shows nothing."""

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show nothing."""
        yield

    def show(self, line: Line, delivered: int, failed: int) -> None:
        """Show nothing."""


class Plain(Silent):
    """A line now and then, for logs and pipes."""

    def __init__(self) -> None:
        self._next = time.monotonic() + _PLAIN_EVERY

    def show(self, line: Line, delivered: int, failed: int) -> None:
        """Write a line when the last one is some seconds old."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _PLAIN_EVERY
        text = f"line {line.number:,}: {delivered:,} delivered, {failed:,} not delivered"
        click.echo(text, err=True)


class Bar:
    """A progress bar for people."""

    def __init__(self, size: int | None) -> None:
        self._progress = Progress(
            BarColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            redirect_stdout=False,
            transient=True,
        )
        self._task = self._progress.add_task("", total=size)
        self._next = 0.0

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Draw the bar meanwhile."""
        with self._progress:
            yield

    def show(self, line: Line, delivered: int, failed: int) -> None:
        """Move the bar."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _DRAW_EVERY
        text = f"line {line.number:,}: {delivered:,} delivered, {failed:,} not"
        self._progress.update(self._task, completed=line.size, description=text)


def _view(size: int | None) -> View:
    # With both on one terminal, answers and bar would write over each other.
    return Bar(size) if sys.stderr.isatty() and not sys.stdout.isatty() else Plain()
