"""docs/segment.md: what it shows works as it is shown."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from capi_plugins import configure
from capi_plugins.segment import body, ingest_options, taps, tracking, webhooks
from tests.segment.test_tracking_api import BASIC

pytestmark = pytest.mark.repository

PAGE = (Path(__file__).parents[2] / "docs/segment.md").read_text()


def section(title):
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_a_django_host_is_pointed_at_in_less_than_ten_lines():
    (code,) = blocks(section("Over HTTP"), "python")
    assert len(code.splitlines()) < 10
    known = {
        "INSTALLED_APPS": [],
        "MIDDLEWARE": [],
        "urlpatterns": [],
        "env": {"META_TOKEN": "EAAB"},
        "path": lambda *arguments: arguments,
        "include": lambda name: name,
    }
    exec(code, known)
    assert known["urlpatterns"] == [("capi/", "capi_django.urls")]
    client = configure(known["CAPI"], environ={})
    assert set(client.sources) == {"tracking"}
    client.close(0)


def test_the_command_shown_is_answered_as_shown(api):
    (text,) = blocks(section("Over HTTP"), "console")
    command, answer = text.splitlines()
    _, curl, _, key, url, _, data = shlex.split(command)
    assert (curl, key) == ("curl", "web:")
    path = url.removeprefix("https://shop.example/capi/")
    got = api(path, data.encode(), authorization=BASIC)
    assert (got.status, got.data) == (200, json.loads(answer))
    assert [event["event_name"] for event in got.events] == ["CompleteRegistration"]


@pytest.mark.parametrize("title", ["Webhooks", "Taps"])
def test_the_settings_shown_are_right(title):
    (code,) = blocks(section(title), "python")
    env = {"SEGMENT_SECRET": "long enough", "RUDDER_SECRET": "long enough"}
    client = configure(eval(f"{{{code}}}", {"env": env}), environ={})
    assert set(client.sources) == (set(webhooks.WEBHOOKS) if title == "Webhooks" else set())
    client.close(0)


def test_the_limits_are_those_of_the_code():
    text = section("Over HTTP")
    for number in (body.MOST_BYTES, body.MOST_MESSAGE_BYTES, body.MOST_MESSAGES):
        assert f"{number:,}" in text
    assert f"| `RATE` | `{ingest_options.IngestOptions().rate}` |" in PAGE
    assert all(f"`{name}`" in text or f"/v1/{name}" in text for name in [*list(tracking.CALLS)[:6]])
    assert all(f'| `"{name}"` |' in section("Taps") for name in taps.LIBRARIES)


def test_every_setting_is_in_the_table():
    found = set(re.findall(r"^\| `([A-Z_]+)` \|", section("Settings"), re.MULTILINE))
    problems = []
    from capi_plugins.section import Section
    from capi_plugins.segment.options import read_options

    asked = []
    done = Section.done

    class Noting(Section):
        def done(self):
            asked.extend(self._taken)
            done(self)

    import capi_plugins.segment.options as module

    before = module.Section
    module.Section = Noting
    try:
        read_options({}, problems, lambda *_: None)
    finally:
        module.Section = before
    assert found == set(asked)
