"""The testing kit in the tests of a Flask project."""

from __future__ import annotations

import flask
from capi_flask import Capi

from capi_plugins.sandbox import Sandbox
from capi_plugins.testing import capture_events, sandboxed

CAPI = {
    "DESTINATIONS": {"meta": {"DATASET_ID": "1234567890", "ACCESS_TOKEN": "token"}},
    "CONSENT": {"DEFAULT": "granted"},
    "PAGE_VIEW": False,
    "AUTOLOAD": False,
    "TRIGGERS": [
        {
            "ON": "request",
            "ROUTE": "contact",
            "METHOD": "POST",
            "EVENT": "Lead",
            "USER_DATA": {"email": "form.email"},
            "CUSTOM_DATA": {"value": {"VALUE": 20}, "currency": {"VALUE": "EUR"}},
        }
    ],
}


def make_app(capi):
    app = flask.Flask(__name__)
    app.config.update(CAPI=capi, TESTING=True)
    Capi(app)

    @app.post("/contact")
    def contact():
        return flask.request.form["email"]

    return app


def test_what_a_test_client_does_is_captured():
    app = make_app(CAPI)
    with capture_events() as events:
        app.test_client().post("/contact", data={"email": "ada@example.com"})
    lead = events.assert_event("Lead", value=20, currency="EUR", email="ada@example.com")
    assert list(lead.payloads) == ["meta"]
    assert app.extensions["capi"].client.stats().waiting == 0


def test_an_app_may_send_to_a_sandbox():
    with Sandbox() as sandbox:
        app = make_app(sandboxed(CAPI, sandbox.url))
        app.test_client().post("/contact", data={"email": "ada@example.com"})
        assert [event.name for event in sandbox.accepted()] == ["Lead"]
