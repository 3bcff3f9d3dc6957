"""What the code itself must not do, and what it brings along."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
import types
from pathlib import Path

import pytest

import capi_plugins
import capi_plugins.outbox
from capi_plugins.outbox import sqlite_version
from tests.faults.small_shop import accepted, until
from tests.outbox.other_process import delivery

ROOT = Path(__file__).parents[2]
PACKAGE = Path(capi_plugins.__file__).parent
ENGINE = [
    *PACKAGE.glob("*.py"),
    *PACKAGE.glob("outbox/*.py"),
    *PACKAGE.glob("builtin/**/*.py"),
    *PACKAGE.glob("destinations/**/*.py"),
]
EVERYTHING = [
    *PACKAGE.rglob("*.py"),
    *ROOT.glob("integrations/*/capi_*/**/*.py"),
]


def calls(files):
    """Every call: the file, the name that is called, and the node."""
    for path in files:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                yield path.name, ast.unparse(node.func), node


@pytest.mark.fault("S21")
def test_nothing_makes_code_of_data():
    """Every call and import of the packages is looked at.

    None reads pickles or YAML, or evaluates text.
    """
    words = {"eval", "exec", "compile", "__import__"}
    found = [(file, name) for file, name, _ in calls(EVERYTHING) if name in words]
    assert found == []
    modules = re.compile(
        r"^\s*(?:import|from) (pickle|marshal|shelve|dill|yaml|jsonpickle)", re.MULTILINE
    )
    assert [path.name for path in EVERYTHING if modules.search(path.read_text())] == []


@pytest.mark.fault("S2", "S21")
def test_nobody_waits_for_ever_and_no_error_repeats_a_url():
    """Every call of what sends is looked at.

    Threads, events and queues are never waited for without a limit, and nothing raises errors of
    libraries that hold URLs.
    """
    endless = [
        (file, name)
        for file, name, node in calls(ENGINE)
        if name.endswith((".join", ".wait", "queue.get")) and not node.args and not node.keywords
    ]
    assert endless == []
    assert [file for file, name, _ in calls(EVERYTHING) if name.endswith("raise_for_status")] == []


@pytest.mark.fault("B7", "S22")
def test_the_outbox_opens_no_file_itself_but_new_ones_and_its_locks():
    """Every call that opens a file in the modules of the outbox is looked at.

    They are the one that makes the file, which must be new, and that of the locks; neither follows
    a link. The list of mounts is read besides.
    """
    files = list(PACKAGE.glob("outbox/*.py"))
    names = {"open", "os.open", "io.open"}
    found = [(file, ast.unparse(node)) for file, name, node in calls(files) if name in names]
    assert sorted(file for file, _ in found) == [
        "sqlite_file.py", "sqlite_locks.py", "sqlite_place.py",
    ]  # fmt: skip
    assert all("/proc/self/mountinfo" in text for file, text in found if file == "sqlite_place.py")
    for name in ("sqlite_file.py", "sqlite_locks.py"):
        text = (PACKAGE / "outbox" / name).read_text()
        flags = re.search(r"flags = ([^\n]+)", text)
        assert flags and "os.O_NOFOLLOW" in flags[1] and "os.O_CLOEXEC" in flags[1]
        assert "os.O_EXCL" in flags[1] or name == "sqlite_locks.py"


@pytest.mark.fault("S25")
def test_the_only_checkpoint_is_truncate():
    """Every checkpoint in the code is looked at.

    All of them truncate: others can lose rows in SQLite before 3.51.3.
    """
    folder = Path(capi_plugins.outbox.__file__).parent
    found = [
        match
        for file in folder.glob("*.py")
        for match in re.findall(r"wal_checkpoint\W*(\w*)", file.read_text())
    ]
    assert set(found) == {"TRUNCATE"}


@pytest.mark.fault("S25")
def test_there_is_one_sqlite_in_a_process():
    """Every import of the packages is looked at.

    Only Python's own SQLite is used: two of them in a process do not see each other's locks.
    """
    other = re.compile(r"^\s*(?:import|from) (pysqlite3|apsw|sqlean)", re.MULTILINE)
    assert [path.name for path in EVERYTHING if other.search(path.read_text())] == []


@pytest.mark.fault("S25")
def test_a_sqlite_with_the_bug_or_too_old_is_told(monkeypatch):
    """The versions of SQLite around the correction of its WAL-reset bug are looked at.

    Those that have it are told, as a bug that is kept clear of; one that is too old is an error.
    """
    clear = [(3, 51, 3), (3, 52, 0), (3, 50, 7), (3, 50, 8), (3, 44, 6), (3, 6, 23)]
    assert not any(map(sqlite_version.can_lose_rows, clear))
    ill = [(3, 40, 1), (3, 45, 1), (3, 50, 4), (3, 50, 6), (3, 44, 5), (3, 51, 2), (3, 7, 0)]
    assert all(map(sqlite_version.can_lose_rows, ill))
    assert "WAL-reset bug" in sqlite_version.described((3, 40, 1))
    assert sqlite_version.described((3, 53, 0)) == "SQLite 3.53.0"
    assert sqlite_version.troubles((3, 24, 0)) == []
    (old,) = sqlite_version.troubles((3, 22, 0))
    assert old.useless
    assert "3.22.0 is too old" in old.text
    monkeypatch.setitem(sys.modules, "pysqlite3", types.ModuleType("pysqlite3"))
    (other,) = sqlite_version.troubles()
    assert not other.useless
    assert other.text.startswith("pysqlite3 is loaded")


@pytest.mark.fault("S24", "S25")
def test_connections_are_set_up_as_measured(open_outbox):
    """Connections to the file are asked how they are set up.

    The schema is not trusted, nothing is checkpointed by itself, and what is deleted is
    overwritten.
    """
    for power_safe, synchronous in ((False, 1), (True, 2)):
        outbox = open_outbox(power_safe=power_safe, max_bytes=8_192_000)
        outbox.put([delivery("1")])
        with outbox._front.reading(1) as connection:
            found = {
                name: connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in (
                    "journal_mode", "synchronous", "wal_autocheckpoint", "secure_delete",
                    "trusted_schema", "page_size", "max_page_count", "busy_timeout",
                    "application_id",
                )
            }  # fmt: skip
        assert found == {
            "journal_mode": "wal",
            "synchronous": synchronous,
            "wal_autocheckpoint": 0,
            "secure_delete": 1,
            "trusted_schema": 0,
            "page_size": 1024,
            "max_page_count": 8000,
            "busy_timeout": 0,
            "application_id": int.from_bytes(b"CAPI"),
        }


@pytest.mark.fault("S24")
def test_sql_in_an_event_is_text(open_shop, sandbox):
    """Ids and names of events are SQL statements.

    They arrive as they are, and everything else does too.
    """
    shop = open_shop()
    names = ["'; DROP TABLE delivery; --", '" OR 1=1 --', "%s ? :1 {0}"]
    for number, name in enumerate(names):
        shop.client.track("Lead", event_id=name, user_data={"email": f"{number}@example.com"})
    shop.lead("last")
    until(lambda: accepted(sandbox) == sorted([*names, "last"]))


@pytest.mark.fault("S23")
@pytest.mark.repository
def test_the_package_brings_few_others_along():
    """The dependencies of the package are compared with a list.

    It is short, and a change of it is a change of this test.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[<>=]", each)[0] for each in project["dependencies"]}
    assert names == {
        "attrs",
        "blinker",
        "httpcore",
        "httpx",
        "orjson",
        "phonenumbers",
        "pluggy",
        "publicsuffixlist",
    }
