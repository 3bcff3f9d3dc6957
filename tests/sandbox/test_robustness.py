"""Whatever bytes arrive, the sandbox answers, keeps no traceback and goes on serving."""

from __future__ import annotations

import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capi_plugins.sandbox import Sandbox
from capi_plugins.sandbox.rules import every_problem, remarks
from tests.sandbox.wire_events import NOW, app_install, website_purchase, whatsapp_purchase

EDGE = "/v26.0/1/events?access_token=T"
MEDIA = [
    "application/json", "application/x-www-form-urlencoded", "multipart/form-data",
    "multipart/form-data; boundary=b", "text/plain", "", "\xff;=;", "application/json; charset=x",
]  # fmt: skip


@pytest.fixture(scope="module")
def steady():
    with Sandbox(clock=lambda: NOW) as sandbox:
        yield sandbox


def exchange(sandbox, raw):
    port = int(sandbox.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return answer


QUICK = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@QUICK
@given(
    body=st.binary(max_size=300),
    media=st.sampled_from(MEDIA),
    coding=st.sampled_from(["", "gzip", "br", "identity", "deflate, gzip"]),
)
def test_any_body_is_answered(steady, capfd, body, media, coding):
    head = f"POST {EDGE} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    head += f"Content-Type: {media}\r\n" + (f"Content-Encoding: {coding}\r\n" if coding else "")
    answer = exchange(steady, head.encode("latin-1") + b"\r\n" + body)
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 413")), answer
    assert b'"error"' in answer
    assert "Traceback" not in capfd.readouterr().err


@QUICK
@given(line=st.binary(min_size=1, max_size=200))
def test_any_request_line_is_answered_or_closed(steady, capfd, line):
    exchange(steady, line + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    exchange(steady, line)
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize(
    "raw",
    [
        b"POST //[ HTTP/1.1\r\n\r\n",
        b"POST /%00%ff/x/events HTTP/1.1\r\n\r\n",
        b"POST /v26.0/1/events HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"POST /v26.0/1/events HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST /v26.0/1/events HTTP/1.1\r\nContent-Length: 500\r\n\r\n{",
        b"POST /v26.0/1/events HTTP/1.1\r\nContent-Length: 99999999999999\r\n\r\n",
        b"POST /v26.0/1/events HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /v26.0/1/events HTTP/1.1\r\nAuthorization: Bearer\r\n\r\n",
        b"BREW /_sandbox/ HTTP/1.1\r\n\r\n",
        b"POST /_sandbox/faults HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        b"POST /_sandbox/faults HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{",
        b"GET /_sandbox/events?after=%s&wait=nan HTTP/1.1\r\nHost: localhost\r\n\r\n" % (b"9" * 50),
        b"GET /_sandbox/events?after=-1&wait=-1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
)
def test_awkward_requests_are_answered(raw, steady, capfd):
    assert exchange(steady, raw).startswith(b"HTTP/1."), raw
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize(
    "body",
    [
        b'{"data":' + b"[" * 100_000,
        b'{"data":[' + b'{"a":' * 2000 + b"1" + b"}" * 2000 + b"]}",
        b'{"data":[{"event_time":1e999}]}',
        b'{"data":[{"event_time":' + b"9" * 5000 + b"}]}",
        b'{"data":[{"event_name":"\\ud800"}]}',
        b'{"data":[{"event_name":NaN}]}',
        b'{"data":["\\"x\\""]}',
        b'{"data":[{"user_data":{"em":[[["x"]]],"lead_id":{}}}]}',
        b'{"access_token":[],"data":[[]],"appsecret_proof":{},"test_event_code":[]}',
    ],
)
def test_awkward_json_is_answered(body, steady, client):
    answer = client.post(
        steady.url + EDGE, content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] in {100, 190}


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["app", "website", "business_messaging", "whatsapp", "Purchase", "EUR"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
GOOD = [website_purchase(), app_install(), whatsapp_purchase()]


def paths(value, prefix=()):
    yield prefix
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, (*prefix, key))


@st.composite
def spoilt_events(draw):
    """A good event with up to three members replaced by anything."""
    import copy

    event = copy.deepcopy(draw(st.sampled_from(GOOD)))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(sorted(paths(event), key=str)))
        if not path:
            continue
        place = event
        for part in path[:-1]:
            place = place[part]
        place[path[-1]] = draw(VALUES)
    return event


@settings(max_examples=500, deadline=None)
@given(event=spoilt_events() | VALUES, mode=st.sampled_from(["strict", "meta"]))
def test_any_event_gets_a_verdict(event, mode):
    for refusal in every_problem(event, NOW, mode):
        assert refusal.code == 100
        assert refusal.text
    assert all(notice.text for notice in remarks(event, NOW, mode))
