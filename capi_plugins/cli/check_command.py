"""``capi check``: is everything in order?"""

from __future__ import annotations

import time
from collections.abc import Sequence

import attrs
import click
import orjson
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from capi_plugins.cli.doors import Problem, current_door
from capi_plugins.cli.findings import find
from capi_plugins.cli.live import try_destinations

_STYLES = {"ok": "green", "warn": "yellow", "error": "bold red"}


@click.command()
@click.option("--live", is_flag=True, help="Also send one real test event to each destination.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a report.")
def check(live: bool, as_json: bool) -> None:
    """Look at settings, plugins, outbox, destinations and clock.

    With --live each destination also gets one event named CapiCheck. Meta counts it like any
    other event of the dataset, with a TEST_EVENT_CODE as well as without.

    The exit status is 1 when something is an ERROR.
    """
    now = time.time()
    client, found = find(current_door(), now)
    if live and client is not None:
        found += try_destinations(client, now)
    failed = any(problem.level == "error" for problem in found)
    if as_json:
        report = {"ok": not failed, "problems": [attrs.asdict(problem) for problem in found]}
        click.echo(orjson.dumps(report, option=orjson.OPT_INDENT_2))
    else:
        _print(found)
    if failed:
        raise click.exceptions.Exit(1)


def _print(found: Sequence[Problem]) -> None:
    out = Console(highlight=False)
    table = Table.grid(padding=(0, 2))
    for problem in found:
        text: Text | Table = Text(problem.text)
        if problem.hint:
            text = Table.grid()
            text.add_row(Text(problem.text))
            text.add_row(Padding(Text(problem.hint, style="dim"), (0, 0, 0, 2)))
        table.add_row(Text(problem.level.upper(), style=_STYLES[problem.level]), text)
    out.print(table)
    errors = sum(problem.level == "error" for problem in found)
    warnings = sum(problem.level == "warn" for problem in found)
    out.print(f"\n{_count(errors, 'error')}, {_count(warnings, 'warning')}.")


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
