"""``capi forget``: erase a person from the outbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click

from capi_plugins import Client, UserData
from capi_plugins.builtin.journaling import journal_of
from capi_plugins.cli.doors import current_door
from capi_plugins.cli.shared_outbox import shared_outbox
from capi_plugins.context_store import person


@click.command()
@click.option("--external-id", multiple=True, metavar="X", help="Your own id of the person.")
@click.option("--email", multiple=True, metavar="X")
@click.option("--phone", multiple=True, metavar="X", help="With + and the country's code.")
def forget(external_id: tuple[str, ...], email: tuple[str, ...], phone: tuple[str, ...]) -> None:
    """Erase a person: remove what waits, what died and what the context store keeps.

    Payloads hold hashes, so the values are normalised and hashed as the destinations do it. Each
    option may be given several times. The values are never printed.
    """
    if not (external_id or email or phone):
        raise click.UsageError("say who: --external-id, --email or --phone")
    client, outbox = shared_outbox(current_door())
    given = {"external_id": external_id, "email": email, "phone": phone}
    hashes = _hashes(client, given)
    problem = outbox.stats().problem
    if problem is not None:
        click.echo(
            f"The outbox cannot be used: {problem}. Nothing was removed, try again.", err=True
        )
        raise click.exceptions.Exit(1)
    # The contexts first: the outbox moves its log into its file when it has erased.
    contexts = client.delivering.contexts.forget([person(hashed) for hashed in hashes])
    held = client.delivering.held.forget(hashes)
    removed = outbox.forget(hashes)
    click.echo(f"outbox {client.settings.delivery.outbox!r}: {len(removed):,} removed")
    click.echo(f"context store: {contexts:,} removed")
    if client.settings.consent.default == "hold":
        click.echo(f"held until visitors decide: {held:,} removed")
    journal = journal_of(client)
    if journal is not None:
        click.echo(f"journal: {journal.forget(hashes):,} lines removed")
    click.echo(
        "What a sender had in hand at this moment may have left: ask the destination to erase it."
    )


def _hashes(client: Client, given: Mapping[str, Sequence[str]]) -> list[str]:
    """Hash everything that was given; whoever asks to be erased is not to be missed half."""
    hashes: dict[str, None] = {}
    for name, values in given.items():
        for value in values:
            found = [
                each
                for destination in client.destinations.values()
                for each in destination.hashes_of(UserData(**{name: value}))
            ]
            if not found:
                option = "--" + name.replace("_", "-")
                raise click.BadParameter(
                    "no destination makes a match key of a value; nothing was removed",
                    param_hint=option,
                )
            hashes.update(dict.fromkeys(found))
    return list(hashes)
