"""``capi sandbox``: a local Graph API with a page like Events Manager's Test Events."""

from __future__ import annotations

from typing import Literal, cast

import click


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8900, show_default=True, help="0: a free one."
)
@click.option(
    "--mode",
    type=click.Choice(["strict", "meta"]),
    default="strict",
    show_default=True,
    help="strict: all that Meta documents; meta: what Meta is known to enforce.",
)
@click.option("--dataset", metavar="ID", help="Take only this dataset; default: any.")
@click.option("--token", metavar="TOKEN", help="Take only this token; default: any.")
def sandbox(host: str, port: int, mode: str, dataset: str | None, token: str | None) -> None:
    """Run a local Graph API that judges as Meta does.

    It shows what it receives on a page like Events Manager's Test Events, and prints the settings
    that send a project's events there. Nothing leaves this machine.
    """
    from capi_plugins.sandbox import serve  # noqa: PLC0415 - the server is imported to serve only

    datasets = None
    if dataset or token:
        datasets = {dataset or "1234567890": token or "sandbox-token"}
    chosen = cast(Literal["strict", "meta"], mode)
    raise click.exceptions.Exit(serve(host, port, chosen, datasets=datasets))
