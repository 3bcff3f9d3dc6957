from __future__ import annotations

import json
import signal

import pytest

from capi_plugins.sandbox import Fault


def purchase(number: int, **more: object) -> dict[str, object]:
    return {
        "event_name": "Purchase",
        "event_id": f"Purchase.{number}",
        "action_source": "physical_store",
        "user_data": {"email": f"buyer{number}@example.com"},
        "custom_data": {"value": 9.5, "currency": "EUR"},
        **more,
    }


def lines(*events: object) -> bytes:
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


def answers(result) -> dict[int, dict]:
    return {answer["line"]: answer for answer in map(json.loads, result.stdout.splitlines())}


def test_events_arrive_and_each_is_answered(capi, config, sandbox):
    stdin = lines(*(purchase(number) for number in range(5)))
    result = capi("--config", config(sandbox.url), "send", stdin=stdin)
    assert result.returncode == 0, result.stderr
    assert [event.payload["event_id"] for event in sandbox.accepted()] == [
        f"Purchase.{number}" for number in range(5)
    ]
    assert answers(result)[3] == {
        "ok": True,
        "event_id": "Purchase.2",
        "destination": "meta",
        "line": 3,
    }
    assert b"5 delivered, 0 not delivered." in result.stderr


def test_what_cannot_be_sent_is_told_and_the_rest_arrives(capi, config, sandbox):
    stdin = lines(purchase(1), "nonsense", purchase(2), purchase(1), {"event_id": "x"})
    result = capi("--config", config(sandbox.url), "send", stdin=stdin)
    assert result.returncode == 1
    told = answers(result)
    assert [told[number]["ok"] for number in range(1, 6)] == [True, False, True, False, False]
    assert "duplicate" in told[4]["reason"]
    assert len(sandbox.accepted()) == 2


def test_thousands_of_lines_pass_a_queue_that_holds_fewer(capi, config, sandbox, tmp_path):
    path = tmp_path / "many.jsonl"
    path.write_bytes(lines(*(purchase(number) for number in range(6_000))))
    more = "[CAPI.DELIVERY]\nQUEUE_SIZE = 10\nBATCH_SIZE = 500"
    result = capi("--config", config(sandbox.url, more=more), "send", path)
    assert result.returncode == 0, result.stderr
    assert len(sandbox.accepted()) == 6_000
    assert len(answers(result)) == 6_000


def test_consent_is_needed_to_send_as_well(capi, config, sandbox):
    path = config(sandbox.url, consent="denied")
    refused = capi("--config", path, "send", stdin=lines(purchase(1)))
    assert refused.returncode == 1
    assert "consent" in answers(refused)[1]["reason"]
    assert sandbox.requests == []
    asserted = capi("--config", path, "send", "--consent=granted", stdin=lines(purchase(1)))
    assert asserted.returncode == 0
    assert len(sandbox.accepted()) == 1


def test_a_refused_token_ends_it_early_and_tells_how_much_was_not_sent(
    capi, config, sandbox, tmp_path
):
    path = tmp_path / "many.jsonl"
    path.write_bytes(lines(*(purchase(number) for number in range(9_000))))
    result = capi("--config", config(sandbox.url, token="no-such-token"), "send", path)
    assert result.returncode == 1
    told = answers(result)
    assert not any(answer["ok"] for answer in told.values())
    assert "not sent" in told[1]["reason"]
    assert "code 190" in told[1]["reason"]
    last = result.stderr.decode().splitlines()[-1]
    assert f"0 delivered, {len(told):,} not delivered; {9_000 - len(told):,} lines after" in last
    assert b"access token" in result.stderr
    assert b"no-such-token" not in result.stderr + result.stdout


def test_a_passing_fault_costs_time_and_nothing_else(capi, config, sandbox):
    sandbox.inject(Fault.server_error())
    result = capi("--config", config(sandbox.url), "send", stdin=lines(purchase(1)))
    assert result.returncode == 0
    assert b"trying again" in result.stderr
    assert len(sandbox.accepted()) == 1


def test_it_gives_up_when_nothing_moves(capi, config, sandbox):
    sandbox.inject(Fault.hang())
    result = capi(
        "--config", config(sandbox.url), "send", "--timeout=0.5", stdin=lines(purchase(1))
    )
    assert result.returncode == 1
    assert answers(result)[1]["ok"] is False
    assert b"nothing was settled for 0.5 seconds" in result.stderr


def test_an_answer_comes_while_the_input_stays_open(start, config, sandbox):
    process = start("--config", config(sandbox.url), "send")
    for number in range(3):
        process.stdin.write(lines(purchase(number)))
        assert json.loads(process.stdout.readline())["event_id"] == f"Purchase.{number}"
    process.stdin.close()
    assert process.wait(10) == 0


def test_ctrl_c_tells_what_was_delivered(start, config, sandbox):
    process = start("--config", config(sandbox.url), "send")
    process.stdin.write(lines(purchase(1)))
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130
    told = process.stderr.read().decode()
    assert "1 delivered, 0 not delivered" in told
    assert "Traceback" not in told


def test_a_reader_who_has_seen_enough_ends_it_quietly(start, config, sandbox):
    process = start("--config", config(sandbox.url), "send")
    process.stdout.close()
    process.stdin.write(lines(purchase(1), purchase(2)))
    process.stdin.close()
    assert process.wait(10) == 141
    assert b"Traceback" not in process.stderr.read()


def test_quiet_leaves_standard_error_empty(capi, config, sandbox):
    result = capi("--config", config(sandbox.url), "send", "--quiet", stdin=lines(purchase(1)))
    assert (result.returncode, result.stderr) == (0, b"")


def test_a_test_event_code_goes_with_the_events(capi, config, sandbox):
    arguments = ("--config", config(sandbox.url), "send", "--test-event-code=TEST7")
    assert capi(*arguments, stdin=lines(purchase(1))).returncode == 0
    assert sandbox.accepted()[0].test_event_code == "TEST7"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "There is no configuration"),
        ("[CAPI.CONSENT]\nDEFAULT = 'granted'", "DESTINATIONS is empty"),
        ("ENABLED = false", "ENABLED is False"),
    ],
)
def test_without_a_place_to_send_to_it_says_what_is_missing(capi, tmp_path, text, told):
    arguments = []
    if text is not None:
        (tmp_path / "few.toml").write_text(text)
        arguments = ["--config", "few.toml"]
    result = capi(*arguments, "send", stdin=lines(purchase(1)))
    assert result.returncode == 2
    assert told in result.stderr.decode()
    assert result.stdout == b""
