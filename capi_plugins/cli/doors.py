"""What a command gets from the door it was called through: the host's configuration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

import attrs
import click

from capi_plugins import Client, ConfigurationError

if TYPE_CHECKING:
    from capi_plugins.cli.discovering.recorder import Recorder
    from capi_plugins.cli.discovering.survey import Survey

Level = Literal["ok", "warn", "error"]


class NotConfigured(ConfigurationError):
    """There is no configuration at all, which a dry run can do without."""


@attrs.frozen
class Problem:
    """One line of ``capi check``.

    Attributes:
        level: ``ok``, ``warn`` or ``error``; an error makes the exit status 1.
        text: What was found, in one sentence that contains no secret.
        hint: What to do about it.
    """

    level: Level
    text: str
    hint: str = ""


def _no_checks() -> Sequence[Problem]:
    return ()


@attrs.frozen(kw_only=True)
class Project:
    """The host's code behind a door, for ``capi discover``.

    Attributes:
        survey: Says which signals, models and routes there are.
        record: Serves the project at a host and port until Ctrl-C, sends nothing, and tells a
            recorder what happens.
    """

    survey: Callable[[], Survey]
    record: Callable[[Recorder, str, int], None]


@attrs.frozen(kw_only=True)
class Door:
    """How a command gets at the host's configuration.

    Nothing of it is called before a command needs it: ``--help`` works in a host that does not
    start.

    Attributes:
        client: Returns the configured client. Raises ``NotConfigured`` when the host says nothing
            of this library, ``ConfigurationError`` or ``PluginError`` when what it says is wrong.
        where: Where the settings stand, as messages put it: ``settings.CAPI``.
        checks: What the adapter adds to ``capi check``. Called only when there is a client.
        project: The host's code; None: there is none, only settings.
    """

    client: Callable[[], Client]
    where: str
    checks: Callable[[], Sequence[Problem]] = _no_checks
    project: Project | None = None


def current_door() -> Door:
    """Return the door of the command that is running.

    Raises:
        RuntimeError: The group was called without one.
    """
    door = click.get_current_context().find_object(Door)
    if door is None:
        raise RuntimeError("the capi group needs a Door: group.main(args, obj=Door(...))")
    return door
