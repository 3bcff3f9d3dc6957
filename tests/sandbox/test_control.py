from __future__ import annotations

import concurrent.futures
import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from capi_plugins.sandbox import Sandbox
from tests.sandbox.wire_events import NOW, changed, website_purchase

SHOP = website_purchase()


def get(sandbox, path, **more):
    return httpx.get(f"{sandbox.url}/_sandbox/{path}", timeout=10, **more)


def test_events_after_a_number(sandbox, post):
    post(SHOP)
    post(changed(SHOP, "event_time", 1))
    first = get(sandbox, "events").json()
    assert [event["status"] for event in first["events"]] == ["accepted", "refused"]
    assert first["events"][1]["refusal"]["subcode"] == 2804003
    assert first["events"][0]["payload"] == SHOP
    assert {"key": "em", "hashed": True, "must_hash": True} in first["events"][0]["keys"]
    later = get(sandbox, f"events?after={first['events'][0]['seq']}").json()
    assert [event["status"] for event in later["events"]] == ["refused"]


def test_long_poll_ends_when_an_event_arrives(sandbox, post):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(get, sandbox, "events?after=0&wait=9")
        post(SHOP)
        assert [event["name"] for event in waiting.result(8).json()["events"]] == ["Purchase"]


def messages(response):
    kind = ""
    for line in response.iter_lines():
        if line.startswith("event: "):
            kind = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield kind, json.loads(line.removeprefix("data: "))


def test_stream_sends_events_and_resumes(sandbox, post):
    post(SHOP)
    with httpx.stream("GET", f"{sandbox.url}/_sandbox/stream", timeout=10) as response:
        told = messages(response)
        assert next(told)[0] == "state"
        assert next(told)[1][0]["name"] == "Purchase"
        sandbox.mode = "meta"
        assert next(told)[1]["mode"] == "meta"
        post(changed(SHOP, "event_name", "Lead"))
        events = next(content for kind, content in told if kind == "events")
        assert events[0]["name"] == "Lead"
    headers = {"Last-Event-ID": "1"}
    with httpx.stream(
        "GET", f"{sandbox.url}/_sandbox/stream", headers=headers, timeout=10
    ) as response:
        told = messages(response)
        next(told)
        assert [event["name"] for event in next(told)[1]] == ["Lead"]


def test_faults_mode_and_clear(sandbox, post):
    base = f"{sandbox.url}/_sandbox/"
    assert httpx.post(base + "faults", json={"kind": "throttle", "code": 17}).status_code == 201
    assert get(sandbox, "status").json()["faults"][0]["times"] == 1
    assert post(SHOP).json()["error"]["code"] == 17
    httpx.post(base + "faults", json={"kind": "server_error", "html": True, "times": None})
    assert post(SHOP).status_code == 503
    httpx.delete(base + "faults")
    assert post(SHOP).status_code == 200
    assert httpx.post(base + "mode", json={"mode": "meta"}).json()["mode"] == "meta"
    assert sandbox.mode == "meta"
    httpx.post(base + "clear")
    assert sandbox.requests == []


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b'{"kind": "answer"}', b'{"kind": "hang", "x": 1}', b'{"kind": []}',
     b'{"kind": "latency"}', b'{"kind": "latency", "seconds": "long"}',
     b'{"kind": "error", "code": 1, "headers": 5}', b'{"kind": "html", "status": 9999}',
     b'{"kind": "hang", "times": "x"}', b'{"kind": "hang", "times": 0}',
     b'{"kind": "error", "code": 1, "headers": {"X": "a\\r\\nb"}}'],
)  # fmt: skip
def test_nonsense_is_no_fault(body, sandbox, post):
    answer = httpx.post(f"{sandbox.url}/_sandbox/faults", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert post(SHOP).status_code == 200


@pytest.mark.parametrize("mode", [None, "lenient", []])
def test_nonsense_is_no_mode(mode, sandbox):
    assert httpx.post(f"{sandbox.url}/_sandbox/mode", json={"mode": mode}).status_code == 400


def test_unknown_control_paths(sandbox):
    assert get(sandbox, "nothing").status_code == 404
    assert get(sandbox, "clear").status_code == 405


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": ""},
        {"Host": "[::1"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
@pytest.mark.parametrize("path", ["events", "stream", "status", "clear"])
def test_other_sites_are_kept_out(headers, path, sandbox, post):
    post(SHOP)
    method = "POST" if path == "clear" else "GET"
    answer = httpx.request(method, f"{sandbox.url}/_sandbox/{path}", headers=headers)
    assert answer.status_code == 403
    assert "Purchase" not in answer.text
    assert "access-control-allow-origin" not in answer.headers
    assert len(sandbox.events) == 1


@pytest.mark.parametrize(
    "headers", [{"Host": "localhost:1"}, {"Host": "[::1]:8900"}, {"Sec-Fetch-Site": "same-origin"}]
)
def test_this_machine_is_let_in(headers, sandbox):
    assert get(sandbox, "status", headers=headers).status_code == 200


def test_further_host_names_can_be_allowed():
    with Sandbox(allowed_hosts=["sandbox.test"]) as sandbox:
        assert get(sandbox, "status", headers={"Host": "sandbox.test"}).status_code == 200


def test_page_is_served_with_a_strict_policy(sandbox):
    answer = httpx.get(sandbox.url + "/")
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "http" not in answer.text.replace("http://www.w3.org/2000/svg", "")
    for name in ("app.js", "detail.js", "elements.js", "faults.js", "summary.js", "style.css"):
        assert get(sandbox, name).status_code == 200


def test_page_files_use_no_unsafe_door():
    import capi_plugins.sandbox

    page = Path(capi_plugins.sandbox.__file__).parent / "page"
    for script in page.glob("*.js"):
        text = script.read_text()
        for door in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
            assert door not in text, f"{door} in {script.name}"


def test_command_prints_its_address_and_ends_on_interrupt():
    import signal

    command = [
        sys.executable,
        "-m",
        "capi_plugins.sandbox",
        "--port",
        "0",
        "--dataset",
        "77=SECRET",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(7)]
        text = "".join(lines)
        url = next(line.split()[1] for line in lines if "Page" in line).rstrip("/")
        assert '"DATASET_ID": "77"' in text
        assert "SECRET" not in text
        status = httpx.get(f"{url}/_sandbox/status").json()
        assert status["datasets"] == ["77"]
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
    assert process.returncode == 0
    assert "Stopped after 0 requests" in rest
    assert "Traceback" not in rest


def test_command_says_when_the_port_is_taken(sandbox, capsys):
    from capi_plugins.sandbox import serve

    port = int(sandbox.url.rpartition(":")[2])
    assert serve(port=port) == 1
    assert f"Cannot listen on 127.0.0.1:{port}" in capsys.readouterr().out


def test_time_stands_still_for_the_tests(sandbox, post):
    post(SHOP)
    assert get(sandbox, "events").json()["events"][0]["received_at"] == NOW
