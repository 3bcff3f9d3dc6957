"""``manage.py capi``: the shared command group, behind Django's door."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command

PROJECT = Path(__file__).parent / "project"
CAPI = {
    "DESTINATIONS": {"meta": {"DATASET_ID": "1234567890", "ACCESS_TOKEN": "test-token"}},
    "CONSENT": {"DEFAULT": "granted"},
}
EVENT = {"event_name": "Lead", "user_data": {"email": "Ada@Example.com"}}


@pytest.fixture
def manage(tmp_path):
    def run(*arguments, capi=CAPI, stdin="", **more):
        environ = {
            **os.environ,
            "BOOKSHOP_CAPI": json.dumps(capi),
            "BOOKSHOP_DATABASE": str(tmp_path / "shop.sqlite3"),
            **more,
        }
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=PROJECT,
            env=environ,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_help_is_that_of_the_group(manage):
    done = manage("capi", "--help")
    assert done.returncode == 0
    assert "Usage: manage.py capi" in done.stdout
    assert "payload" in done.stdout


def test_payload_is_a_dry_run_with_the_settings_of_the_project(manage):
    event = json.dumps({**EVENT, "action_source": "physical_store"})
    done = manage("capi", "payload", stdin=event)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["ok"] is True
    assert answer["destination"] == "meta"


def test_djangos_own_options_are_django_s(manage):
    done = manage("capi", "plugins", "--settings", "bookshop.settings", "--pythonpath=.")
    assert done.returncode == 0, done.stderr
    assert "page_view" in done.stdout


def test_wrong_settings_are_told_and_not_raised(manage):
    done = manage("capi", "plugins", capi={"DESTINATION": {}})
    assert done.returncode == 2
    assert "did you mean 'DESTINATIONS'?" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_command_is_a_usage_error(manage):
    done = manage("capi", "plugin")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_call_command_runs_it(configure, capsys):
    configure()
    call_command("capi", "plugins")
    assert "page_view" in capsys.readouterr().out


def test_check_shows_every_problem_and_fails(manage):
    done = manage("check", capi={"DESTINATION": {}, "CONSENTS": {}})
    assert done.returncode == 1
    assert done.stderr.count("(capi_django.E001)") == 2


def test_migrations_are_complete(manage):
    done = manage("makemigrations", "--check", "--dry-run")
    assert done.returncode == 0, done.stdout
