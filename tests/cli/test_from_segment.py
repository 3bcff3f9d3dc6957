from __future__ import annotations

import json

NOW = "2026-08-01T12:35:57Z"
ORDER = {
    "type": "track",
    "event": "Order Completed",
    "messageId": "m-1",
    "timestamp": "2026-08-01T12:34:56Z",
    "userId": 12345678901234567890,
    "properties": {"revenue": "25.00", "currency": "eur", "order_id": "O-1"},
    "context": {"traits": {"email": "jane@example.com"}},
}
MORE = """
[CAPI.SEGMENT.EVENTS."Demo Booked"]
EVENT = "Schedule"
CUSTOM_DATA = {plan = "properties.plan"}
[[CAPI.SEGMENT.EVENTS."Order Completed"]]
EVENT = "Purchase"
[[CAPI.SEGMENT.EVENTS."Order Completed"]]
EVENT = "FirstOrder"
"""


def lines(*messages):
    return b"".join(json.dumps(message).encode() + b"\n" for message in messages)


def answers(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_payload_shows_what_segment_messages_become(capi):
    result = capi("payload", "--from", "segment", "--now", NOW, stdin=lines(ORDER))
    assert result.returncode == 0, result.stderr
    (answer,) = answers(result)
    assert answer["event_id"] == "m-1"
    assert answer["payload"]["event_name"] == "Purchase"
    assert answer["payload"]["event_time"] == 1785587696
    assert answer["payload"]["custom_data"]["value"] == 25
    assert b"jane" not in result.stdout


def test_lines_that_are_no_event_are_told_with_their_numbers(capi):
    stdin = lines(ORDER) + b"\n" + lines({**ORDER, "type": "identify"}, 5) + b"{\n" + lines(ORDER)
    result = capi("payload", "--from", "segment", "--now", NOW, stdin=stdin)
    assert result.returncode == 1
    told = [(a["ok"], a.get("line"), a.get("event_id"), a.get("reason")) for a in answers(result)]
    assert told[0][:1] == told[4][:1] == (True,)
    assert told[1] == (False, 3, "m-1", "a call of type identify is no event")
    assert told[2] == (
        False, 4, None, 'not a Segment message: that is {"type": "track", ...}',
    )  # fmt: skip
    assert told[3][:2] == (False, 5)


def test_consent_of_a_message_is_heard_and_never_overruled(capi, config):
    refused = {**ORDER, "context": {"consent": {"categoryPreferences": {"Advertising": False}}}}
    agreed = {
        **ORDER,
        "context": {**ORDER["context"], "consent": {"categoryPreferences": {"Advertising": True}}},
    }
    result = capi(
        "--config", config(consent="denied"), "payload", "--from", "segment", "--now", NOW,
        stdin=lines(refused, agreed, ORDER),
    )  # fmt: skip
    assert [answer["ok"] for answer in answers(result)] == [False, True, False]
    result = capi(
        "--config", config(consent="denied"), "payload", "--from", "segment", "--now", NOW,
        "--consent", "granted", stdin=lines(refused, agreed, ORDER),
    )  # fmt: skip
    assert [answer["ok"] for answer in answers(result)] == [False, True, True]


def test_segment_messages_arrive_as_the_settings_map_them(capi, config, sandbox):
    fresh = {key: value for key, value in ORDER.items() if key != "timestamp"}
    booked = {**fresh, "messageId": "m-2", "event": "demo booked", "properties": {"plan": "pro"}}
    result = capi(
        "--config", config(sandbox.url, more=MORE), "send", "--from", "segment",
        stdin=lines(fresh, booked, {"type": "group"}),
    )  # fmt: skip
    assert result.returncode == 1
    found = [event.payload for event in sandbox.accepted()]
    assert [event["event_name"] for event in found] == ["Purchase", "FirstOrder", "Schedule"]
    assert found[2]["custom_data"] == {"plan": "pro"}
    told = sorted((a["line"], a["ok"]) for a in answers(result))
    assert told == [(1, True), (1, True), (2, True), (3, False)]
    assert b"3 delivered, 1 not delivered" in result.stderr


def test_a_mistake_in_the_settings_stops_before_the_first_line(capi, config):
    path = config(more="[CAPI.SEGMENT]\nCURRENCY = 'EURO'")
    result = capi("--config", path, "payload", "--from", "segment", stdin=lines(ORDER))
    assert result.returncode == 2
    assert b"CAPI['SEGMENT']['CURRENCY'] must be" in result.stderr
    assert result.stdout == b""
