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

    def run(*arguments, app=APP % "", stdin="", sending=""):
        if app:
            (tmp_path / "app.py").write_text(app)
        return subprocess.run(
            [sys.executable, "-m", "flask", *arguments],
            cwd=tmp_path,
            env={
                **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
                "CAPI_SENDING": sending,
            },
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


MISTAKES = """
from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix
from capi_flask import Capi

class Order:
    total = 0

app = Flask(__name__)
app.config["CAPI"] = {
    "DESTINATIONS": {"meta": {"DATASET_ID": "1234567890123456", "ACCESS_TOKEN": "secret-token"}},
    "CONSENT": {"DEFAULT": "granted"},
    "DELIVERY": {"OUTBOX": "memory"},
    "SEGMENT": {"WRITE_KEYS": ["web"]},
    "TRIGGERS": [
        {"ON": "request", "ROUTE": "hom", "EVENT": "Lead"},
        {"ON": "request", "ROUTE": "home", "EVENT": "Contact"},
        {"ON": "request", "ROUTE": "home", "EVENT": "Contact"},
        {"ON": "model", "MODEL": "app.Order", "CHANGED": {"payed": True}, "EVENT": "Purchase",
         "CUSTOM_DATA": {"value": "instance.totl"}},
    ],
}
app.wsgi_app = ProxyFix(app.wsgi_app, x_for=0, x_host=1)
Capi(app)

@app.get("/")
def home():
    return ""
"""


def test_check_looks_at_the_app(run):
    done = run("capi", "check", "--json", app=MISTAKES)
    assert done.returncode == 1
    told = {each["text"]: each["level"] for each in json.loads(done.stdout)["problems"]}

    def level(*parts):
        (found,) = [told[text] for text in told if all(part in text for part in parts)]
        return found

    assert level("ROUTE 'hom' is not an endpoint of the app; did you mean 'home'?") == "warn"
    assert level("CAPI['TRIGGERS'][1] and CAPI['TRIGGERS'][2] both make Contact") == "warn"
    assert level("CAPI['TRIGGERS'][3]", "without currency") == "error"
    assert level("CAPI['TRIGGERS'][3]", "'instance.totl' leads nowhere") == "warn"
    assert level("CHANGED names 'payed'") == "error"
    assert level("analytics.js tells of page views too") == "warn"
    assert level("ProxyFix tells of a proxy") == "warn"
    assert level("'memory', and the app is not in debug mode") == "warn"
    assert "nothing is sent" not in done.stdout


def test_check_says_that_sending_is_off(run):
    done = run("capi", "check", sending="off")
    assert "nothing is sent: CAPI_SENDING is 'off'" in " ".join(done.stdout.split())


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
