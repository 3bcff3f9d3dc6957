"""``manage.py capi``: the door to the command group that all frameworks share."""

from __future__ import annotations

import sys
from argparse import REMAINDER, ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from capi_django import checks, conf
from capi_plugins import Client
from capi_plugins.cli import INSTALL


class Command(BaseCommand):
    """Hands its arguments to the command group."""

    help = "Send conversions to Meta's Conversions API, and see what is sent and why."
    # Telling what is wrong is what some of the commands are for.
    requires_system_checks = ()

    def run_from_argv(self, argv: list[str]) -> None:
        """Run what the command line says; options and help are the group's own."""
        parser = CommandParser(add_help=False, allow_abbrev=False)
        # Django has acted on these two before it looks for a command.
        parser.add_argument("--settings")
        parser.add_argument("--pythonpath")
        _, arguments = parser.parse_known_args(argv[2:])
        sys.exit(_run(arguments, f"{Path(argv[0]).name} {argv[1]}", standalone=True))

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take everything as it is."""
        parser.add_argument("arguments", nargs=REMAINDER)

    def handle(self, *args: str, **options: Any) -> None:
        """Run what ``call_command("capi", ...)`` says."""
        status = _run([*args, *options["arguments"]], "manage.py capi", standalone=False)
        if status:
            sys.exit(status)


def _run(arguments: list[str], name: str, *, standalone: bool) -> int:
    try:
        from capi_plugins.cli.doors import Door, Project  # noqa: PLC0415 - the extra may be missing
        from capi_plugins.cli.group import group  # noqa: PLC0415 - as above
    except ImportError:
        sys.stderr.write(f"{INSTALL}\n")
        return 2
    project = Project(survey=_survey, record=_record)
    door = Door(client=_client, where="settings.CAPI", checks=_checks, project=project)
    return int(
        group.main(args=arguments, prog_name=name, obj=door, standalone_mode=standalone) or 0
    )


def _client() -> Client:
    from capi_plugins.cli.doors import NotConfigured  # noqa: PLC0415 - the extra may be missing

    if not hasattr(settings, "CAPI"):
        raise NotConfigured("settings.CAPI is not set: see the documentation of capi_django")
    return conf.get_client()


def _checks() -> list[Any]:
    from capi_plugins.cli.doors import Problem  # noqa: PLC0415 - the extra may be missing

    found = [*checks.check(), *checks.check_deployment()]
    return [
        Problem(
            "error" if message.is_serious() else "warn",
            f"{message.msg} ({message.id})",
            message.hint or "",
        )
        for message in found
    ]


def _survey() -> Any:
    from capi_django.discovery import survey  # noqa: PLC0415 - only one command needs it

    return survey()


def _record(recorder: Any, host: str, port: int) -> None:
    from capi_django.recording import record  # noqa: PLC0415 - only one command needs it

    record(recorder, host, port)
