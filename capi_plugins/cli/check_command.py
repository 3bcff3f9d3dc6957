"""``capi check``: is everything in order?"""

from __future__ import annotations

import time

import attrs
import click
import orjson

from capi_plugins.cli.doors import current_door
from capi_plugins.cli.findings import find
from capi_plugins.cli.live import try_destinations
from capi_plugins.cli.report import print_problems


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
        print_problems(found)
    if failed:
        raise click.exceptions.Exit(1)
