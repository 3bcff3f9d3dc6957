"""The group itself: which commands there are, and what is the same for all of them."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import sys
from collections.abc import Iterator
from typing import Any

import click

from capi_plugins.cli.doors import NotConfigured
from capi_plugins.exceptions import CapiError, ConfigurationError, PluginError

COMMANDS = (
    *("check", "plugins", "discover", "payload", "send", "deliver", "serve", "status", "explain"),
    *("dead", "forget", "sandbox", "demo"),
)
"""Each is the function of the same name in the module ``<name>_command``."""

EXIT_USAGE = 2
# What a shell reports of a program that a signal ended.
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141


class CommandGroup(click.Group):
    """The commands, each imported when it is asked for.

    An adapter whose host has a click group already makes one of its own, whose callback opens
    the door (nothing of the host is loaded before ``Door.client`` is called)::

        @click.group("capi", cls=CommandGroup)
        @click.pass_context
        def capi(ctx):
            ctx.obj = Door(client=lambda: client_of(load_app(ctx)), where="app.config['CAPI']")
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands in the order of their help."""
        return [*COMMANDS, *(name for name in super().list_commands(ctx) if name not in COMMANDS)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        module = importlib.import_module(f"capi_plugins.cli.{cmd_name}_command")
        command: click.Command = getattr(module, cmd_name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; configuration errors, Ctrl-C and a closed pipe end it in good order."""
        with _good_order():
            return super().invoke(ctx)


@contextlib.contextmanager
def _good_order() -> Iterator[None]:
    try:
        yield
    except NotConfigured as error:
        click.echo("\n".join(error.problems), err=True)
        raise click.exceptions.Exit(EXIT_USAGE) from None
    except ConfigurationError as error:
        for problem in error.problems:
            click.echo(f"Error: {problem}", err=True)
        raise click.exceptions.Exit(EXIT_USAGE) from None
    except PluginError as error:
        click.echo(f"Error: {error}", err=True)
        raise click.exceptions.Exit(EXIT_USAGE) from None
    except CapiError as error:
        click.echo(f"Error: {error}", err=True)
        raise click.exceptions.Exit(1) from None
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted.", err=True)
        raise click.exceptions.Exit(EXIT_INTERRUPTED) from None
    except OSError as error:
        if error.errno != errno.EPIPE:
            raise
        # The interpreter flushes standard output once more on its way out.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise click.exceptions.Exit(EXIT_BROKEN_PIPE) from None


HELP = "Send conversions to Meta's Conversions API, and see what is sent and why."

group = CommandGroup("capi", help=HELP)
"""The commands, for adapters: ``group.main(args, prog_name="manage.py capi", obj=door)``."""
