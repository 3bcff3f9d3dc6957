"""``manage.py capi status`` on the database outbox: what other processes have found out."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import attrs
import pytest

from capi_plugins.sandbox import Fault, Sandbox
from tests.on_django import databases
from tests.on_django.conftest import PROJECT, Tables


@pytest.fixture
def engine():
    """One will do: the suites try the others."""
    return "postgresql"


@pytest.fixture
def sandbox():
    with Sandbox(datasets={"1234567890": "right-token"}) as running:
        yield running


@pytest.fixture
def manage(tables: Tables, sandbox):
    def run(*arguments, token="right-token", tables=tables):
        capi = {
            "DESTINATIONS": {
                "meta": {
                    "DATASET_ID": "1234567890",
                    "ACCESS_TOKEN": token,
                    "API_URL": sandbox.url,
                }
            },
            "CONSENT": {"DEFAULT": "granted"},
            "DELIVERY": {"WORKER": "external"},
            "AUTOLOAD": False,
        }
        return subprocess.run(
            [sys.executable, "-W", "ignore", "manage.py", *arguments],
            cwd=PROJECT,
            env={
                **os.environ,
                "BOOKSHOP_CAPI": json.dumps(capi),
                "BOOKSHOP_DATABASES": json.dumps({"default": tables.settings}),
                "NO_PROXY": "127.0.0.1",
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


LEAD = (
    "import capi_django; capi_django.track('Lead', event_id='1', action_source='email', "
    "user_data={'email': 'ada@example.com'})"
)


def status(done):
    return json.loads(done.stdout)


def test_another_process_knows_that_a_destination_is_stopped_and_that_it_is_mended(manage, sandbox):
    assert manage("shell", "-v", "0", "-c", LEAD).returncode == 0
    fresh = manage("capi", "status", "--json")
    assert fresh.returncode == 0, fresh.stderr
    assert status(fresh)["sender"] == "idle"
    assert [each["state"] for each in status(fresh)["destinations"]] == ["not tried"]

    for _ in range(3):
        done = manage("capi", "deliver", "--once", token="wrong-token")
        assert done.returncode in (0, 1), done.stderr
    assert len(sandbox.requests) == 1

    stopped = manage("capi", "status", "--json", token="wrong-token")
    assert stopped.returncode == 1
    (destination,) = status(stopped)["destinations"]
    assert destination["state"] == "stopped"
    assert "the access token is not valid" in destination["reason"]
    assert status(stopped)["sender"] == "at work"
    assert "wrong-token" not in stopped.stdout + stopped.stderr

    assert manage("capi", "deliver", "--once").returncode == 0
    mended = manage("capi", "status", "--json")
    assert mended.returncode == 0
    (destination,) = status(mended)["destinations"]
    assert (destination["state"], status(mended)["waiting"]) == ("ok", 0)
    assert [event.payload["event_id"] for event in sandbox.accepted()] == ["1"]


def test_a_person_is_erased_from_what_waits_and_from_what_died(manage, sandbox):
    sandbox.inject(Fault.error(100, 2804003, status=400, times=1))
    lead = LEAD.replace("import capi_django; ", "")
    other = lead.replace("ada@", "grace@").replace("'1'", "'2'")
    assert manage("shell", "-v", "0", "-c", f"import capi_django; {lead}").returncode == 0
    assert manage("capi", "deliver", "--once").returncode == 1
    more = lead.replace("'1'", "'3'")
    code = f"import capi_django; {other}; {more}"
    assert manage("shell", "-v", "0", "-c", code).returncode == 0
    found = status(manage("capi", "status", "--json"))
    assert (found["waiting"], found["dead"]) == (2, 1)

    done = manage("capi", "forget", "--email", " ADA@example.com")
    assert done.returncode == 0, done.stderr
    assert "2 removed" in done.stdout
    assert "may have left" in done.stdout
    assert "ada" not in (done.stdout + done.stderr).lower()
    found = status(manage("capi", "status", "--json"))
    assert (found["waiting"], found["dead"]) == (1, 0)
    assert manage("capi", "deliver", "--once").returncode == 0
    assert [event.payload["event_id"] for event in sandbox.accepted()] == ["2"]


def test_with_tables_of_an_earlier_release_status_does_without(manage, tables):
    databases.migrated(tables.alias, "capi_django", "0001")
    try:
        done = manage("capi", "status", "--json")
        assert done.returncode == 0, done.stderr
        assert status(done)["sender"] == "unknown"
        assert "the noticeboard cannot be read" in done.stderr
    finally:
        databases.migrated(tables.alias, "capi_django")


def test_a_database_without_the_tables_is_an_error_of_check_and_of_status(manage, tables):
    databases.migrated(tables.alias, "capi_django", "zero")
    try:
        for command in ("check", "status"):
            done = manage("capi", command)
            assert done.returncode == 1, done.stderr
            told = " ".join(done.stdout.split())
            assert "cannot be used: its tables are missing, run 'manage.py migrate" in told
            assert "Traceback" not in done.stderr
    finally:
        databases.migrated(tables.alias, "capi_django")


def test_a_database_that_is_down_is_an_error_of_check_and_of_status(manage, tables):
    tables = attrs.evolve(tables, settings={**tables.settings, "PORT": "1"})
    for command in ("check", "status"):
        done = manage("capi", command, tables=tables)
        assert done.returncode == 1, done.stderr
        assert "cannot be used: OperationalError" in " ".join(done.stdout.split())
        assert "Traceback" not in done.stderr
    done = manage("capi", "forget", "--email", "ada@example.com", tables=tables)
    assert done.returncode == 1
    assert done.stderr.endswith("Nothing was removed, try again.\n")


def test_what_became_of_an_event_is_known_to_every_process_without_any_setting(manage):
    assert manage("shell", "-v", "0", "-c", LEAD).returncode == 0
    waiting = manage("capi", "explain", "ada@example.com")
    assert waiting.returncode == 1
    assert "captured: by track()" in manage("capi", "explain", "1").stdout
    assert manage("capi", "deliver", "--once").returncode == 0
    done = manage("capi", "explain", "ada@example.com", "--json")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["stage"] for line in lines] == ["captured", "delivered"]
    assert "ada@example.com" not in done.stdout
    assert manage("capi", "forget", "--email", "ada@example.com").returncode == 0
    assert manage("capi", "explain", "ada@example.com").returncode == 1


def test_commands_before_the_migration_say_what_to_do(manage, tmp_path):
    settings = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "new.sqlite3")}
    for command in (["explain", "1001"], ["dead", "list"]):
        done = manage("capi", *command, tables=Tables("new", settings))
        assert done.returncode == 1
        assert done.stderr.endswith(
            "Error: the outbox cannot be read: its tables are missing, run 'manage.py migrate "
            "capi_django'\n"
        )
