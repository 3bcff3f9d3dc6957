from __future__ import annotations

import json

import pytest

from capi_plugins.cli.doors import Door, Problem
from capi_plugins.cli.findings import find

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


def door(raw, **more) -> Door:
    from capi_plugins import configure

    raw = {"CONSENT": {"DEFAULT": "granted"}, **raw}
    return Door(client=lambda: configure(raw), where="here", **more)
