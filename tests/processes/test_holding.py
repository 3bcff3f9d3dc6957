"""What undecided visitors do is held by several processes, over real HTTP, until they decide."""

from __future__ import annotations

import signal
import time

import pytest

from tests.processes.served import HOSTS, serving

CONSENT = {
    "DEFAULT": "hold",
    "SOURCES": [{"COOKIE": "ads"}, {"SOURCE": "gpc", "OPT_OUT": "limited"}],
}


@pytest.fixture(scope="module", params=HOSTS)
def served(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("host")
    with serving(request.param, folder, CONSENT=CONSENT, TRIGGERS=[]) as running:
        yield running


def pages(sandbox, mark):
    return sorted(
        event.payload["event_source_url"].split("/book/")[1].rstrip("/")
        for event in sandbox.accepted("PageView")
        if f"/book/{mark}-" in event.payload["event_source_url"]
    )


def arrive(sandbox, mark, count):
    deadline = time.monotonic() + 30
    while len(pages(sandbox, mark)) < count:
        assert time.monotonic() < deadline, pages(sandbox, mark)
        time.sleep(0.05)
    return pages(sandbox, mark)


def wait_for_held(host, count):
    """What a busy file did not take is in memory for a moment."""
    deadline = time.monotonic() + 30
    while host.rows("held") != count:
        assert time.monotonic() < deadline, host.rows("held")
        time.sleep(0.05)


def browse(visitor, mark, count):
    for number in range(count):
        assert visitor.get(f"/book/{mark}-{number}/").status_code == 200


def test_what_was_held_arrives_once_when_its_visitor_agrees_and_nobody_elses(served):
    host, sandbox = served
    with host.visitor() as visitor, host.visitor() as other:
        browse(visitor, "mine", 3)
        browse(other, "theirs", 2)
        assert set(visitor.cookies) == {"capi_visit"}
        assert visitor.cookies["capi_visit"] != other.cookies["capi_visit"]
        if host.rows:
            wait_for_held(host, 5)
        begun = time.time()
        while time.time() < begun + 1.1:
            # The time of the event is told in seconds.
            time.sleep(0.05)
        visitor.cookies.set("ads", "granted")
        granted_at = int(time.time())
        for _ in range(4):
            browse(visitor, "mine-later", 1)
        assert "capi_visit" not in visitor.cookies
        arrive(sandbox, "mine", 7)
        other.cookies.set("ads", "denied")
        for _ in range(4):
            browse(other, "theirs", 1)
        assert "capi_visit" not in other.cookies
        if host.rows:
            wait_for_held(host, 0)
        # What would have been sent by mistake would be there before this.
        visitor.get("/book/last-0/")
        arrive(sandbox, "last", 1)
    assert pages(sandbox, "mine") == ["mine-0", "mine-1", "mine-2", *["mine-later-0"] * 4]
    assert pages(sandbox, "theirs") == []
    times = {
        event.payload["event_source_url"].split("/book/")[1]: event.payload["event_time"]
        for event in sandbox.accepted("PageView")
    }
    assert all(times[f"mine-{number}/"] < granted_at for number in range(3))
    assert sandbox.refused == []


def test_who_limits_the_use_of_data_is_sent_with_limited_data_use_only(served):
    host, sandbox = served
    with host.visitor() as visitor:
        browse(visitor, "limited", 2)
        visitor.headers["Sec-GPC"] = "1"
        browse(visitor, "choice", 1)
    arrive(sandbox, "limited", 2)
    limited = [
        event.payload
        for event in sandbox.accepted("PageView")
        if "/book/limited-" in event.payload["event_source_url"]
    ]
    assert [payload["data_processing_options"] for payload in limited] == [["LDU"], ["LDU"]]


def test_who_is_killed_in_between_has_lost_nothing(served):
    host, sandbox = served
    if host.rows is None:
        pytest.skip("memory ends with its process")
    with host.visitor() as visitor:
        browse(visitor, "killed", 3)
        visit = visitor.cookies["capi_visit"]
    wait_for_held(host, 3)
    host.stop(signal.SIGKILL)
    host.start()
    with host.visitor() as visitor:
        visitor.cookies.set("capi_visit", visit)
        visitor.cookies.set("ads", "granted")
        browse(visitor, "back", 1)
    assert arrive(sandbox, "killed", 3) == ["killed-0", "killed-1", "killed-2"]
    wait_for_held(host, 0)
