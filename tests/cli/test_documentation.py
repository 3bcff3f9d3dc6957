from __future__ import annotations

from pathlib import Path

import click
import pytest

from capi_plugins.cli.console import console
from capi_plugins.cli.group import COMMANDS

PAGE = Path(__file__).parent.parent.parent / "docs" / "commands.md"
pytestmark = pytest.mark.repository


def section(name: str) -> str:
    return PAGE.read_text().partition(f"\n## {name}\n")[2].partition("\n## ")[0]


def block(language: str, text: str) -> str:
    return text.partition(f"```{language}\n")[2].partition("```")[0]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_documented(name):
    command = console.get_command(click.Context(console), name)
    assert command is not None
    text = section(name)
    inside = command.commands.values() if isinstance(command, click.Group) else ()
    for parameter in [each for one in (command, *inside) for each in one.params]:
        word = parameter.opts[0] if isinstance(parameter, click.Option) else "FILE"
        assert f"`{'KEY' if parameter.name in ('key', 'keys') else word}" in text, word


def test_the_payloads_shown_are_what_the_command_prints(capi, tmp_path):
    text = section("payload")
    (tmp_path / "capi.toml").write_text(block("toml", PAGE.read_text()))
    (tmp_path / "events.jsonl").write_text(block("jsonl", text))
    command, _, shown = block("console", text).removeprefix("$ capi ").partition("\n")
    assert capi(*command.split()).stdout.decode() == shown
