"""What pages send, in a Flask host: one setting takes it."""

from __future__ import annotations

import pytest

ID = "0123456789abcdef0123456789abcdef"
WISH = {"event_name": "AddToWishlist", "event_id": ID, "custom_data": {"content_ids": ["tea"]}}
BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0",
    "Origin": "http://localhost",
    "Referer": "http://localhost/p/tea",
}


def send(app, body=WISH, **headers):
    return app.test_client().post("/capi/collect", json=body, headers={**BROWSER, **headers})


def test_an_event_of_a_page_is_captured_where_it_happened(make_app, recorder):
    answer = send(make_app(BROWSER={"COLLECT": True}))
    assert (answer.status_code, answer.data) == (204, b"")
    [event] = recorder.events
    assert (event["name"], event["id"]) == ("AddToWishlist", ID)
    assert event["url"] == "http://localhost/p/tea"


def test_a_beacon_is_taken_too(make_app, recorder):
    app = make_app(BROWSER={"COLLECT": True})
    text = '{"event_name": "Contact"}'
    answer = app.test_client().post(
        "/capi/collect", data=text, headers=BROWSER, content_type="text/plain;charset=UTF-8"
    )
    assert answer.status_code == 204
    assert [event["name"] for event in recorder.events] == ["Contact"]


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Origin": "https://other.example"}, WISH, 403),
        ({}, {**WISH, "event_name": "Purchase"}, 403),
        ({}, {**WISH, "event_id": "Lead.1"}, 400),
        ({}, {**WISH, "custom_data": {"x": "y" * 9000}}, 413),
    ],
)
def test_what_may_not_be_is_refused(make_app, recorder, headers, body, status):
    answer = send(make_app(BROWSER={"COLLECT": True}), body, **headers)
    assert answer.status_code == status
    assert set(answer.json) == {"success", "code", "message"}
    assert recorder.events == []


def test_protection_of_forms_is_for_forms(make_app, recorder):
    csrf = pytest.importorskip("flask_wtf").CSRFProtect
    app = make_app(BROWSER={"COLLECT": True})
    csrf(app)
    assert send(app).status_code == 204
    assert len(recorder.events) == 1


def test_the_script_is_there_and_without_the_setting_nothing_is(make_app):
    app = make_app(BROWSER={"COLLECT": True})
    assert app.test_client().get("/capi/bridge.js").status_code == 200
    assert app.test_client().get("/capi/collect").status_code == 405
    assert send(make_app()).status_code == 404
