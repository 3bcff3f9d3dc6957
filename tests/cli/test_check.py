from __future__ import annotations

import json
import sqlite3
import sys
import time
import types

import pytest

from capi_plugins.cli.doors import Door, Problem
from capi_plugins.cli.findings import find
from capi_plugins.outbox.base import Delivery
from capi_plugins.outbox.memory import MemoryOutbox
from capi_plugins.outbox.sqlite import SqliteOutbox

NOW = 1795341600.0


def test_good_settings_are_in_order(capi, config):
    result = capi("--config", config(), "check")
    assert result.returncode == 0
    assert b"0 errors, 0 warnings." in result.stdout


def test_every_mistake_is_told_and_no_secret(capi, tmp_path):
    (tmp_path / "bad.toml").write_text(
        "COLOUR = 1\n[DESTINATIONS.meta]\nDATASET_ID = '1'\nACESS_TOKEN = 'hush'\n"
    )
    result = capi("--config", "bad.toml", "check", "--json")
    assert result.returncode == 1
    texts = [problem["text"] for problem in json.loads(result.stdout)["problems"]]
    assert any("['COLOUR'] is not a setting" in text for text in texts)
    assert any("did you mean 'ACCESS_TOKEN'?" in text for text in texts)
    assert any("['CONSENT']['DEFAULT'] is required" in text for text in texts)
    assert b"hush" not in result.stdout


def test_without_configuration_it_says_what_is_missing(capi):
    result = capi("check")
    assert result.returncode == 1
    assert b"CAPI_CONFIG" in result.stdout


@pytest.mark.parametrize(
    ("version", "level"),
    [("v26.0", None), ("v21.0", "warn"), ("v20.0", "error"), ("v99.0", "warn")],
)
def test_the_end_of_an_api_version_is_told(version, level):
    destination = {"DATASET_ID": "1", "ACCESS_TOKEN": "t", "API_VERSION": version}
    _, found = find(door({"DESTINATIONS": {"meta": destination}}), NOW)
    levels = [problem.level for problem in found if version in problem.text]
    assert levels == ([level] if level else [])


def test_things_that_do_not_belong_into_production_are_warned_of():
    destination = {
        "DATASET_ID": "1",
        "ACCESS_TOKEN": "t",
        "TEST_EVENT_CODE": "TEST1",
        "API_URL": "http://127.0.0.1:1",
    }
    raw = {"DESTINATIONS": {"meta": destination}, "CONSENT": {"DEFAULT": "denied"}}
    _, found = find(door(raw), NOW)
    warned = " ".join(problem.text for problem in found if problem.level == "warn")
    assert "TEST_EVENT_CODE" in warned
    assert "not to Meta itself" in warned
    assert "no banner is read" in warned


def test_a_clock_that_cannot_be_right_is_an_error():
    _, found = find(door({}), 0.0)
    assert "error" in [problem.level for problem in found if "clock" in problem.text]


def test_the_checks_of_the_adapter_are_part_of_it_even_when_they_fail():
    _, found = find(door({}, checks=lambda: [Problem("warn", "mind the middleware")]), NOW)
    assert Problem("warn", "mind the middleware") in found

    def fails():
        raise OSError("secret")

    _, found = find(door({}, checks=fails), NOW)
    assert found[-1].level == "error"
    assert "secret" not in found[-1].text


def test_live_sends_one_event_and_shows_the_trace(capi, config, sandbox):
    result = capi("--config", config(sandbox.url), "check", "--live")
    assert result.returncode == 0, result.stdout
    assert b"fbtrace_id" in result.stdout
    assert [event.name for event in sandbox.accepted()] == ["CapiCheck"]


def test_live_says_what_to_do_about_a_refused_token_and_never_shows_it(capi, config, sandbox):
    path = config(sandbox.url, token="no-such-token")
    result = capi("--config", path, "check", "--live")
    assert result.returncode == 1
    assert b"make a new access token" in result.stdout
    assert b"no-such-token" not in result.stdout + result.stderr


def test_live_says_where_nobody_answers(capi, config, sandbox):
    path = config(sandbox.url)
    sandbox.stop()
    result = capi("--config", path, "check", "--live")
    assert result.returncode == 1
    assert b"no answer from 127.0.0.1" in result.stdout


# ------------------------------------------------------------------ the outbox


def put_ago(tmp_path, seconds, count=1):
    """Put deliveries as a process did some seconds ago."""
    path = tmp_path / "box" / "outbox.sqlite3"
    outbox = SqliteOutbox(path, clock=lambda: time.time() - seconds)
    names = [str(number) for number in range(count)]
    outbox.put(
        [
            Delivery(destination="meta", event_name="Lead", event_id=name, payload=b"{}")
            for name in names
        ]
    )
    outbox.close()


@pytest.fixture
def problems(capi):
    def problems(*, status):
        result = capi("--config", "capi.toml", "check", "--json")
        assert result.returncode == status, result.stdout + result.stderr
        return [
            (each["level"], each["text"], each["hint"])
            for each in json.loads(result.stdout)["problems"]
            if each["level"] != "ok" and "not to Meta itself" not in each["text"]
        ]

    return problems


def test_what_waits_and_nobody_sends_is_warned_of_with_the_setting(shop, tmp_path, problems, capi):
    shop()
    put_ago(tmp_path, 3 * 3600 + 5, count=12)
    assert problems(status=0) == [
        (
            "warn",
            "12 waiting, the oldest for 3 hours, and nobody sends",
            "CAPI['DELIVERY']['WORKER'] is 'external': is capi deliver running?",
        )
    ]
    result = capi("--config", "capi.toml", "status")
    assert result.returncode == 1
    assert b"ERROR  12 waiting, the oldest for 3 hours, and nobody sends" in result.stdout


def test_what_was_just_put_is_nothing_to_warn_of(shop, tmp_path, problems):
    shop()
    put_ago(tmp_path, 5)
    assert problems(status=0) == []


def test_an_outbox_that_cannot_be_used_is_an_error(shop, file_of_another_program, problems):
    shop()
    ((level, text, hint),) = problems(status=1)
    assert level == "error"
    assert text.startswith("outbox 'sqlite:///")
    assert " cannot be used: " in text
    assert "in the memory of the processes" in hint


def test_the_version_of_sqlite_is_told_where_it_matters(shop, capi, config):
    version = f"SQLite {sqlite3.sqlite_version}".encode()
    assert version not in capi("--config", config(), "check").stdout
    shop()
    assert version in capi("--config", "capi.toml", "check").stdout


def test_a_second_sqlite_in_the_process_is_warned_of(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pysqlite3", types.ModuleType("pysqlite3"))
    raw = {
        "DESTINATIONS": {"meta": {"DATASET_ID": "1234567890", "ACCESS_TOKEN": "EAAB"}},
        "CONSENT": {"DEFAULT": "granted"},
        "DELIVERY": {"OUTBOX": f"sqlite:///{tmp_path}/box/outbox.sqlite3"},
    }
    _, found = find(door(raw), time.time())
    (told,) = [problem for problem in found if problem.level == "warn"]
    assert told.text == "pysqlite3 is loaded beside Python's own SQLite"


def test_a_stopped_destination_is_an_error_with_its_reason(shop, lead, capi, problems):
    lead(shop(token="wrong-token"), "1")
    capi("--config", "capi.toml", "deliver", "--once")
    ((level, text, hint),) = problems(status=1)
    assert level == "error"
    assert text.startswith("destination meta is stopped, its events are kept: the access token")
    assert "tried again in" in hint


class Untold(MemoryOutbox):
    """An outbox that processes share and that has no noticeboard."""

    durable = True

    def __init__(self, _settings):
        super().__init__()
        put_at = time.time() - 3600
        self._clock = lambda: put_at
        self.put([Delivery(destination="meta", event_name="Lead", event_id="1", payload=b"{}")])


def test_where_nobody_can_know_who_sends_it_says_for_how_long_something_waits():
    raw = {"DELIVERY": {"OUTBOX": f"{__name__}.Untold", "WORKER": "external"}}
    _, found = find(door(raw), time.time())
    assert [problem.text for problem in found if "waiting" in problem.text][1:] == [
        "1 waiting, the oldest for 60 minutes"
    ]


def door(raw, **more) -> Door:
    from capi_plugins import configure

    raw = {"CONSENT": {"DEFAULT": "granted"}, **raw}
    return Door(client=lambda: configure(raw), where="here", **more)
