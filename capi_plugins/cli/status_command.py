"""``capi status``: is what waits getting through?"""

from __future__ import annotations

import time

import attrs
import click
import orjson

from capi_plugins import Client
from capi_plugins.cli.doors import current_door
from capi_plugins.cli.health import Health, look
from capi_plugins.cli.health_report import told
from capi_plugins.cli.report import print_problems
from capi_plugins.cli.shared_outbox import shared_outbox


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a report.")
def status(as_json: bool) -> None:
    """Show what waits, what died, and how the destinations get along.

    The exit status is 1 when somebody should look at it: a destination is stopped or has accepted
    nothing for five minutes, nobody sends, or the outbox cannot be used.
    """
    now = time.time()
    client, outbox = shared_outbox(current_door())
    health = look(client, outbox, now)
    if as_json:
        click.echo(orjson.dumps(_described(client, health), option=orjson.OPT_INDENT_2))
    else:
        print_problems(list(told(client, health, now)))
    if health.degraded:
        raise click.exceptions.Exit(1)


def _described(client: Client, health: Health) -> dict[str, object]:
    delivery = client.settings.delivery
    return {
        "ok": not health.degraded,
        "degraded": health.degraded,
        "outbox": delivery.outbox,
        "worker": delivery.worker,
        **attrs.asdict(health.stats),
        "sender": health.sender,
        "destinations": [attrs.asdict(each) for each in health.destinations],
    }
