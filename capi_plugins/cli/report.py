"""Findings for people: one paragraph each, the worst in red."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from capi_plugins.cli.doors import Problem

_STYLES = {"ok": "green", "warn": "yellow", "error": "bold red"}


def print_problems(found: Sequence[Problem]) -> None:
    """Write findings to standard output, and how many are bad.

    Args:
        found: The findings, in order.
    """
    out = Console(highlight=False)
    table = Table.grid(padding=(0, 2))
    for problem in found:
        text: Text | Table = Text(problem.text)
        if problem.hint:
            text = Table.grid()
            text.add_row(Text(problem.text))
            text.add_row(Padding(Text(problem.hint, style="dim"), (0, 0, 0, 2)))
        table.add_row(Text(problem.level.upper(), style=_STYLES[problem.level]), text)
    out.print(table)
    errors = sum(problem.level == "error" for problem in found)
    warnings = sum(problem.level == "warn" for problem in found)
    out.print(f"\n{_count(errors, 'error')}, {_count(warnings, 'warning')}.")


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
