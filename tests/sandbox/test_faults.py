from __future__ import annotations

import concurrent.futures
import json
import threading

import httpx
import pytest

from capi_plugins.sandbox import Fault, Sandbox
from tests.sandbox.wire_events import NOW, changed, website_purchase

SHOP = website_purchase()
BODY = {"data": [SHOP], "access_token": "TOKEN"}
EDGE = "/v26.0/1234567890/events"


def test_throttle_is_metas_and_ends_after_its_times(sandbox, post):
    sandbox.inject(Fault.throttle(code=4, times=2))
    for _ in range(2):
        answer = post(SHOP)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, 4)
        assert json.loads(answer.headers["X-App-Usage"])["call_count"] == 100
    assert post(SHOP).status_code == 200
    assert len(sandbox.events) == 1
    assert [event.reason for event in sandbox.refused] == ["injected", "injected"]


def test_throttle_headers_tell_how_long_to_wait(sandbox, post):
    sandbox.inject(Fault.throttle(code=80004, wait_minutes=7, retry_after=30))
    headers = post(SHOP).headers
    ((case,),) = json.loads(headers["X-Business-Use-Case-Usage"]).values()
    assert case["estimated_time_to_regain_access"] == 7
    assert headers["Retry-After"] == "30"
    sandbox.inject(Fault.throttle(code=613, reset_seconds=90))
    usage = json.loads(post(SHOP).headers["X-Ad-Account-Usage"])
    assert usage["reset_time_duration"] == 90


def test_server_errors(sandbox, post):
    sandbox.inject(Fault.server_error(503), Fault.server_error(500, html=True))
    first, second = post(SHOP), post(SHOP)
    assert (first.status_code, first.json()["error"]["code"]) == (503, 2)
    assert second.status_code == 500
    assert second.headers["content-type"].startswith("text/html")
    assert "<html>" in second.text


def test_any_error_can_be_injected(sandbox, post):
    sandbox.inject(Fault.error(190, 460, 401, headers={"X-Test": "1"}))
    answer = post(SHOP)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["error_subcode"]) == (401, 190, 460)
    assert answer.headers["X-Test"] == "1"


def test_fault_without_times_stays_until_cleared(sandbox, post):
    sandbox.inject(Fault.error(2, times=None))
    assert [post(SHOP).status_code for _ in range(3)] == [400] * 3
    sandbox.clear_faults()
    assert post(SHOP).status_code == 200


def test_hang_gives_no_answer_until_released(sandbox):
    sandbox.inject(Fault.hang())
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(sandbox.url + EDGE, json=BODY, timeout=0.3)
    assert sandbox.wait_for_requests(1)[0].status == 0
    assert sandbox.events == []


def test_stop_releases_requests_that_hang():
    with Sandbox(clock=lambda: NOW) as sandbox, concurrent.futures.ThreadPoolExecutor() as pool:
        sandbox.inject(Fault.hang())
        waiting = pool.submit(httpx.post, sandbox.url + EDGE, json=BODY, timeout=20)
        sandbox.wait_for_requests(1)
        sandbox.stop()
        assert isinstance(waiting.exception(5), httpx.HTTPError)


def test_drop_stores_nothing_and_drop_after_storing_does(sandbox, post):
    sandbox.inject(Fault.drop(), Fault.drop_after_storing())
    for count in (0, 1):
        with pytest.raises(httpx.RemoteProtocolError):
            post(SHOP)
        assert len(sandbox.accepted()) == count


def test_retry_after_a_lost_answer_is_a_duplicate(sandbox, post):
    sandbox.inject(Fault.drop_after_storing())
    with pytest.raises(httpx.RemoteProtocolError):
        post(SHOP)
    post(SHOP)
    assert [event.duplicate for event in sandbox.events] == [False, True]


def test_late_answer_is_stored_before_the_client_gives_up(sandbox):
    sandbox.inject(Fault.late_answer(30))
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(sandbox.url + EDGE, json=BODY, timeout=0.3)
    assert len(sandbox.wait_for(1)) == 1


def test_latency_delays_and_then_judges(sandbox, post):
    sandbox.inject(Fault.latency(0.05))
    assert post(SHOP).status_code == 200
    assert sandbox.requests[0].latency >= 0.05


def test_no_trace_id(sandbox, post):
    sandbox.inject(Fault.no_trace_id(times=2))
    assert post(SHOP).json() == {"events_received": 1, "messages": []}
    assert "fbtrace_id" not in post({}).json()["error"]


def test_translated_changes_texts_and_no_codes(sandbox, post):
    old = changed(SHOP, "event_time", 1)
    english = post(old).json()["error"]
    sandbox.inject(Fault.translated(times=None))
    french = post(old).json()["error"]
    assert french["error_user_title"] == "Horodatage de l'évènement trop ancien"
    for text in ("message", "error_user_title", "error_user_msg"):
        assert french[text] != english[text]
    for name in ("code", "error_subcode", "type", "is_transient"):
        assert french[name] == english[name]
    sandbox.inject(Fault.throttle())
    throttled = post(SHOP).json()["error"]
    assert (throttled["code"], "Limite" in throttled["message"]) == (4, True)


def test_truncated_json_is_a_success_that_cannot_be_parsed(sandbox, post):
    sandbox.inject(Fault.truncated_json())
    answer = post(SHOP)
    assert answer.status_code == 200
    with pytest.raises(ValueError):
        answer.json()
    assert len(sandbox.accepted()) == 1


def test_slow_drip_arrives_whole(sandbox, post):
    sandbox.inject(Fault.slow_drip(0.001))
    assert post(SHOP).json()["events_received"] == 1


def test_huge_body_is_as_large_as_asked(sandbox, post):
    sandbox.inject(Fault.huge_body(1_000_000))
    answer = post(SHOP)
    assert len(answer.content) > 1_000_000
    assert answer.json()["events_received"] == 1


def test_faults_of_different_kinds_combine(sandbox, post):
    sandbox.inject(Fault.latency(0.01), Fault.throttle(), Fault.no_trace_id())
    error = post(SHOP).json()["error"]
    assert (error["code"], "fbtrace_id" in error) == (4, False)
    assert sandbox.requests[0].fault == "latency, error, no_trace_id"


def test_outage_ends_on_the_same_port():
    others = set(threading.enumerate())
    sandbox = Sandbox(clock=lambda: NOW).start()
    url = sandbox.url
    assert httpx.post(url + EDGE, json=BODY).status_code == 200
    sandbox.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.post(url + EDGE, json=BODY)
    with sandbox:
        assert sandbox.url == url
        httpx.post(url + EDGE, json=BODY)
    assert [event.duplicate for event in sandbox.events] == [False, True]
    left = set(threading.enumerate()) - others
    assert not [thread for thread in left if "capi-sandbox" in thread.name]


def test_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="kind"):
        Fault(kind="nonsense")
