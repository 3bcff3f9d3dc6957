from __future__ import annotations

import contextlib
import hashlib
import json
import re
import signal
import threading
from pathlib import Path

import pytest

LEAD = {
    "event_name": "Lead",
    "event_id": "l1",
    "action_source": "email",
    "event_time": "2026-11-22T09:00:00Z",
    "user_data": {"email": "ada@example.com"},
}
NOW = "--now=2026-11-22T10:00:00Z"


def lines(*events: object) -> bytes:
    return b"".join(
        event if isinstance(event, bytes) else json.dumps(event).encode() + b"\n"
        for event in events
    )


def answers(result) -> list[dict]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_an_event_becomes_the_payload_that_would_be_sent(capi, config):
    result = capi("--config", config(), "payload", NOW, stdin=lines(LEAD))
    assert result.returncode == 0, result.stderr
    assert answers(result) == [
        {
            "ok": True,
            "event_id": "l1",
            "destination": "meta",
            "payload": {
                "event_name": "Lead",
                "event_time": 1795338000,
                "event_id": "l1",
                "action_source": "email",
                "user_data": {"em": [hashlib.sha256(b"ada@example.com").hexdigest()]},
            },
        }
    ]
    assert result.stderr == b""


def test_a_newcomer_sees_a_payload_without_any_configuration(capi):
    result = capi("payload", NOW, stdin=lines(LEAD))
    assert result.returncode == 0
    assert answers(result)[0]["destination"] == "meta"
    assert b"No configuration" in result.stderr


def test_what_standard_output_gets_is_json_alone(capi, config):
    result = capi("payload", NOW, stdin=lines(LEAD, b"nonsense\n", LEAD))
    assert [answer["ok"] for answer in answers(result)] == [True, False, True]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"nonsense\n", "not JSON"),
        (b'{"event_name": "Lead"\n', "not JSON"),
        (b'{"event_name": "Lead", "event_time": NaN}\n', "not JSON"),
        (b'{"event_name": "Lead", "event_time": 1e999}\n', "not JSON"),
        (b"[1]\n", "not a JSON object"),
        (b"null\n", "not a JSON object"),
        (b'"Lead"\n', "not a JSON object"),
        (b"{}\n", "event_name is missing"),
        (b'{"event_name": "  "}\n', "event_name is missing"),
        (b'{"event_name": "Lead", "event_time": "soon"}\n', "event_time cannot be read"),
        (b'{"event_name": "\xff\xfe"}\n', "not UTF-8: byte 0xff in column 17"),
        (b'\xef\xbb\xbf{"event_name": "Lead"}\n', "byte order mark"),
        (b'{"event_name": "' + b"x" * 2_000_000 + b'"}\n', "longer than 1,000,000 bytes"),
        (b"[" * 100_000 + b"\n", "not JSON"),
        (b"\x00\n", "not JSON"),
    ],
    ids=lambda value: value[:24] if isinstance(value, bytes) else None,
)
def test_a_bad_line_is_told_with_its_number_and_the_rest_goes_on(capi, line, reason):
    result = capi("payload", NOW, stdin=lines(line, b"\n", LEAD))
    bad, good = answers(result)
    assert bad["ok"] is False
    assert reason in bad["reason"]
    assert bad["line"] == 1
    assert good["ok"] is True
    assert result.returncode == 1
    assert b"Traceback" not in result.stderr


def test_blank_lines_count_and_are_skipped(capi):
    result = capi("payload", NOW, stdin=lines(b"\n \t\r\n", b"bad\r\n"))
    assert [answer["line"] for answer in answers(result)] == [3]


def test_a_last_line_without_an_end_is_read(capi):
    assert len(answers(capi("payload", NOW, stdin=lines(LEAD).rstrip()))) == 1


def test_the_event_id_of_a_bad_line_is_told_when_it_has_one(capi):
    (answer,) = answers(capi("payload", stdin=lines({"event_id": "o-9"})))
    assert answer["event_id"] == "o-9"


def test_an_event_that_a_destination_would_refuse_names_event_and_destination(capi, config):
    old = {**LEAD, "event_time": "2026-10-01T00:00:00Z"}
    (answer,) = answers(capi("--config", config(), "payload", NOW, stdin=lines(old)))
    assert answer["ok"] is False
    assert (answer["line"], answer["event_id"], answer["destination"]) == (1, "l1", "meta")


def test_fields_that_were_left_out_are_noted(capi):
    event = {**LEAD, "user_data": {"email": "ada@example.com", "shoe_size": 38}, "colour": "red"}
    (answer,) = answers(capi("payload", NOW, stdin=lines(event)))
    assert answer["ok"] is True
    assert {note["field"] for note in answer["notes"]} == {"colour", "user_data.shoe_size"}


def test_a_long_number_keeps_all_of_its_digits(capi):
    number = 123456789012345678901234567890
    event = {**LEAD, "event_id": number, "user_data": {"external_id": number}}
    (answer,) = answers(capi("payload", NOW, stdin=lines(event)))
    assert answer["event_id"] == str(number)
    assert answer["payload"]["user_data"] == {
        "external_id": [hashlib.sha256(str(number).encode()).hexdigest()]
    }


def test_the_fixed_clock_stands_in_for_a_missing_time(capi):
    event = {name: value for name, value in LEAD.items() if name != "event_time"}
    (answer,) = answers(capi("payload", NOW, stdin=lines(event)))
    assert answer["payload"]["event_time"] == 1795341600


def test_a_clock_that_cannot_be_read_is_a_usage_error(capi):
    result = capi("payload", "--now", "yesterday")
    assert result.returncode == 2
    assert b"ISO 8601" in result.stderr


def test_consent_is_what_the_settings_say_until_somebody_answers_for_it(capi, config):
    path = config(consent="denied")
    (held,) = answers(capi("--config", path, "payload", NOW, stdin=lines(LEAD)))
    assert held["ok"] is False
    assert "consent" in held["reason"]
    assert "CAPI['CONSENT']['DEFAULT']" in held["reason"]
    (own,) = answers(
        capi("--config", path, "payload", NOW, stdin=lines({**LEAD, "consent": "granted"}))
    )
    assert own["ok"] is True
    (limited,) = answers(
        capi("--config", path, "payload", NOW, "--consent=limited", stdin=lines(LEAD))
    )
    assert limited["payload"]["data_processing_options"] == ["LDU"]


def test_an_assertion_does_not_overrule_an_event_that_says_no(capi, config):
    event = {**LEAD, "consent": "denied"}
    (answer,) = answers(capi("payload", NOW, "--consent=granted", stdin=lines(event)))
    assert answer["ok"] is False


def test_one_line_for_each_destination_and_only_the_one_asked_for(capi, config):
    more = """
    [CAPI.DESTINATIONS.other]
    KIND = "meta"
    DATASET_ID = "2"
    ACCESS_TOKEN = "t"
    EVENTS = ["Purchase"]
    [CAPI.DESTINATIONS.third]
    KIND = "meta"
    DATASET_ID = "3"
    ACCESS_TOKEN = "t"
    """
    path = config(more=more)
    both = answers(capi("--config", path, "payload", NOW, stdin=lines(LEAD)))
    assert {answer["destination"] for answer in both} == {"meta", "third"}
    one = answers(capi("--config", path, "payload", NOW, "--destination=third", stdin=lines(LEAD)))
    assert [answer["destination"] for answer in one] == ["third"]
    (none,) = answers(
        capi("--config", path, "payload", NOW, "--destination=other", stdin=lines(LEAD))
    )
    assert none["ok"] is False
    unknown = capi("--config", path, "payload", "--destination=mata")
    assert unknown.returncode == 2
    assert b"third" in unknown.stderr


def test_a_file_is_read_and_a_missing_one_is_a_usage_error(capi, tmp_path):
    (tmp_path / "events.jsonl").write_bytes(lines(LEAD))
    assert len(answers(capi("payload", NOW, "events.jsonl"))) == 1
    assert capi("payload", "nowhere.jsonl").returncode == 2


def test_each_answer_comes_before_the_next_line_is_asked_for(start):
    process = start("payload", NOW)
    for _ in range(3):
        process.stdin.write(lines(LEAD))
        assert json.loads(process.stdout.readline())["ok"] is True
    process.stdin.close()
    assert process.wait(10) == 0


def test_a_reader_who_has_seen_enough_ends_it_quietly(start):
    process = start("payload", NOW)

    def feed():
        # Until nobody is there to read it any more.
        with contextlib.suppress(BrokenPipeError):
            while process.stdin.write(lines(LEAD) * 1000):
                pass

    feeder = threading.Thread(target=feed)
    feeder.start()
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(20) == 141
    feeder.join()
    assert b"Traceback" not in process.stderr.read()


def test_ctrl_c_ends_it_quietly(start):
    process = start("payload", NOW)
    process.stdin.write(lines(LEAD))
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130
    assert process.stderr.read().endswith(b"Interrupted.\n")


def test_a_long_file_needs_no_more_memory_than_a_short_one(start, tmp_path):
    path = tmp_path / "long.jsonl"
    path.write_bytes(lines(LEAD) * 50_000)
    process = start("payload", NOW, path)
    peak = 0
    while process.stdout.read(1_000_000):
        status = Path(f"/proc/{process.pid}/status").read_text()
        if found := re.search(r"VmHWM:\s+(\d+) kB", status):
            peak = max(peak, int(found[1]))
    assert process.wait(20) == 0
    assert 0 < peak < 120_000
