"""The console script's door: configuration from a TOML file."""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path

import click

import capi_plugins
from capi_plugins import Client, configure
from capi_plugins.cli.doors import Door, NotConfigured
from capi_plugins.cli.group import HELP, CommandGroup
from capi_plugins.toml_file import read_toml

NOTHING = """\
There is no configuration: give --config FILE.toml or set CAPI_CONFIG.
The file holds the CAPI dictionary:

    [CAPI.DESTINATIONS.meta]
    DATASET_ID = "1234567890"   # and in the environment:
                                # CAPI_META_ACCESS_TOKEN
    [CAPI.CONSENT]
    DEFAULT = "denied"          # while nothing was decided"""


def toml_door(path: Path | None) -> Door:
    """Return the door of a TOML file, or of no configuration at all."""
    if path is None:

        def nothing() -> Client:
            raise NotConfigured(NOTHING)

        return Door(client=nothing, where="no configuration")
    return Door(client=functools.cache(lambda: configure(read_toml(path))), where=str(path))


@click.group(cls=CommandGroup, help=HELP, context_settings={"max_content_width": 100})
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="CAPI_CONFIG",
    metavar="FILE.toml",
    help="Where the CAPI dictionary stands; default: the environment's CAPI_CONFIG.",
)
@click.version_option(capi_plugins.__version__, prog_name="capi")
@click.pass_context
def console(ctx: click.Context, config: Path | None) -> None:
    """Open the console's door, unless another one is open."""
    # PLUGINS names modules of the project, as with any tool that is called inside one.
    if (here := os.getcwd()) not in sys.path:  # noqa: PTH109 - sys.path holds strings
        sys.path.insert(0, here)
    ctx.obj = toml_door(config)
