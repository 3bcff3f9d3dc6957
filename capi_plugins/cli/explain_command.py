"""``capi explain``: what became of an order, an event or a visitor's events."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import orjson
from rich.console import Console
from rich.text import Text

from capi_plugins import Client, UserData
from capi_plugins.cli.doors import current_door
from capi_plugins.journal import SHORT, Journal, redacted

_STYLES = {"delivered": "green", "dropped": "yellow", "given up": "bold red"}
_SETTLED = frozenset(_STYLES)
_MOST_LETTERS = 10_000
_NOTHING = "Nothing is known of it: it is older than a week, or nothing has made an event."
_NO_JOURNAL = (
    "No dead letter is about it, and nothing else is written down: CAPI['JOURNAL'] names no folder."
)


@click.command()
@click.argument("key")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1), help="Events.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines, as they were written down.")
def explain(key: str, limit: int, as_json: bool) -> None:
    """Tell what became of events.

    KEY is the number of an order, the id of an event, or a visitor: an e-mail address, a phone
    number with + or your own id. What is given is hashed before it is compared. Without
    CAPI['JOURNAL'] only dead letters are known.
    """
    client = current_door().client()
    lines = _written_down(client)
    hashes = {item[:SHORT] for item in _hashes(client, key)}
    wanted = {
        line["event_id"]: None for line in lines if "event_id" in line and _is(line, key, hashes)
    }
    if not wanted:
        click.echo(_NOTHING if client.settings.journal else _NO_JOURNAL)
        raise click.exceptions.Exit(1)
    for event_id in list(wanted)[-limit:]:
        told = [line for line in lines if line.get("event_id") == event_id]
        if as_json:
            for line in told:
                click.echo(orjson.dumps(line))
        else:
            _show(event_id, told)


def _written_down(client: Client) -> list[dict[str, Any]]:
    """Return the lines of the journal; without one, what the outbox has of dead letters."""
    if client.settings.journal is not None:
        return list(Journal(Path(client.settings.journal)).read())
    letters = client.delivering.outbox.dead_letters(_MOST_LETTERS)
    return [
        {
            "at": letter.died_at,
            "event_name": letter.delivery.event_name,
            "event_id": letter.delivery.event_id,
            "stage": "given up",
            "destination": letter.delivery.destination,
            "reason": letter.reason,
            "payload": redacted(letter.delivery.payload),
        }
        for letter in letters
    ]


def _hashes(client: Client, key: str) -> Iterator[str]:
    field = "email" if "@" in key else "phone" if key.startswith("+") else "external_id"
    for destination in client.destinations.values():
        yield from destination.hashes_of(UserData(**{field: key}))


def _is(line: Mapping[str, Any], key: str, hashes: set[str]) -> bool:
    event_id, order = str(line["event_id"]), line.get("order")
    if event_id == key or event_id == f"{line.get('event_name')}.{key}" or str(order) == key:
        return True
    people = (line.get("payload") or {}).get("user_data") or {}
    found = [item for value in people.values() for item in _several(value)]
    return not hashes.isdisjoint(item for item in found if isinstance(item, str))


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _show(event_id: str, lines: Sequence[Mapping[str, Any]]) -> None:
    out = Console(highlight=False)
    out.print(f"{lines[0].get('event_name')}  {event_id}", style="bold", markup=False)
    for line in lines:
        moment = datetime.datetime.fromtimestamp(line["at"], datetime.UTC)
        stage = line["stage"]
        text = Text(f"  {moment:%Y-%m-%d %H:%M:%S}  ")
        text.append(stage, style=_STYLES.get(stage, ""))
        text.append(_rest(line))
        out.print(text)
        for field, reason in line.get("fields", {}).items():
            out.print(f"    {field}: {reason}", markup=False)
        if stage in _SETTLED and "payload" in line:
            told = orjson.dumps(line["payload"]).decode()
            out.print(f"    {told}", markup=False, soft_wrap=True)
    if not any(line["stage"] in _SETTLED for line in lines):
        out.print("  It waits in the outbox: see 'capi status'.")


def _rest(line: Mapping[str, Any]) -> str:
    parts = []
    if trigger := line.get("trigger"):
        parts.append(f"by {trigger}")
    elif line["stage"] == "captured":
        parts.append("by track() or a source")
    if path := line.get("path"):
        parts.append(f"in {line.get('method') or ''} {path}".replace("  ", " "))
    if destination := line.get("destination"):
        parts.append(f"for {destination}")
    for name, word in (("reason", "{}"), ("code", "code {}"), ("trace", "fbtrace_id {}")):
        if value := line.get(name):
            parts.append(word.format(value))
    return f": {', '.join(parts)}" if parts else ""
