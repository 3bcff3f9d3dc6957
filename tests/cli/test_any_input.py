from __future__ import annotations

import json
from functools import cache

import attrs
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from capi_plugins import Client, configure
from capi_plugins.cli.doors import Door
from capi_plugins.cli.group import group
from capi_plugins.cli.payload_command import TRIAL
from capi_plugins.events import Event, UserData

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)
groups = st.sampled_from(["user_data", "custom_data", "app_data", "original_event_data"])
fields = st.sampled_from(
    [*UserData.names(), "value", "currency", "contents", "content_ids", "extinfo", "properties"]
)
names = st.sampled_from([field.name for field in attrs.fields(Event)])
events = st.dictionaries(names | st.text(), values) | st.dictionaries(
    groups, st.dictionaries(fields, values)
)
named = events.map(lambda event: {"event_name": "Purchase", "action_source": "other", **event})


@cache
def client() -> Client:
    return configure(TRIAL)


def answers(stdin: bytes) -> list[dict]:
    result = CliRunner().invoke(
        group,
        ["payload", "--now", "1795341600"],
        input=stdin,
        obj=Door(client=client, where="here"),
    )
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return [json.loads(line) for line in result.stdout_bytes.splitlines()]


@settings(max_examples=300, deadline=None)
@given(st.lists(values | named, min_size=1, max_size=4))
def test_any_json_value_gets_an_answer(found):
    stdin = b"".join(json.dumps(value).encode() + b"\n" for value in found)
    told = answers(stdin)
    assert len(told) == len(found)
    assert not [answer for answer in told if "internal error" in answer.get("reason", "")]


@settings(max_examples=200, deadline=None)
@given(st.binary())
def test_any_bytes_get_answers(stdin):
    told = answers(stdin)
    assert len(told) == sum(bool(line.strip()) for line in stdin.split(b"\n"))
