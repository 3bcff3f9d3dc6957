from __future__ import annotations

import gc
import json
import weakref

import flask
import pytest
from capi_flask import Capi

from capi_plugins import ConfigurationError

LEAD = {"ON": "request", "ROUTE": "contact", "EVENT": "Lead"}


def test_request_trigger_makes_an_event_from_the_route(make_app, recorder):
    app = make_app(TRIGGERS=[{**LEAD, "CUSTOM_DATA": {"topic": "kwargs.topic"}}])
    app.add_url_rule("/contact/<topic>", "contact", lambda topic: "thanks")
    assert app.test_client().get("/contact/prices?x=1").status_code == 200
    [event] = recorder.events
    assert event["name"] == "Lead"
    assert event["custom_data"] == {"topic": "prices"}
    assert event["url"] == "http://localhost/contact/prices?x=1"


def test_init_app_later_is_the_same_as_with_the_app(make_app, recorder):
    capi = Capi()
    app = make_app(capi=False, TRIGGERS=[LEAD])
    capi.init_app(app)
    app.add_url_rule("/", "contact", lambda: "thanks")
    app.test_client().get("/")
    assert recorder.named("Lead")
    assert not vars(capi)


def test_second_init_app_changes_nothing(make_app, recorder):
    app = make_app(TRIGGERS=[LEAD])
    before = app.extensions["capi"]
    Capi().init_app(app)
    assert app.extensions["capi"] is before
    app.add_url_rule("/", "contact", lambda: "thanks")
    app.test_client().get("/")
    assert len(recorder.named("Lead")) == 1


def test_every_mistake_in_the_configuration_is_told_at_once(capi_config):
    app = flask.Flask("shop")
    app.config["CAPI"] = capi_config(
        DESTINATIONS={"recorder": {"ACESS_TOKEN": "x"}}, PAGEVIEW=1, CONSENT={}
    )
    with pytest.raises(ConfigurationError) as error:
        Capi(app)
    text = str(error.value)
    assert "ACESS_TOKEN" in text
    assert "PAGE_VIEW" in text
    assert "CONSENT" in text
    assert "capi" not in app.extensions


def test_app_without_configuration_works_and_is_told(caplog):
    app = flask.Flask("shop")
    capi = Capi(app)
    app.add_url_rule("/", "home", lambda: capi.track("Lead") or "hello")
    assert app.test_client().get("/").text == "hello"
    assert "app.config has no CAPI" in caplog.text


def test_late_init_app_warns_and_works(make_app, recorder, caplog):
    app = make_app(capi=False, TRIGGERS=[LEAD])
    app.add_url_rule("/", "contact", lambda: "thanks")
    client = app.test_client()
    client.get("/")
    Capi(app)
    assert "after the first request" in caplog.text
    client.get("/")
    assert len(recorder.named("Lead")) == 1


def test_configuration_from_prefixed_environment_works(monkeypatch, recorder):
    for name, value in {
        "FLASK_CAPI__DESTINATIONS__shop__KIND": "recorder",
        "FLASK_CAPI__AUTOLOAD": "false",
        "FLASK_CAPI__CONSENT__DEFAULT": "denied",
        "FLASK_CAPI__PAGE_VIEW": "false",
        "FLASK_CAPI__TRUSTED_PROXIES": "1",
        "FLASK_CAPI__TRIGGERS": json.dumps([LEAD]),
    }.items():
        monkeypatch.setenv(name, value)
    app = flask.Flask("shop")
    app.config.from_prefixed_env()
    app.config["CAPI"]["PLUGINS"] = [recorder]
    capi = Capi(app)
    with app.app_context():
        settings = capi.client.settings
        assert list(capi.client.destinations) == ["shop"]
    assert settings.trusted_proxies == 1
    assert settings.page_view is False
    assert settings.triggers == (LEAD,)


def test_client_outside_an_application_context_says_so():
    with pytest.raises(RuntimeError, match="application context"):
        _ = Capi().client


def test_client_of_an_app_without_the_extension_says_so():
    with flask.Flask("other").app_context(), pytest.raises(RuntimeError, match=r"init_app"):
        _ = Capi().client


@pytest.mark.may_fail
def test_track_without_an_app_is_logged_and_never_raises(caplog):
    Capi().track("Lead")
    assert "an event was lost" in caplog.text


def test_track_inside_a_request_has_its_context(make_app, recorder):
    app = make_app()
    capi = Capi()

    @app.get("/")
    def home():
        capi.track("Lead", event_id="7", custom_data={"value": 3})
        assert recorder.events == []
        return "hello"

    app.test_client().get("/", environ_base={"REMOTE_ADDR": "203.0.113.9"})
    [event] = recorder.events
    assert event["id"] == "7"
    assert event["url"] == "http://localhost/"
    assert event["user_data"]["client_ip_address"] == "203.0.113.9"


def test_track_outside_a_request_is_captured_at_once(make_app, recorder):
    app = make_app()
    with app.app_context():
        Capi().track("Lead", event_id="7")
        assert [event["id"] for event in recorder.events] == ["7"]
        assert Capi().flush()


def test_track_in_a_streamed_body_has_the_context_of_its_request(make_app, recorder):
    app = make_app()
    capi = Capi()

    @app.get("/")
    def home():
        def body():
            yield "a"
            capi.track("Lead")
            yield "b"

        return flask.Response(flask.stream_with_context(body()))

    assert app.test_client().get("/").text == "ab"
    [event] = recorder.events
    assert event["url"] == "http://localhost/"


def test_before_request_that_answers_itself_hides_nothing(make_app, recorder):
    app = make_app(capi=False, TRIGGERS=[{"ON": "request", "STATUS": 403, "EVENT": "Refused"}])
    app.before_request(lambda: ("no", 403))
    Capi(app)
    assert app.test_client().get("/").status_code == 403
    assert recorder.named("Refused")


def test_tracked_event_survives_an_exception_that_is_propagated(make_app, recorder):
    app = make_app(TRIGGERS=[{"ON": "request", "EVENT": "Page"}])
    app.config["PROPAGATE_EXCEPTIONS"] = True

    @app.get("/")
    def home():
        Capi().track("Lead")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        app.test_client().get("/")
    assert [event["name"] for event in recorder.events] == ["Lead"]
    with app.app_context():
        assert Capi().client.current_scope() is None


def test_tracked_event_survives_an_error_page(make_app, recorder):
    app = make_app(TRIGGERS=[{"ON": "request", "EVENT": "Page"}])

    @app.get("/")
    def home():
        Capi().track("Lead")
        raise ZeroDivisionError

    assert app.test_client().get("/").status_code == 500
    assert [event["name"] for event in recorder.events] == ["Lead"]


def test_system_exit_in_a_view_still_closes_the_request(make_app, recorder):
    app = make_app()

    @app.get("/")
    def home():
        Capi().track("Lead")
        raise SystemExit

    with pytest.raises(SystemExit):
        app.test_client().get("/")
    assert recorder.named("Lead")


def test_kept_context_is_finished_once(make_app, recorder):
    app = make_app(TRIGGERS=[LEAD])
    app.add_url_rule("/", "contact", lambda: "thanks")
    with app.test_client() as client:
        client.get("/")
        assert flask.request.path == "/"
        client.get("/")
    assert len(recorder.named("Lead")) == 2


def test_requests_inside_one_application_context_do_not_mix(make_app, recorder):
    app = make_app(TRIGGERS=[LEAD])
    app.add_url_rule("/", "contact", lambda: "thanks")
    app.add_url_rule("/other", "other", lambda: "other")
    with app.app_context():
        for path in ("/", "/other", "/"):
            app.test_client().get(path)
    assert len(recorder.named("Lead")) == 2


def test_app_is_not_kept_alive(make_app):
    app = make_app(
        TRIGGERS=[{"ON": "signal", "SIGNAL": "flask.signals.request_started", "EVENT": "Lead"}]
    )
    app.add_url_rule("/", "home", lambda: "hello")
    app.test_client().get("/")
    gone = weakref.ref(app)
    del app
    gc.collect()
    assert gone() is None


def test_async_view_is_captured_in_its_request(make_app, recorder):
    pytest.importorskip("asgiref")
    import asyncio

    app = make_app()

    @app.get("/")
    async def home():
        await asyncio.sleep(0)
        Capi().track("Lead")
        return "hello"

    assert app.test_client().get("/").text == "hello"
    assert recorder.named("Lead")[0]["url"] == "http://localhost/"


def test_one_app_that_calls_another_keeps_its_own_events(make_app, recorder):
    inner = make_app("inner", TRIGGERS=[{**LEAD, "EVENT": "Inner"}])
    inner.add_url_rule("/in", "contact", lambda: Capi().track("FromInner") or "inner")
    outer = make_app("outer", TRIGGERS=[{**LEAD, "EVENT": "Outer"}])

    @outer.get("/", endpoint="contact")
    def contact():
        Capi().track("Before")
        inner.test_client().get("/in")
        Capi().track("After")
        return "outer"

    outer.test_client().get("/")
    assert [(e["name"], e["url"]) for e in recorder.events] == [
        ("FromInner", "http://localhost/in"),
        ("Inner", "http://localhost/in"),
        ("Before", "http://localhost/"),
        ("After", "http://localhost/"),
        ("Outer", "http://localhost/"),
    ]
