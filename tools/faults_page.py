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
make storm ROUNDS=100       # kills at random a hundred times, and counts
```

What is missing on the machine is skipped, and the reason is told. With `CAPI_REQUIRE_SERVICES=1`,
as in continuous integration, it fails instead. uWSGI is built from source, and so is the clock that
is set for single processes: both need a C compiler.

`make storm` prints what came of it, for Flask with a SQLite file and for Django with PostgreSQL:
how many processes were killed, how many events were promised, lost and sent twice, and how many
second copies are not explained by a killed sender. A web worker that found its file busy for more
than 50 ms has its event in memory, and so promises nothing; those are counted by themselves.

Some tests are milder than the worst that production has, so that all of them take minutes, and so
that a busy machine fails none:

- A3, B15: kills for seconds, a dozen rounds of it. `make storm` does as many as it is told.
- A6: the sender stands still for ten seconds, and for thirty in `make storm`.
- A7, A8: five seconds more than promised are allowed for the end of a server, because others use
  the machine. The answer that never comes would take a minute.
- A12: half of the children have captured their event within a tenth of a second, all of them within
  five.
- B3: the file is held for ten seconds while visitors come, and for a second or two elsewhere.
- B9, B10: file systems of other machines cannot be mounted in a test, so the type is given. Files
  are given away by who is root; for others the user is given.
- B17: 300 events are taken by four senders, and 5,000 in `make storm`.
- A13: uWSGI from 2.0.28 on, if not before, always has threads; it is made to say that it has none.
- B18: the sweep runs every half second, and every minute in `make storm`.
- C1, C10, C15, C20: the hours of an outage pass on a clock that the test moves, and 2,000 events
  wait for C20, and 50,000 in `make storm`.
- C2, C3, C21: `TIMEOUT` is a few seconds, and a slow answer takes half a second.
- D1: what is captured on a clock that is ahead has a time of the future, which nobody can put right
  later.
- D3, D4: what capturing costs is measured as time of the processor; 20 ms of it are allowed for one
  event of 50 MB. It takes about one, and a thousand lines of an order six.
- D7: the loop may stand still for a quarter of a second, or for three times as long as without the
  package: other programs stop it for as long. Of the processor no turn of it takes 20 ms.
- D8: greenlets wait for 50 ms at most in one of five rounds: other programs stop all of them.
- D9: of the tables in a database there is no earlier version yet, of the file there is.

A full disk, a file system that is read-only and a name service that is silent are made by who is
root; these tests are skipped for others.

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
