"""``capi payload``: a dry run."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

import attrs
import click
import orjson

from capi_plugins import Client, Consent, Event, configure
from capi_plugins._pipeline import Pipeline, Processed
from capi_plugins.cli.doors import Door, NotConfigured, current_door
from capi_plugins.cli.inputs import from_option, reader
from capi_plugins.cli.lines import Answers, Line, read_lines
from capi_plugins.context import NO_REQUEST
from capi_plugins.events import parse_time

TRIAL: dict[str, Any] = {
    "DESTINATIONS": {"meta": {"DATASET_ID": "0", "ACCESS_TOKEN": "dry-run"}},
    "CONSENT": {"DEFAULT": "granted"},
}
"""What a dry run is made with where nothing is configured."""


def moment(value: str) -> float:
    """Read ISO 8601, or seconds since the epoch, from the command line."""
    seconds = parse_time(value)
    if seconds is None:
        raise click.BadParameter("use ISO 8601, such as 2026-11-22T10:00:00Z")
    return float(seconds)


def consent_option(function: Any) -> Any:
    """Add ``--consent``."""
    return click.option(
        "--consent",
        type=click.Choice(["granted", "limited"]),
        help="Your own assertion for events that say nothing of consent; without it "
        "CAPI['CONSENT'] holds.",
    )(function)


@click.command()
@click.argument("file", type=click.File("rb"), default="-")
@from_option
@click.option(
    "--now", type=moment, metavar="ISO", help="Fix the clock, for results that do not change."
)
@click.option("--destination", metavar="NAME", help="Only what this destination gets.")
@consent_option
def payload(
    file: BinaryIO, form: str, now: float | None, destination: str | None, consent: str | None
) -> None:
    """Show what would be sent for events, and send nothing.

    FILE holds one event as a JSON object on each line; without it, or with -, standard input is
    read. One JSON line is written for each event and destination, in order:

    \b
      {"ok": true, "event_id": ..., "destination": ..., "payload": {...}}
      {"ok": false, "reason": ..., "line": ...}

    The exit status is 1 when a line was not ok.
    """  # noqa: D301 - \b is click's mark for lines that are kept as they are
    client = _client(current_door())
    if destination is not None:
        check_destination(client, destination)
    answers = Answers()
    process = _dry_run(client, now)
    asserted = None if consent is None else Consent(consent)
    for line in read_lines(file, reader(form, client), now=now, consent=asserted):
        if line.event is None:
            answers.bad(line.number, line.reason, line.event_id, None)
        else:
            _answer(answers, line, process(line.event), destination)
    if answers.failed:
        raise click.exceptions.Exit(1)


def check_destination(client: Client, name: str) -> None:
    """Refuse the name of a destination that does not exist."""
    if name not in client.destinations and client.plugins.lookup_destination(name) is None:
        known = ", ".join(client.destinations) or "none"
        raise click.BadParameter(
            f"there is no destination {name!r}; there is: {known}", param_hint="--destination"
        )


def _client(door: Door) -> Client:
    try:
        return door.client()
    except NotConfigured:
        click.echo(
            "No configuration: this is what a dataset '0' would get, with consent granted.",
            err=True,
        )
        return configure(TRIAL)


def _dry_run(client: Client, now: float | None) -> Callable[[Event], Sequence[Processed]]:
    process: Callable[[Event], Sequence[Processed]] = client.dry_run
    if now is not None:
        fixed = Pipeline(client.settings, client.plugins, client.destinations, lambda: now)
        process = functools.partial(fixed.process, context=NO_REQUEST)

    def walled(event: Event) -> Sequence[Processed]:
        try:
            return process(event)
        except Exception as error:
            # One line never stops the others.
            client.failed("a dry run", error)
            return [Processed(event, None, reason=f"internal error: {type(error).__name__}")]

    return walled


def _answer(
    answers: Answers, line: Line, results: Sequence[Processed], destination: str | None
) -> None:
    wanted = [result for result in results if destination in (None, result.destination)]
    if not wanted:
        reason = "the event is not meant for this destination"
        answers.bad(line.number, reason, line.event_id, destination)
    for result in wanted:
        if result.payload is None:
            reason = result.reason or "dropped"
            answers.bad(line.number, reason, result.event.event_id, result.destination)
            continue
        notes = result.event.notes + result.payload.notes
        fields = {"notes": [attrs.asdict(note) for note in notes]} if notes else {}
        answers.good(
            event_id=result.event.event_id,
            destination=result.destination,
            payload=_readable(result.payload.body),
            **fields,
        )


def _readable(body: bytes) -> Any:
    """Return a payload as a value that is part of a JSON line, byte for byte where possible."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body.decode(errors="replace")
    return value if b"\n" in body else orjson.Fragment(body)
