"""What Segment's libraries send, in a Flask host: a blueprint that settings alone put there."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest
from capi_flask import Capi

from tests.segment.api import BASIC, ORDER, SECRET, SEGMENT

BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0",
    "Origin": "http://localhost",
    "Referer": "http://localhost/thanks",
}


def post(app, where, body, **headers):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return app.test_client().post(where, data=raw, headers=headers, content_type="text/plain")


def test_an_order_arrives(make_app, recorder):
    app = make_app(SEGMENT=SEGMENT)
    answer = post(app, "/capi/v1/t", ORDER, Authorization=BASIC)
    assert (answer.status_code, answer.json) == (200, {"success": True})
    assert answer.headers["Content-Type"] == "application/json"
    assert [event["name"] for event in recorder.events] == ["Purchase"]


@pytest.mark.parametrize(
    ("prefix", "where"), [("", "/v1/t"), ("/", "/v1/t"), ("/hooks/capi/", "/hooks/capi/v1/t")]
)
def test_settings_say_where(make_app, prefix, where):
    app = make_app(SEGMENT=SEGMENT, URL_PREFIX=prefix)
    assert post(app, where, ORDER, Authorization=BASIC).status_code == 200
    assert post(app, "/capi/v1/t", ORDER, Authorization=BASIC).status_code == 404


def test_nothing_is_mounted_that_nobody_may_send_to(make_app):
    app = make_app(SEGMENT={"CURRENCY": "EUR"})
    assert [rule.rule for rule in app.url_map.iter_rules() if "capi" in rule.rule] == []


def test_protection_of_forms_lets_senders_in_and_nobody_else(make_app):
    csrf = pytest.importorskip("flask_wtf").CSRFProtect
    app = make_app(SEGMENT=SEGMENT)
    csrf(app)

    @app.post("/form")
    def form():
        return "ok"

    assert post(app, "/capi/v1/t", ORDER, Authorization=BASIC).status_code == 200
    assert post(app, "/form", b"").status_code == 400


def test_the_visitors_own_page_completes_the_event(make_app, recorder):
    app = make_app(SEGMENT=SEGMENT)
    post(app, "/capi/v1/t", ORDER, Authorization=BASIC, **BROWSER)
    (event,) = recorder.events
    assert event["url"] == "http://localhost/thanks"


def test_browsers_are_told_before_they_send(make_app):
    client = make_app(SEGMENT=SEGMENT).test_client()
    answer = client.options("/capi/v1/t", headers={"Origin": "http://localhost"})
    assert (answer.status_code, answer.data) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == "http://localhost"


def test_a_webhook_is_taken_at_its_name(make_app, recorder):
    app = make_app(SEGMENT=SEGMENT)
    body = json.dumps(ORDER).encode()
    signature = hmac.new(SECRET.encode(), body, hashlib.sha1).hexdigest()
    where = "/capi/webhooks/segment"
    assert post(app, where, body, **{"X-Signature": signature}).status_code == 200
    assert post(app, where, body + b" ", **{"X-Signature": signature}).status_code == 400
    assert len(recorder.events) == 1


@pytest.mark.parametrize("limit", [None, 1000])
def test_what_is_too_large_is_told(make_app, limit):
    app = make_app(SEGMENT=SEGMENT)
    app.config["MAX_CONTENT_LENGTH"] = limit
    answer = post(app, "/capi/v1/b", b" " * 600_000, Authorization=BASIC)
    assert answer.status_code == 413
    assert answer.json["code"] == "too_large"
    body = {"batch": [{**ORDER, "messageId": f"m-{number}"} for number in range(20)]}
    assert post(app, "/capi/v1/b", body, Authorization=BASIC).status_code == 200


@pytest.mark.may_fail
def test_an_app_that_serves_already_is_told_that_it_is_too_late(make_app, capi_config, caplog):
    app = make_app(capi=False)
    app.test_client().get("/")
    app.config["CAPI"] = capi_config(SEGMENT=SEGMENT)
    Capi(app)
    assert "nothing is mounted" in caplog.text


def test_the_script_is_served_where_consent_is_read_from_its_cookie(make_app):
    consent = {"DEFAULT": "denied", "SOURCES": [{"SOURCE": "bridge"}]}
    visitor = make_app(CONSENT=consent).test_client()
    first = visitor.get("/capi/bridge.js")
    assert first.status_code == 200
    assert first.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert first.headers["Cache-Control"] == "public, max-age=3600"
    assert "Set-Cookie" not in first.headers
    again = visitor.get("/capi/bridge.js", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert visitor.post("/capi/bridge.js").status_code == 405
    assert visitor.post("/capi/v1/t").status_code == 404
    assert make_app().test_client().get("/capi/bridge.js").status_code == 404
