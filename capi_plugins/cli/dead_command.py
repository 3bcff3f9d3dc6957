"""``capi dead``: what will not be tried again by itself."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

import click
import orjson
from rich import box
from rich.console import Console
from rich.table import Table

from capi_plugins.cli.doors import current_door
from capi_plugins.cli.shared_outbox import dead_letters, shared_outbox
from capi_plugins.outbox.base import DeadLetter, Outbox

_KEYS = click.argument("keys", type=click.IntRange(1, 2**63 - 1), nargs=-1, metavar="[KEY]...")
_ALL = click.option("--all", "everything", is_flag=True, help="All that there are.")
_YES = click.option("--yes", is_flag=True, help="Do not ask.")


@click.group()
def dead() -> None:
    """Look at dead letters, try them again or remove them.

    A delivery becomes a dead letter when its destination refuses it, when it was tried too often
    or when it grew too old.
    """


@dead.command("list")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, metavar="N")
@click.option("--json", "as_json", is_flag=True, help="One JSON line each instead of a table.")
@click.option("--show-payload", is_flag=True, help="Hashed personal data too; needs --json.")
def list_(limit: int, as_json: bool, show_payload: bool) -> None:
    """List dead letters, those that died last first."""
    if show_payload and not as_json:
        raise click.UsageError("--show-payload needs --json")
    _, outbox = shared_outbox(current_door())
    letters = dead_letters(outbox, limit)
    if as_json:
        for letter in letters:
            click.echo(orjson.dumps(_described(letter, payload=show_payload)))
        return
    out = Console(highlight=False, markup=False)
    if not letters:
        out.print("No dead letters.")
        return
    table = Table("Key", "Event", "Event id", "Destination", "Died (UTC)", "Reason", box=box.SIMPLE)
    for letter in letters:
        delivery = letter.delivery
        died = f"{_moment(letter):%Y-%m-%d %H:%M}"
        names = (delivery.event_name, delivery.event_id, delivery.destination)
        table.add_row(str(delivery.key), *names, died, letter.reason)
    out.print(table)
    total = outbox.stats().dead
    if total > len(letters):
        out.print(f"{len(letters)} of {total:,} shown: --limit shows more.")


@dead.command()
@_KEYS
@_ALL
@_YES
def replay(keys: tuple[int, ...], everything: bool, yes: bool) -> None:
    """Have dead letters tried again.

    Their attempts are counted anew. One that was given up because no answer came may have arrived,
    and is sent once more all the same.
    """
    _, outbox = shared_outbox(current_door())
    chosen = _chosen(outbox, keys, everything=everything)
    if chosen and _agreed(f"Try {_letters(len(chosen))} again?", yes=yes):
        _tell(outbox.replay(chosen), keys, "will be tried again")
    elif not chosen:
        click.echo("No dead letters.")


@dead.command()
@_KEYS
@_ALL
@_YES
def drop(keys: tuple[int, ...], everything: bool, yes: bool) -> None:
    """Remove dead letters for good."""
    _, outbox = shared_outbox(current_door())
    chosen = _chosen(outbox, keys, everything=everything)
    if chosen and _agreed(f"Remove {_letters(len(chosen))} for good?", yes=yes):
        _tell(outbox.drop(chosen), keys, "removed")
    elif not chosen:
        click.echo("No dead letters.")


def _chosen(outbox: Outbox, keys: tuple[int, ...], *, everything: bool) -> Sequence[int]:
    if everything == bool(keys):
        raise click.UsageError("name the keys that dead list shows, or say --all")
    if not everything:
        return list(dict.fromkeys(keys))
    letters = dead_letters(outbox, max(1, outbox.stats().dead))
    return [letter.delivery.key for letter in letters if letter.delivery.key is not None]


def _agreed(question: str, *, yes: bool) -> bool:
    return yes or click.confirm(question, abort=True, err=True)


def _tell(count: int, keys: tuple[int, ...], what: str) -> None:
    click.echo(f"{_letters(count)} {what}.")
    missing = len(set(keys)) - count
    if missing > 0:
        click.echo(f"{missing} of the keys belong to no dead letter.", err=True)
        raise click.exceptions.Exit(1)


def _letters(count: int) -> str:
    return f"{count:,} dead letter" + ("" if count == 1 else "s")


def _described(letter: DeadLetter, *, payload: bool) -> dict[str, object]:
    delivery = letter.delivery
    described: dict[str, object] = {
        "key": delivery.key,
        "event_name": delivery.event_name,
        "event_id": delivery.event_id,
        "destination": delivery.destination,
        "reason": letter.reason,
        "died_at": _moment(letter).isoformat(timespec="seconds"),
        "attempts": delivery.attempts,
    }
    if payload:
        described["payload"] = delivery.payload.decode(errors="replace")
    return described


def _moment(letter: DeadLetter) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(letter.died_at, datetime.UTC)
