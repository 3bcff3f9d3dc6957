from __future__ import annotations

import gzip
import hashlib
import hmac
import json

import pytest

from capi_plugins.sandbox import Sandbox
from tests.sandbox.wire_events import NOW, changed, website_purchase

SHOP = website_purchase()
EDGE = "/v26.0/1234567890/events"
GOOD = {"data": [SHOP], "access_token": "TOKEN"}


def send(client, sandbox, **arguments):
    return client.post(sandbox.url + EDGE, **arguments)


@pytest.mark.parametrize("element", [SHOP, json.dumps(SHOP)], ids=["objects", "texts"])
@pytest.mark.parametrize("encoding", ["json", "json text", "form", "multipart", "upload"])
def test_every_encoding_is_read(element, encoding, client, sandbox):
    text = json.dumps([element])
    arguments = {
        "json": {"json": {"data": [element], "access_token": "TOKEN"}},
        "json text": {"json": {"data": text, "access_token": "TOKEN"}},
        "form": {"data": {"data": text, "access_token": "TOKEN"}},
        "multipart": {"files": {"data": (None, text), "access_token": (None, "TOKEN")}},
        "upload": {"files": {"data": ("d.json", text), "access_token": (None, "TOKEN")}},
    }[encoding]
    answer = send(client, sandbox, **arguments)
    assert answer.status_code == 200, answer.text
    assert sandbox.events[0].payload == SHOP
    assert sandbox.requests[0].token_source == "body"


@pytest.mark.parametrize("media", ["application/json", "application/x-www-form-urlencoded"])
def test_gzip_body_is_read(media, client, sandbox):
    from urllib.parse import urlencode

    is_json = media == "application/json"
    text = json.dumps(GOOD) if is_json else urlencode(GOOD | {"data": json.dumps([SHOP])})
    headers = {"Content-Encoding": "gzip", "Content-Type": media}
    answer = send(client, sandbox, content=gzip.compress(text.encode()), headers=headers)
    assert answer.status_code == 200, answer.text
    assert sandbox.requests[0].encoding.endswith("+gzip")


def test_gzip_bomb_is_too_large(client, sandbox):
    body = gzip.compress(b" " * (17 * 1024 * 1024))
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    assert send(client, sandbox, content=body, headers=headers).status_code in {400, 413}
    assert sandbox.refused


def test_too_large_body_is_refused(client, sandbox):
    body = b" " * (17 * 1024 * 1024)
    headers = {"Content-Type": "application/json", "Authorization": "Bearer T"}
    assert send(client, sandbox, content=body, headers=headers).status_code == 413


@pytest.mark.parametrize(
    ("source", "arguments"),
    [
        ("query", {"params": {"access_token": "TOKEN"}}),
        ("header", {"headers": {"Authorization": "Bearer TOKEN"}}),
    ],
)
def test_token_is_found_and_hidden(source, arguments, client, sandbox):
    assert send(client, sandbox, json={"data": [SHOP]}, **arguments).status_code == 200
    request = sandbox.requests[0]
    assert request.token_source == source
    assert "TOKEN" not in repr(request)
    assert "TOKEN" not in repr((request.query, request.headers))


@pytest.mark.parametrize(
    ("token", "status", "code", "subcode"),
    [
        (None, 400, 104, None),
        ("", 400, 104, None),
        ("an-invalid-one", 401, 190, None),
        ("has spaces in it", 401, 190, None),
        ("my-expired-token", 401, 190, 463),
    ],
)
def test_49_to_51_bad_token(token, status, code, subcode, client, sandbox):
    answer = send(client, sandbox, json={"data": [SHOP], "access_token": token})
    error = answer.json()["error"]
    found = (answer.status_code, error["code"], error.get("error_subcode"))
    assert found == (status, code, subcode)
    assert error["type"] == "OAuthException"
    assert sandbox.refused[0].payload == SHOP


@pytest.mark.parametrize(
    ("dataset", "token", "status", "code", "subcode"),
    [
        ("1", "ONE", 200, None, None),
        ("1", "TWO", 400, 100, 33),
        ("3", "ONE", 400, 100, 33),
        ("1", "OTHER", 401, 190, None),
    ],
)
def test_50_and_52_known_datasets(dataset, token, status, code, subcode, client):
    with Sandbox(datasets={"1": "ONE", "2": "TWO"}, clock=lambda: NOW) as sandbox:
        url = f"{sandbox.url}/v26.0/{dataset}/events"
        answer = client.post(url, json={"data": [SHOP], "access_token": token})
    error = answer.json().get("error", {})
    assert answer.status_code == status
    assert (error.get("code"), error.get("error_subcode")) == (code, subcode)
    if subcode == 33:
        assert error["type"] == "GraphMethodException"


def test_53_proof_is_checked(client):
    right = hmac.new(b"SECRET", b"TOKEN", hashlib.sha256).hexdigest()
    with Sandbox(app_secret="SECRET", clock=lambda: NOW) as sandbox:
        assert send(client, sandbox, json=GOOD | {"appsecret_proof": right}).status_code == 200
        for wrong in ("0" * 64, "", "é"):
            answer = send(client, sandbox, json=GOOD | {"appsecret_proof": wrong})
            error = answer.json()["error"]
            assert (answer.status_code, error["code"]) == (400, 100)
            assert error["type"] == "GraphMethodException"
        assert send(client, sandbox, json=GOOD).status_code == 400
        sandbox.mode = "meta"
        assert send(client, sandbox, json=GOOD).status_code == 200


def test_54_get_is_unsupported(client, sandbox):
    answer = client.get(sandbox.url + EDGE, params={"access_token": "TOKEN"})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["error_subcode"]) == (400, 100, 33)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v26.0/1/event", 2500),
        ("/v26.0", 2500),
        ("/v99.0/1/events", 2500),
        ("/v18.0/1/events", 2635),
        ("/1/events", 2635),
        ("/v21.0/1/events", None),
    ],
)
def test_path_and_version(path, code, post):
    assert post(SHOP, path=path).json().get("error", {}).get("code") == code


def test_version_ends_on_its_day(client):
    clock = [1_800_489_599.0]  # 2027-01-20T23:59:59Z
    event = changed(SHOP, "event_time", int(clock[0]))
    with Sandbox(clock=lambda: clock[0]) as sandbox:
        url = f"{sandbox.url}/v21.0/1/events"
        assert client.post(url, json=GOOD | {"data": [event]}).status_code == 200
        clock[0] += 1
        assert client.post(url, json=GOOD | {"data": [event]}).status_code == 400


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "(#100) The parameter data is required"),
        ({"data": None}, "(#100) The parameter data is required"),
        ({"data": {}}, "array"),
        ({"data": 5}, "array"),
        ({"data": []}, "non-empty"),
        ({"data": [SHOP] * 1001}, "1000"),
        ({"data": "[{"}, "valid JSON"),
        ({"data": ["{"]}, "valid JSON"),
    ],
    ids=["10", "10 null", "11", "11 number", "12", "13", "14", "14 inner"],
)
def test_10_to_14_batch(body, message, client, sandbox):
    answer = send(client, sandbox, json={"access_token": "TOKEN", **body})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, 100)
    assert message in error["message"]
    assert sandbox.events == []


def test_14_form_field_that_is_no_json(client, sandbox):
    answer = send(client, sandbox, data={"data": "[{", "access_token": "TOKEN"})
    assert answer.json()["error"]["code"] == 100


def test_a_thousand_events_pass(post):
    events = [changed(SHOP, "event_id", str(number)) for number in range(1000)]
    assert post(*events).json()["events_received"] == 1000


def test_checks_come_in_metas_order(client, sandbox):
    bad = changed(SHOP, "event_time", 1)

    def code(path, **body):
        answer = client.post(sandbox.url + path, json={"data": [bad], **body})
        error = answer.json()["error"]
        return error["code"], error.get("error_subcode")

    assert code("/v18.0/1/nothing") == (2500, None)
    assert code("/v18.0/1/events") == (2635, None)
    assert code("/v26.0/1/events") == (104, None)
    assert code("/v26.0/1/events", access_token="T", appsecret_proof="x") == (100, None)
    assert code("/v26.0/1/events", access_token="T") == (100, 2804003)
