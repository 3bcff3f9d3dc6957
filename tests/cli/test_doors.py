"""``capi``, ``manage.py capi`` and ``flask capi`` are one thing behind three doors."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from capi_plugins import Event, configure

CAPI = Path(sys.executable).with_name("capi")
DOORS = ("console", "django", "flask")
SETTINGS = {
    "DESTINATIONS": {"meta": {"DATASET_ID": "1", "ACCESS_TOKEN": "t"}},
    "CONSENT": {"DEFAULT": "denied"},
    "AUTOLOAD": False,
}
LEAD = {"event_name": "Lead", "action_source": "email"}
LINES = b"\n".join(
    [
        json.dumps(
            {**LEAD, "consent": "granted", "user_data": {"email": "a@example.com", "x": 1}}
        ).encode(),
        json.dumps({**LEAD, "user_data": {"email": "a@example.com"}}).encode(),
        b"",
        b"nonsense",
    ]
)


def call(door: str, folder: Path, settings: object, *arguments: str, stdin: bytes = b""):
    if door == "console":
        path = folder / "capi.toml"
        path.write_text("".join(_toml("CAPI", settings)))
        command = [str(CAPI), "--config", str(path)]
    elif door == "django":
        pytest.importorskip("capi_django.management.commands.capi")
        (folder / "host_settings.py").write_text(
            f"SECRET_KEY = 'x'\nINSTALLED_APPS = ['capi_django']\nCAPI = {settings!r}\n"
            "MIDDLEWARE = ['capi_django.middleware.CapiMiddleware']\n"
        )
        command = [sys.executable, "-m", "django", "capi", "--settings=host_settings"]
        command += ["--pythonpath=."]
    else:
        pytest.importorskip("capi_flask.cli")
        (folder / "host_app.py").write_text(
            "from flask import Flask\nfrom capi_flask import Capi\n\n\n"
            "def create_app():\n    app = Flask(__name__)\n"
            f"    app.config['CAPI'] = {settings!r}\n    Capi(app)\n    return app\n"
        )
        command = [sys.executable, "-m", "flask", "--app", "host_app", "capi"]
    return subprocess.run(
        [*command, *arguments], input=stdin, capture_output=True, cwd=folder, check=False
    )


def _toml(path: str, data: dict):
    tables = {key: value for key, value in data.items() if isinstance(value, dict)}
    yield f"[{path}]\n"
    for key, value in data.items():
        if key not in tables:
            yield f"{key} = {json.dumps(value)}\n"
    for key, value in tables.items():
        yield from _toml(f"{path}.{key}", value)


@pytest.mark.parametrize("door", DOORS)
def test_payload_is_the_same_through_every_door(door, tmp_path):
    result = call(door, tmp_path, SETTINGS, "payload", "--now=1795341600", stdin=LINES)
    assert result.returncode == 1, result.stderr
    good, held, bad = map(json.loads, result.stdout.splitlines())
    assert good["payload"]["event_time"] == 1795341600
    assert good["notes"] == [{"field": "user_data.x", "reason": "is not a field of user_data"}]
    assert (held["line"], held["destination"], held["ok"]) == (2, "meta", False)
    assert (bad["line"], bad["ok"]) == (4, False)
    assert result.stderr == b""


@pytest.mark.parametrize("door", DOORS)
def test_mistakes_are_told_the_same_way_through_every_door(door, tmp_path):
    settings = {**SETTINGS, "PAGE_VEW": True, "COLOUR": 1}
    result = call(door, tmp_path, settings, "payload", stdin=LINES)
    assert result.returncode == 2
    assert result.stdout == b""
    told = [line for line in result.stderr.decode().splitlines() if line.startswith("Error: ")]
    assert [line.partition(" is ")[0] for line in told] == [
        "Error: CAPI['PAGE_VEW']",
        "Error: CAPI['COLOUR']",
    ]
    assert "Traceback" not in result.stderr.decode()


@pytest.mark.parametrize("door", DOORS)
def test_check_and_plugins_work_through_every_door(door, tmp_path):
    result = call(door, tmp_path, SETTINGS, "check", "--json")
    problems = json.loads(result.stdout)["problems"]
    assert [p for p in problems if p["level"] == "error"] == [], result.stdout
    assert result.returncode == 0
    result = call(door, tmp_path, SETTINGS, "plugins", "--json")
    assert result.returncode == 0
    events = [trigger["event"] for trigger in json.loads(result.stdout)["triggers"]]
    assert "PageView" in events


@pytest.mark.parametrize("door", DOORS)
def test_check_tells_mistakes_through_every_door(door, tmp_path):
    result = call(door, tmp_path, {**SETTINGS, "PAGE_VEW": True}, "check")
    assert result.returncode == 1
    assert b"did you mean 'PAGE_VIEW'?" in result.stdout
    assert b"Traceback" not in result.stderr


@pytest.mark.parametrize("door", DOORS)
def test_events_are_sent_through_every_door(door, tmp_path, sandbox):
    meta = {"DATASET_ID": "1234567890", "ACCESS_TOKEN": "sandbox-token", "API_URL": sandbox.url}
    settings = {**SETTINGS, "DESTINATIONS": {"meta": meta}}
    result = call(door, tmp_path, settings, "send", stdin=LINES)
    assert result.returncode == 1
    told = {answer["line"]: answer["ok"] for answer in map(json.loads, result.stdout.splitlines())}
    assert told == {1: True, 2: False, 4: False}
    assert len(sandbox.accepted()) == 1
    assert b"1 delivered, 2 not delivered." in result.stderr


@pytest.mark.parametrize("door", DOORS)
def test_the_outbox_is_looked_after_through_every_door(door, tmp_path, sandbox):
    meta = {"DATASET_ID": "1234567890", "ACCESS_TOKEN": "sandbox-token", "API_URL": sandbox.url}
    outbox = f"sqlite:///{tmp_path}/box/outbox.sqlite3"
    settings = {
        **SETTINGS,
        "DESTINATIONS": {"meta": meta},
        "CONSENT": {"DEFAULT": "granted"},
        "DELIVERY": {"OUTBOX": outbox, "WORKER": "external"},
    }
    client = configure(settings, environ={})
    client.capture(Event.from_dict({**LEAD, "user_data": {"email": "a@example.com"}}))
    result = call(door, tmp_path, settings, "deliver", "--once")
    assert result.returncode == 0, result.stderr
    assert len(sandbox.accepted()) == 1
    assert b"destination meta: 1 delivered" in result.stderr
    assert client.stats().waiting == 0
    client.close()
    result = call(door, tmp_path, settings, "status", "--json")
    assert json.loads(result.stdout)["destinations"][0]["state"] == "ok", result.stderr
    assert call(door, tmp_path, settings, "dead", "list").stdout == b"No dead letters.\n"
    result = call(door, tmp_path, settings, "forget", "--email", "a@example.com")
    assert b": 0 removed" in result.stdout


@pytest.mark.parametrize("door", DOORS)
def test_usage_mistakes_end_with_the_same_status(door, tmp_path):
    assert call(door, tmp_path, SETTINGS, "payload", "--nonsense").returncode == 2
    assert call(door, tmp_path, SETTINGS, "no-such-command").returncode == 2
    assert call(door, tmp_path, SETTINGS, "--help").returncode == 0
