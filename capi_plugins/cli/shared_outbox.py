"""The outbox that a command shares with the processes of the host."""

from __future__ import annotations

import click

from capi_plugins import Client
from capi_plugins.cli.doors import Door
from capi_plugins.outbox.base import Outbox


def shared_outbox(door: Door) -> tuple[Client, Outbox]:
    """Return the host's client and its outbox.

    Args:
        door: Where the settings are.

    Raises:
        UsageError: Its deliveries are in the memory of the processes that put them.
    """
    client = door.client()
    outbox = client.delivering.outbox
    if not outbox.durable:
        raise click.UsageError(
            f"{door.where}: the outbox {client.settings.delivery.outbox!r} is in the memory of "
            "each process, and no other can see it; set CAPI['DELIVERY']['OUTBOX'] to one on disk, "
            "such as 'sqlite:////var/lib/shop/outbox.sqlite3'"
        )
    return client, outbox
