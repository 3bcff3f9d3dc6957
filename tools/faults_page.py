"""Writes docs/faults.md from the marks and docstrings of tests/faults.

python tools/faults_page.py
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "faults.md"
FAULTS = ROOT / "tests" / "data" / "faults.json"
TESTS = ROOT / "tests" / "faults"
INTRODUCTION = """\
# Faults it is tried with

What goes wrong in production is done here on purpose, with real processes: gunicorn, uvicorn, uWSGI
and Celery, PostgreSQL, MariaDB, Redis and RabbitMQ, and [the sandbox](sandbox.md) in Meta's place,
which keeps every copy it is sent. Each test looks at three things: that every event that was
promised is accepted once, that it comes in time, and that the app notices nothing.
What is promised is said in [delivery](delivery.md).

```sh
make faults                 # all of them
make faults ROUNDS=10       # ten times over; stops at the first that fails
make faults ONLY=A3         # one of them
```

What is missing on the machine is skipped, and the reason is told. With `CAPI_REQUIRE_SERVICES=1`,
as in continuous integration, it fails instead.

This page is made from the tests by `python tools/faults_page.py`.
"""


class Tried(NamedTuple):
    """A test and the faults it is about.

    Attributes:
        file: Its name.
        test: The name of the function.
        ids: The faults, as in ``faults.json``.
        done: What the test does.
        outcome: What has to come of it.
    """

    file: str
    test: str
    ids: tuple[str, ...]
    done: str
    outcome: str


def known() -> dict[str, dict[str, dict[str, str]]]:
    """The groups with their faults, by letter."""
    groups: dict[str, dict[str, dict[str, str]]] = json.loads(FAULTS.read_text())
    return groups


def tried() -> list[Tried]:
    """Every test of the suite, in the order of files and lines."""
    found = []
    for path in sorted(TESTS.glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            named = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
            if named and node.name.startswith("test_"):
                done, _, outcome = (ast.get_docstring(node) or "").partition("\n\n")
                ids = tuple(_ids(node))
                found.append(Tried(path.name, node.name, ids, _line(done), _line(outcome)))
    return found


def _ids(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.fault":
            yield from (ast.literal_eval(argument) for argument in decorator.args)


def _line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().replace("|", "\\|").replace("``", "`")


def page() -> str:
    """The text of the page."""
    tests = tried()
    parts = [INTRODUCTION]
    for letter, group in known().items():
        rows = [row for fault in group["faults"].items() for row in _rows(*fault, tests)]
        if rows:
            head = f"## {letter}: {group['title']}\n\n| | fault | what comes of it | test |\n"
            parts.append(head + "|---|---|---|---|\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _rows(number: str, title: str, tests: list[Tried]) -> Iterator[str]:
    named = f"**{title}.** "
    for test in tests:
        if number in test.ids:
            behaviour = test.test.removeprefix("test_").replace("_", " ")
            where = f"`{test.file}`: {behaviour}"
            yield f"| {number} | {named}{test.done} | {test.outcome} | {where} |"
            named = ""


if __name__ == "__main__":
    PAGE.write_text(page())
