"""The outbox that a command shares with the processes of the host."""

from __future__ import annotations

from collections.abc import Sequence

import click

from capi_plugins import Client
from capi_plugins.cli.doors import Door
from capi_plugins.outbox.base import DeadLetter, Outbox


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


def dead_letters(outbox: Outbox, limit: int) -> Sequence[DeadLetter]:
    """Return the dead letters of an outbox; see ``Outbox.dead_letters``.

    Args:
        outbox: The outbox.
        limit: Most dead letters.

    Raises:
        ClickException: It cannot be read.
    """
    try:
        return outbox.dead_letters(limit)
    except Exception as error:
        problem = outbox.stats().problem or type(error).__name__
        raise click.ClickException(f"the outbox cannot be read: {problem}") from None
