from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capi_plugins.destinations.base import Response, Verdict
from capi_plugins.destinations.meta import outcome
from capi_plugins.destinations.meta.throttling import LONGEST_WAIT
from capi_plugins.outbox.base import Delivery

FRENCH = {
    "message": "Paramètre non valide john@example.com",
    "error_user_title": "Horodatage trop ancien",
    "error_user_msg": "john@example.com",
    "type": "OAuthException",
    "fbtrace_id": "ASrojb9Zf5r-cU8FBLq9HY0",
}


def deliveries(count=1, *, attempts=0):
    return [
        Delivery(
            destination="meta",
            event_name="Lead",
            event_id=str(number),
            payload=b"{}",
            attempts=attempts,
        )
        for number in range(count)
    ]


def answer(status, body=None, *, headers=None, sent=1, attempts=0):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return outcome.read(
        Response(status=status, headers=headers or {}, body=data),
        deliveries(sent, attempts=attempts),
    )


def refused(code, subcode=None, *, status=400, **members):
    error = {**FRENCH, "code": code, "is_transient": False, **members}
    if subcode is not None:
        error["error_subcode"] = subcode
    return answer(status, {"error": error})


@pytest.mark.parametrize(
    ("code", "subcode", "verdict"),
    [
        *[(code, None, Verdict.RETRY) for code in (1, 5000, 21009)],
        (2, None, Verdict.DOWN),
        *[
            (code, None, Verdict.THROTTLED)
            for code in (4, 17, 32, 341, 613, 80000, 80003, 80004, 80014)
        ],
        (4, 1504022, Verdict.THROTTLED),
        (17, 2446079, Verdict.THROTTLED),
        (613, 1487742, Verdict.THROTTLED),
        *[
            (code, None, Verdict.STOP)
            for code in (3, 10, 33, 102, 104, 190, 200, 270, 294, 299, 368, 803, 2635, 1870092)
        ],
        *[(190, subcode, Verdict.STOP) for subcode in (458, 459, 460, 463, 464, 467, 492)],
        (100, 33, Verdict.STOP),
        *[
            (100, subcode, Verdict.SPLIT)
            for subcode in (
                2804001,
                2804003,
                2804004,
                2804008,
                2804009,
                2804010,
                2804016,
                2804019,
                2804023,
                2804036,
                2804043,
                2804050,
                2804063,
                2804066,
                2804087,
                2804116,
                2804133,
            )
        ],
        (100, None, Verdict.SPLIT),
        (105, None, Verdict.SPLIT),
        (2500, None, Verdict.SPLIT),
        (506, None, Verdict.RETRY),
        (987654, None, Verdict.RETRY),
    ],
)
@pytest.mark.parametrize("status", [200, 400, 401, 403, 500])
def test_the_code_decides_but_an_error_of_the_server_is_no_events_fault(
    code, subcode, verdict, status
):
    result = refused(code, subcode, status=status)
    if status == 500 and verdict is Verdict.RETRY:
        verdict = Verdict.DOWN
    assert result.verdict is verdict
    assert result.code == (str(code) if subcode is None else f"{code}/{subcode}")
    assert result.trace == FRENCH["fbtrace_id"]


def test_a_wrong_proof_is_a_matter_of_settings():
    assert refused(100, type="GraphMethodException").verdict is Verdict.STOP


def test_what_meta_calls_transient_is_tried_again():
    assert refused(100, 2804003, is_transient=True).verdict is Verdict.RETRY
    assert refused(190, is_transient=True).verdict is Verdict.STOP


def test_the_reason_is_ours_and_repeats_nothing_of_the_answer():
    for code in (100, 190, 4, 1, 987654):
        reason = refused(code, 2804003).reason
        assert reason
        assert "john" not in reason
        assert "Horodatage" not in reason


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (301, Verdict.STOP),
        (302, Verdict.DOWN),
        (303, Verdict.DOWN),
        (307, Verdict.DOWN),
        (308, Verdict.STOP),
        (400, Verdict.RETRY),
        (401, Verdict.STOP),
        (403, Verdict.STOP),
        (404, Verdict.STOP),
        (408, Verdict.DOWN),
        (413, Verdict.SPLIT),
        (429, Verdict.THROTTLED),
        (500, Verdict.DOWN),
        (502, Verdict.DOWN),
        (503, Verdict.DOWN),
        (0, Verdict.RETRY),
    ],
)
@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"\xff\xfe", b"[1]", b'{"error":"x"}', b'{"error":{"code":null}}']
)
def test_the_status_counts_where_the_body_has_no_code(status, verdict, body):
    if body == b"<html>" and verdict is Verdict.RETRY:
        verdict = Verdict.DOWN
    assert answer(status, body).verdict is verdict


@pytest.mark.parametrize(
    "body",
    [
        {"events_received": 2, "messages": [], "fbtrace_id": "A"},
        {"events_received": 2},
        {"events_received": "2"},
        {"fbtrace_id": "A"},
        {},
        {"events_received": None},
        {"events_received": 3},
    ],
)
def test_success_needs_no_more_than_the_status_and_an_object(body):
    assert answer(200, body, sent=2).verdict is Verdict.DELIVERED


@pytest.mark.parametrize("body", [b"<html>", b"\r\n <!DOCTYPE html>"])
def test_a_page_is_never_metas(body):
    assert answer(200, body).verdict is Verdict.DOWN
    assert answer(400, body).verdict is Verdict.DOWN


@pytest.mark.parametrize("body", [b"", b"OK", b"[]", b"\xff" * 10])
def test_a_success_that_is_not_metas_is_tried_again(body):
    assert answer(200, body).verdict is Verdict.RETRY


def test_fewer_events_than_sent_are_sent_once_more_and_then_taken_as_delivered():
    body = {"events_received": 1}
    first = answer(200, body, sent=2)
    second = answer(200, body, sent=2, attempts=1)
    assert (first.verdict, second.verdict) == (Verdict.RETRY, Verdict.DELIVERED)
    assert "1 of 2" in second.reason


def test_no_event_at_all_is_never_taken_as_delivered():
    assert answer(200, {"events_received": 0}, sent=2, attempts=5).verdict is Verdict.RETRY


def test_the_trace_may_come_in_a_header_and_is_never_a_text():
    assert answer(500, b"", headers={"x-fb-trace-id": "Abc"}).trace == "Abc"
    assert refused(1, fbtrace_id="<script>alert(1)</script> john").trace is None
    assert refused(1, fbtrace_id=["x"]).trace is None


def test_a_throttle_waits_as_long_as_the_headers_say():
    usage = {"1": [{"estimated_time_to_regain_access": 19}]}
    body = {"error": {**FRENCH, "code": 80004}}
    result = answer(400, body, headers={"x-business-use-case-usage": json.dumps(usage)})
    assert result.retry_after == 19 * 60
    assert answer(400, body).retry_after is None
    assert answer(503, b"", headers={"retry-after": "7"}).retry_after == 7
    assert refused(190).retry_after is None


HEADER_TEXT = st.text(max_size=60)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda children: (
        st.lists(children, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["error", "code", "error_subcode", "is_transient", "type", "fbtrace_id", "x"]
            ),
            children,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    status=st.integers(0, 999),
    body=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()),
    headers=st.dictionaries(
        st.sampled_from(
            [
                "retry-after",
                "x-business-use-case-usage",
                "x-ad-account-usage",
                "x-app-usage",
                "x-fb-trace-id",
            ]
        ),
        HEADER_TEXT | JSON.map(json.dumps),
    ),
)
def test_no_answer_raises(status, body, headers):
    result = outcome.read(Response(status=status, headers=headers, body=body), deliveries(2))
    assert result.retry_after is None or 0 < result.retry_after <= LONGEST_WAIT


def test_an_answer_nested_without_end_does_not_raise():
    assert answer(400, b'{"error":' * 100_000).verdict is Verdict.RETRY
    assert answer(200, b"[" * 1_000_000).verdict is Verdict.RETRY
