"""The tracking API without a server: what it refuses, and how it answers other origins."""

from __future__ import annotations

import base64
import contextlib
import gzip
import io
import json
import sqlite3
import time

import pytest

from capi_plugins import configure
from capi_plugins.context import RequestContext
from capi_plugins.rate import Rate, sender
from capi_plugins.receiving import respond
from tests.core.paper import Clock
from tests.segment.api import BASIC, KEY, ORDER, PAGE

# ------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    "authorization",
    ["", "Basic", "Basic !!!", "Basic " + base64.b64encode(b"other:").decode(), "Basic 8J+YgA",
     "Basic " + base64.b64encode(b"\xff\xfe:").decode()],
)  # fmt: skip
def test_without_a_key_nobody_is_let_in(api, authorization):
    answer = api("v1/t", ORDER, authorization=authorization)
    assert (answer.status, answer.events) == (401, [])
    assert answer.data["code"] == "invalid_write_key"
    # A browser would ask the visitor for a password.
    assert "WWW-Authenticate" not in answer.headers


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"5", b'"x"', b"\xff\xfe", b"[" * 100_000, b"NaN",
     b'{"batch": 5}', b'{"batch": {}}', b"{}"],
)  # fmt: skip
def test_a_body_that_is_none_is_400(api, body):
    answer = api("v1/batch", body, authorization=BASIC)
    assert (answer.status, answer.data["success"]) == (400, False)
    assert answer.data["message"]


@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        ("v1/t", {**ORDER, "properties": {"x": "y" * 33_000}}, {}),
        ("v1/batch", b" " * 512_001, {}),
        ("v1/batch", b"{}", {"content_length": "512001"}),
        ("v1/batch", b"{}", {"content_length": "9" * 5000}),
        ("v1/batch", gzip.compress(b" " * 5_000_000, mtime=0), {"content_encoding": "gzip"}),
        ("v1/batch", {"batch": [{}] * 2501}, {}),
    ],
)
def test_what_is_too_large_is_413(api, path, body, headers):
    answer = api(path, body, authorization=BASIC, **headers)
    assert (answer.status, answer.data["code"]) == (413, "too_large")


def test_announced_lengths_are_believed_before_anything_is_read(api):
    def read(_):
        raise AssertionError("it was read")

    answer = api("v1/batch", read=read, authorization=BASIC, content_length="600000")
    assert answer.status == 413


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip"])
def test_other_encodings_are_415(api, encoding):
    assert api("v1/t", ORDER, authorization=BASIC, content_encoding=encoding).status == 415


@pytest.mark.parametrize("body", [b"no", gzip.compress(b"{}", mtime=0)[:-9], b""])
def test_broken_gzip_is_400(api, body):
    assert api("v1/t", body, authorization=BASIC, content_encoding="gzip").status == 400


def test_a_body_that_breaks_off_is_400(api):
    def read(_):
        raise OSError("gone")

    assert api("v1/t", read=read, authorization=BASIC).status == 400


def test_a_body_that_takes_too_long_is_408(api):
    clock = Clock()

    def read(_):
        clock.advance(5)
        return b"x"

    context = RequestContext(method="POST", headers={"authorization": BASIC})
    assert respond(api.client, "v1/t", context, read, clock=clock).status == 408


@pytest.mark.parametrize("path", ["", "v1", "v1/", "v1/nothing", "v2/track", "webhooks/segment"])
def test_other_paths_are_404(api, path):
    assert api(path, ORDER, authorization=BASIC).status == 404


@pytest.mark.parametrize(("method", "status"), [("GET", 405), ("PUT", 405), ("DELETE", 405)])
def test_events_are_sent_by_post(api, method, status):
    assert api("v1/track", ORDER, method=method, authorization=BASIC).status == status


def test_there_is_no_tracking_api_without_keys(make):
    api = make(SEGMENT={"WRITE_KEYS": []})
    assert api("v1/track", ORDER, authorization=BASIC).status == 404


def test_nothing_is_answered_with_success_that_is_not_stored(api, monkeypatch):
    def broken(_):
        raise OSError("disk full, says jane@example.com")

    monkeypatch.setattr(api.outbox, "put", broken)
    answer = api("v1/t", ORDER, authorization=BASIC)
    assert answer.status == 503
    assert answer.headers["Retry-After"] == "5"
    assert "jane" not in json.dumps(answer.data)


def test_what_is_in_memory_until_the_disk_can_be_written_is_not_stored(tmp_path):
    path = tmp_path / "outbox.sqlite3"
    client = configure(
        {
            "DESTINATIONS": {"meta": {"DATASET_ID": "1", "ACCESS_TOKEN": "t"}},
            "CONSENT": {"DEFAULT": "granted"},
            "DELIVERY": {"OUTBOX": f"sqlite:///{path}", "WORKER": "external"},
            "SEGMENT": {"WRITE_KEYS": [KEY]},
        },
        environ={},
    )
    context = RequestContext(method="POST", headers={"authorization": BASIC})

    def send(number):
        body = json.dumps({**ORDER, "messageId": number}).encode()
        return respond(client, "v1/t", context, io.BytesIO(body).read).status

    try:
        assert send("m-1") == 200
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            assert send("m-2") == 503
            other.execute("ROLLBACK")
        deadline = time.monotonic() + 30
        while client.stats().in_memory and time.monotonic() < deadline:
            time.sleep(0.02)
        # The sender repeats it, and it is there once.
        assert send("m-2") == 200
        assert client.stats().waiting == 2
    finally:
        client.close(0)


def test_a_full_outbox_is_not_answered_with_success(api):
    api.outbox._max_deliveries = 0
    assert api("v1/t", ORDER, authorization=BASIC).status == 503


def test_with_nothing_to_send_to_everything_is_taken(make):
    api = make(ENABLED=False)
    assert api("v1/t", ORDER, authorization=BASIC).status == 200
    assert api.waiting() == []


# ------------------------------------------------------------------ other origins


def other(**more):
    return {**PAGE, "origin": "https://other.example", **more}


def test_pages_of_other_origins_are_not_let_in(api):
    answer = api("v1/t", ORDER, authorization=BASIC, **other())
    assert (answer.status, answer.data["code"]) == (403, "origin_not_allowed")
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("body", [ORDER, b"{", {**ORDER, "properties": {"x": "y" * 33_000}}])
def test_pages_of_listed_origins_may_send_and_read_the_answer(make, body):
    api = make(SEGMENT={"ORIGINS": ["https://Other.example"]})
    answer = api("v1/t", body, authorization=BASIC, **other())
    assert answer.headers["Access-Control-Allow-Origin"] == "https://other.example"
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert answer.headers["Access-Control-Expose-Headers"] == "Retry-After"
    assert answer.headers["Vary"] == "Origin"


def test_any_origin_may_send_but_not_with_cookies(make):
    api = make(SEGMENT={"ORIGINS": "*"})
    answer = api("v1/t", ORDER, authorization=BASIC, **other())
    assert answer.status == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert (
        api("v1/t", {**ORDER, "messageId": "m-2"}, authorization=BASIC, origin="null").status == 200
    )


def test_a_browser_that_asks_first_is_told_what_it_may_send(api):
    answer = api(
        "v1/t",
        method="OPTIONS",
        origin="https://shop.example",
        access_control_request_headers="authorization,content-type",
        access_control_request_method="POST",
    )
    assert (answer.status, answer.data) == (204, None)
    assert answer.headers["Access-Control-Allow-Headers"] == "authorization,content-type"
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    odd = api("v1/t", method="OPTIONS", access_control_request_headers="x\r\nset-cookie: a=b")
    assert "set-cookie" not in json.dumps(odd.headers)


def test_the_settings_that_libraries_ask_for_name_this_host(api):
    answer = api(f"v1/projects/{KEY}/settings", method="GET")
    integration = answer.data["integrations"]["Segment.io"]
    assert integration["apiHost"] == "shop.example/capi/v1"
    assert integration["protocol"] == "https"
    assert integration["apiKey"] == KEY
    assert answer.data["metrics"] == {"sampleRate": 0}
    assert api("v1/projects/other/settings", method="GET").status == 404


def test_a_page_of_https_sends_by_https_whatever_the_proxy_tells(api):
    context = RequestContext(
        method="GET",
        url=f"http://shop.example/v1/projects/{KEY}/settings",
        headers={"referer": "https://shop.example/"},
    )
    path = f"v1/projects/{KEY}/settings"
    answer = json.loads(respond(api.client, path, context, lambda _: b"").body)
    assert answer["integrations"]["Segment.io"]["protocol"] == "https"


# ------------------------------------------------------------------ how much


def test_who_sends_too_much_is_told_when_to_come_again(make):
    api = make(SEGMENT={"RATE": 1})
    batch = {"batch": [{**ORDER, "messageId": f"m-{number}"} for number in range(30)]}
    assert api("v1/b", batch, authorization=BASIC).status == 200
    answer = api("v1/t", ORDER, authorization=BASIC)
    assert (answer.status, answer.data["code"]) == (429, "rate_limited")
    assert 15 <= int(answer.headers["Retry-After"]) <= 25
    assert api("v1/t", ORDER, authorization=BASIC, address="203.0.113.10").status == 200


def test_guessing_keys_is_slow(make):
    api = make(SEGMENT={"RATE": 1})
    statuses = [api("v1/t", b"{}", authorization="Basic eDo=").status for _ in range(12)]
    assert statuses[0] == 401
    assert statuses[-1] == 429
    assert api("v1/t", ORDER, authorization=BASIC).status == 200


def test_a_rate_comes_back_with_time_and_is_forgotten_in_bounded_memory():
    clock = Clock()
    rate = Rate(2, clock=clock, most_senders=3)
    rate.spend("a", 30)
    assert rate.wait("a") == 6
    clock.advance(6)
    assert rate.wait("a") == 0
    clock.advance(1000)
    rate.spend("a", 19)
    assert rate.wait("a") == 0
    rate.spend("a", 1)
    assert rate.wait("a") == 1
    for name in "bcde":
        rate.spend(name, 100)
    assert rate.wait("a") == 0
    assert rate.wait("e") > 0
    assert Rate(0).wait("x") == 0


def test_a_sender_is_a_key_and_a_network():
    assert sender("k", "203.0.113.9") != sender("k", "203.0.113.10")
    assert sender("k", "2001:db8::1") == sender("k", "2001:db8::2")
    assert sender("k", "2001:db8:0:1::1") != sender("k", "2001:db8::2")
    assert sender("k", None) != sender("", None)
