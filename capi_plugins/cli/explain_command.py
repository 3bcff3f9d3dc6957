"""``capi explain``: what became of an order, an event or a visitor's events."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click
import orjson
from rich.console import Console
from rich.text import Text

from capi_plugins import Client, UserData
from capi_plugins.builtin.journaling import journal_of
from capi_plugins.cli.doors import current_door
from capi_plugins.cli.shared_outbox import dead_letters
from capi_plugins.journal import SHORT, Journal, redacted

_STYLES = {"delivered": "green", "dropped": "yellow", "given up": "bold red", "lost": "bold red"}
_SETTLED = frozenset(_STYLES)
_WORDS = {"held": "held until the visitor decides", "released": "released, the visitor consented"}
_MOST_LETTERS = 10_000
_NOTHING = """\
Nothing is known of it. Either no trigger has made an event of it within the last week ('capi
plugins' lists those in force, 'capi discover --record' shows what your site does when somebody
clicks), or it happened just now: what happens is written down some seconds later. Or the person was
erased with 'capi forget', which leaves nothing that could be told."""
_NOT_KEPT = """\
No dead letter is about it, and nothing else is known, because nothing is written down: {why}.
{hint}, and ask again about what happens from then on."""
_FOLDER = "Set CAPI['JOURNAL'] to the absolute path of a folder"


@click.command()
@click.argument("key")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1), help="Events.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines, as they were written down.")
def explain(key: str, limit: int, as_json: bool) -> None:
    """Tell what became of events within the last week.

    KEY is the number of an order, the id or the name of an event, or a visitor: an e-mail address,
    a phone number with + or your own id. What is given is hashed before it is compared.
    """
    client = current_door().client()
    journal = journal_of(client)
    hashes = {item[:SHORT] for item in _hashes(client, key)}
    found = [line for line in _lines(client, journal) if _is(line, key, hashes)]
    if not found:
        click.echo(_NOTHING if journal else _not_kept(client))
        raise click.exceptions.Exit(1)
    told: dict[str, list[dict[str, Any]]] = {}
    for line in sorted(found, key=_moment):
        told.setdefault(line["event_id"], [])
    # Not every line of an event tells whose it is.
    for line in _lines(client, journal):
        if line.get("event_id") in told:
            told[line["event_id"]].append(line)
    for event_id in list(told)[-limit:]:
        lines = _without_repetition(sorted(told[event_id], key=_moment))
        if as_json:
            for line in lines:
                click.echo(orjson.dumps(line))
        else:
            _show(event_id, lines)


def _lines(client: Client, journal: Journal | None) -> Iterator[dict[str, Any]]:
    """Give what was written down, and what the outbox has of dead letters."""
    for letter in dead_letters(client.delivering.outbox, _MOST_LETTERS):
        yield {
            "at": letter.died_at,
            "event_name": letter.delivery.event_name,
            "event_id": letter.delivery.event_id,
            "stage": "given up",
            "destination": letter.delivery.destination,
            "reason": letter.reason,
            "payload": redacted(letter.delivery.payload),
        }
    if journal is not None:
        yield from (line for line in journal.read() if "event_id" in line)


def _without_repetition(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tell once of a dead letter that was written down as well."""
    told: dict[tuple[object, ...], dict[str, Any]] = {}
    for number, line in enumerate(lines):
        dead = line["stage"] == "given up"
        told.setdefault((line.get("destination"), line.get("reason")) if dead else (number,), line)
    return list(told.values())


def _moment(line: Mapping[str, Any]) -> float:
    return float(line["at"])


def _not_kept(client: Client) -> str:
    if client.settings.journal is None:
        why, hint = "CAPI['JOURNAL'] is off", "Take it out of the settings"
    else:
        outbox = client.settings.delivery.outbox
        why = f"the outbox {outbox!r} has no room for it that outlives a process"
        hint = _FOLDER
    return _NOT_KEPT.format(why=why, hint=hint)


def _hashes(client: Client, key: str) -> Iterator[str]:
    field = "email" if "@" in key else "phone" if key.startswith("+") else "external_id"
    for destination in client.destinations.values():
        yield from destination.hashes_of(UserData(**{field: key}))


def _is(line: Mapping[str, Any], key: str, hashes: set[str]) -> bool:
    name, event_id = line.get("event_name"), str(line["event_id"])
    if key in {name, event_id, event_id.removeprefix(f"{name}."), str(line.get("order"))}:
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
        stage = str(line["stage"])
        text = Text(f"  {moment:%Y-%m-%d %H:%M:%S}  ")
        text.append(_WORDS.get(stage, stage), style=_STYLES.get(stage, ""))
        text.append(_rest(line))
        out.print(text, soft_wrap=True)
        for field, reason in line.get("fields", {}).items():
            out.print(f"    {field}: {reason}", markup=False, soft_wrap=True)
        if stage in _SETTLED and "payload" in line:
            told = orjson.dumps(line["payload"]).decode()
            out.print(f"    {told}", markup=False, soft_wrap=True)
    last = lines[-1]["stage"]
    if last == "held":
        out.print("  It is sent when the visitor consents, and dropped when too long undecided.")
    elif not any(line["stage"] in _SETTLED for line in lines):
        out.print("  It waits in the outbox, see 'capi status'.")


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
