from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

pytest.importorskip("rich")

APP = """
from flask import Flask
from capi_flask import Capi

app = Flask(__name__)
app.config["CAPI"] = {
    "DESTINATIONS": {"meta": {"DATASET_ID": "1234567890123456", "ACCESS_TOKEN": "secret-token"}},
    "CONSENT": {"DEFAULT": "granted"},
    "DELIVERY": {"OUTBOX": "memory"},
    "TRIGGERS": [{"ON": "request", "ROUTE": "home", "EVENT": "Lead"}%s],
}
Capi(app)
"""
WRONG = ', {"ON": "signal", "SIGNAL": "json.no_signal", "EVENT": "Lead"}'


@pytest.fixture
def run(tmp_path):
    """Returns a function that runs ``flask ARGUMENTS`` beside an ``app.py``."""

    def run(*arguments, app=APP % "", stdin=""):
        if app:
            (tmp_path / "app.py").write_text(app)
        return subprocess.run(
            [sys.executable, "-m", "flask", *arguments],
            cwd=tmp_path,
            env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_flask_help_names_the_group_without_an_app(run):
    done = run("capi", "--help", app=None)
    assert done.returncode == 0
    assert "Usage: flask capi" in done.stdout


def test_check_reads_the_apps_configuration(run):
    done = run("capi", "check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "app.config['CAPI'] has no mistakes" in done.stdout
    assert "secret-token" not in done.stdout + done.stderr


def test_check_finds_signals_that_are_not_there(run):
    done = run("capi", "check", app=APP % WRONG)
    assert done.returncode == 1
    assert "CAPI['TRIGGERS'][1]['SIGNAL']" in done.stdout


def test_payload_shows_what_would_be_sent(run):
    event = {"event_name": "Lead", "event_id": "7", "user_data": {"email": "ada@example.com"}}
    done = run("capi", "payload", stdin=json.dumps(event) + "\n")
    assert done.returncode == 0, done.stderr
    line = json.loads(done.stdout)
    assert line["ok"] is True
    assert line["event_id"] == "7"


def test_app_without_the_extension_is_told_what_to_do(run):
    done = run("capi", "check", app="from flask import Flask\napp = Flask(__name__)\n")
    assert done.returncode == 1
    assert "call Capi(app)" in done.stdout


def test_wrong_configuration_names_every_mistake(run):
    done = run("capi", "check", app=APP.replace("DATASET_ID", "DATASETID") % "")
    assert done.returncode == 1
    assert "'DATASET_ID'?" in done.stdout
    assert "DATASETID" in done.stdout
    assert "secret-token" not in done.stdout + done.stderr


def test_extension_loads_neither_sqlalchemy_nor_flask_login(run, tmp_path):
    script = APP % ', {"ON": "model", "MODEL": "app.Order", "EVENT": "Purchase"}'
    script += """
app.test_client().get("/")
import sys
print(sorted({"sqlalchemy", "flask_login", "httpx", "django", "click", "rich"} & set(sys.modules)))
"""
    (tmp_path / "script.py").write_text(script)
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    # Flask itself loads click.
    assert done.stdout.strip() == "['click']", done.stderr
