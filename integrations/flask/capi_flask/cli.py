"""``flask capi``: the door to the command group that all frameworks share."""

from __future__ import annotations

import contextlib
from typing import Any

import click
from flask import Flask
from flask.cli import ScriptInfo

from capi_flask.installed import Installed
from capi_plugins import Client
from capi_plugins.cli import INSTALL


@click.command(
    "capi",
    short_help="Send conversions to Meta's Conversions API, and see what is sent and why.",
    add_help_option=False,
    context_settings={"ignore_unknown_options": True},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def capi(ctx: click.Context, arguments: tuple[str, ...]) -> None:
    """Hand the arguments to the command group; options and help are the group's own."""
    # Flask loads this module for every command of every project: without the extra [cli] only
    # this one may fail.
    try:
        from capi_plugins.cli.doors import Door, Project  # noqa: PLC0415
        from capi_plugins.cli.group import group  # noqa: PLC0415
    except ImportError:
        raise click.ClickException(INSTALL) from None
    info = ctx.ensure_object(ScriptInfo)
    with contextlib.ExitStack() as stack:

        def client() -> Client:
            app = info.load_app()
            stack.enter_context(app.app_context())
            return _installed(app).client

        door = Door(
            client=client,
            where="app.config['CAPI']",
            checks=lambda: _checks(info.load_app()),
            project=Project(
                survey=lambda: _survey(info.load_app()),
                record=lambda *arguments: _record(info.load_app(), *arguments),
            ),
        )
        status = group.main(
            args=list(arguments), prog_name="flask capi", obj=door, standalone_mode=False
        )
    ctx.exit(status or 0)


def _installed(app: Flask) -> Installed:
    from capi_plugins.cli.doors import NotConfigured  # noqa: PLC0415 - the extra may be missing

    installed = app.extensions.get("capi")
    if not isinstance(installed, Installed):
        raise NotConfigured(f"the app {app.name!r} has no Capi: call Capi(app) where it is made")
    if "CAPI" not in app.config:
        raise NotConfigured("app.config['CAPI'] is not set: see the documentation of capi_flask")
    return installed


def _checks(app: Flask) -> list[Any]:
    from capi_flask.checks import check  # noqa: PLC0415 - the extra may be missing

    return list(check(app, _installed(app)))


def _survey(app: Flask) -> Any:
    from capi_flask.discovery import survey  # noqa: PLC0415 - only one command needs it

    return survey(app)


def _record(app: Flask, *arguments: Any) -> None:
    from capi_flask.recording import record  # noqa: PLC0415 - only one command needs it

    record(app, *arguments)
