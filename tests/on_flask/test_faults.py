"""Whatever of ours fails, the host's answer is the same, byte for byte."""

from __future__ import annotations

import datetime
import sys
import types

import flask
import pytest
from capi_flask import Capi
from flask.sessions import SecureCookieSessionInterface

from capi_plugins import hookimpl
from capi_plugins.destinations.base import Destination

flask_login = pytest.importorskip("flask_login")
blinker = pytest.importorskip("blinker")

pytestmark = pytest.mark.may_fail


class BrokenError(Exception):
    """Raised by everything of ours that is broken on purpose."""


class BrokenPlugin:
    @hookimpl
    def capi_route(self, event, context, destinations):
        raise BrokenError

    @hookimpl
    def capi_consent(self, event, context, destination):
        raise BrokenError

    @hookimpl
    def capi_enrich(self, event, context):
        raise BrokenError

    @hookimpl
    def capi_filter(self, event, context, destination):
        raise BrokenError

    @hookimpl(tryfirst=True)
    def capi_send(self, request, destination):
        raise BrokenError

    @hookimpl
    def capi_shutdown(self):
        raise BrokenError


class BrokenDestination(Destination):
    KIND = "broken"

    def payload(self, event, consent, *, now):
        raise BrokenError

    def request(self, deliveries):
        raise BrokenError

    def outcome(self, response, deliveries):
        raise BrokenError


class BrokenDestinationPlugin:
    @hookimpl
    def capi_destination_types(self):
        return [BrokenDestination]


class BrokenUser:
    """A user of which only what Flask-Login itself needs to sign somebody in works."""

    is_active = True

    def get_id(self):
        return "7"

    def __getattr__(self, name):
        raise BrokenError(name)


class BrokenObject:
    def __getattribute__(self, name):
        raise BrokenError(name)


def nothing(app, monkeypatch):
    """The extension as it should be."""


def broken_plugin(app, monkeypatch):
    app.config["CAPI"]["PLUGINS"].append(BrokenPlugin())


def broken_destination(app, monkeypatch):
    app.config["CAPI"]["PLUGINS"].append(BrokenDestinationPlugin())
    app.config["CAPI"]["DESTINATIONS"]["broken"] = {}


def broken_receiver(app, monkeypatch):
    from capi_plugins import signals

    def receiver(sender, **_):
        raise BrokenError

    for signal in (signals.event_captured, signals.event_dropped, signals.delivered):
        monkeypatch.setitem(signal.receivers, id(receiver), receiver)


def broken_context(app, monkeypatch):
    monkeypatch.setattr("capi_flask.handling.context_of", broken)


def broken_finish(app, monkeypatch):
    monkeypatch.setattr("capi_plugins.Client.finish", broken)


def broken_request(app, monkeypatch):
    monkeypatch.setattr("capi_plugins.Client.request", broken)


def broken_prepare(app, monkeypatch):
    monkeypatch.setattr("capi_flask.installed.Installed.prepare", broken)


def broken_note(app, monkeypatch):
    monkeypatch.setattr("capi_flask.installed.Installed.note", broken)


def broken(*_, **__):
    raise BrokenError


def host(config, *, capi, break_something=nothing, monkeypatch=None):
    app = flask.Flask("shop")
    app.secret_key = "only for tests"
    rule = {"CUSTOM_DATA": {"a": "user.email", "b": "session.cart", "c": "json.a", "d": "thing.x"}}
    app.config["CAPI"] = {
        **config,
        "PAGE_VIEW": True,
        "TRIGGERS": [
            {"ON": "request", "STATUS": [200, 302, 404, 418, 500], "EVENT": "Page", **rule},
            {"ON": "signal", "SIGNAL": "host_signals.happened", "EVENT": "Lead", **rule},
            {"ON": "signal", "SIGNAL": "flask_login.user_logged_in", "EVENT": "Login", **rule},
        ],
    }
    if capi:
        break_something(app, monkeypatch)
        Capi(app)
    manager = flask_login.LoginManager(app)
    user = BrokenUser()
    manager.user_loader(lambda _: user)

    @app.get("/plain")
    def plain():
        return "plain"

    @app.get("/signal")
    def signal():
        answers = sys.modules["host_signals"].happened.send(app, thing=BrokenObject())
        return str({answer for _, answer in answers} - {None})

    @app.get("/session")
    def session():
        flask.session.permanent = True
        flask.session["cart"] = "full"
        return "kept"

    @app.get("/login")
    def login():
        flask_login.login_user(user, remember=True)
        return flask.redirect("/plain")

    @app.get("/abort")
    def abort():
        flask.abort(418)

    @app.get("/raise")
    def fail():
        raise ZeroDivisionError

    @app.get("/stream")
    def stream():
        return flask.Response(flask.stream_with_context(iter(["a", flask.request.path])))

    return app


def answers(app):
    client = app.test_client()
    given = []
    for path in (
        "/plain",
        "/signal",
        "/session",
        "/plain",
        "/login",
        "/plain",
        "/signal",
        "/abort",
        "/raise",
        "/stream",
        "/missing",
        "/session",
        "/plain",
    ):
        response = client.get(path)
        given.append((path, response.status, list(response.headers), response.data))
    return given


@pytest.fixture(autouse=True)
def _same_moment(monkeypatch):
    """Sessions and remember-me cookies hold the time; here it stands still."""
    moment = datetime.datetime(2035, 1, 1, tzinfo=datetime.UTC)

    class Clock(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return moment

        @classmethod
        def utcnow(cls):
            return moment.replace(tzinfo=None)

    monkeypatch.setattr("itsdangerous.timed.TimestampSigner.get_timestamp", lambda _: 2_000_000_000)
    monkeypatch.setattr("flask_login.login_manager.datetime", Clock)
    monkeypatch.setattr(
        SecureCookieSessionInterface,
        "get_expiration_time",
        lambda _, __, session: moment if session.permanent else None,
    )
    module = types.ModuleType("host_signals")
    module.happened = blinker.Signal()
    monkeypatch.setitem(sys.modules, "host_signals", module)


@pytest.mark.parametrize(
    "break_something",
    [
        nothing,
        broken_plugin,
        broken_destination,
        broken_receiver,
        broken_context,
        broken_finish,
        broken_request,
        broken_prepare,
        broken_note,
    ],
    ids=lambda function: function.__name__,
)
def test_answer_is_the_hosts_own(capi_config, monkeypatch, break_something):
    expected = answers(host(capi_config(), capi=False))
    app = host(capi_config(), capi=True, break_something=break_something, monkeypatch=monkeypatch)
    assert answers(app) == expected


@pytest.mark.parametrize("refresh", [True, False])
def test_reading_session_and_user_does_not_touch_the_answer(make_app, recorder, refresh):
    def host_app(*, capi):
        rule = {"ON": "request", "EVENT": "Page", "CUSTOM_DATA": {"a": "session.cart"}}
        app = make_app(capi=capi, TRIGGERS=[{**rule, "USER_DATA": {"email": "user.email"}}])
        app.config["SESSION_REFRESH_EACH_REQUEST"] = refresh
        user = types.SimpleNamespace(email="ada@example.com", is_authenticated=True)
        # No after_request of Flask-Login, which looks into the session by itself.
        app.login_manager = types.SimpleNamespace(
            _load_user=lambda: flask.session.get("cart") and setattr(flask.g, "_login_user", user)
        )
        app.add_url_rule("/plain", "plain", lambda: "plain")

        @app.get("/keep")
        def keep():
            flask.session.permanent = True
            flask.session["cart"] = "full"
            return "kept"

        client = app.test_client()
        answers = [client.get(path) for path in ("/keep", "/plain")]
        return [(answer.status, list(answer.headers), answer.data) for answer in answers]

    expected = host_app(capi=False)
    assert ("Vary", "Cookie") in expected[0][1]
    assert (("Vary", "Cookie") in expected[1][1]) is refresh
    assert host_app(capi=True) == expected
    assert recorder.events[-1]["custom_data"] == {"a": "full"}
    assert recorder.events[-1]["user_data"]["email"] == "ada@example.com"


@pytest.mark.parametrize("propagate", [True, False])
def test_exception_of_the_host_is_the_one_that_is_seen(capi_config, monkeypatch, propagate):
    app = host(capi_config(), capi=True, break_something=broken_finish, monkeypatch=monkeypatch)
    app.config["PROPAGATE_EXCEPTIONS"] = propagate
    if propagate:
        with pytest.raises(ZeroDivisionError):
            app.test_client().get("/raise")
    else:
        assert app.test_client().get("/raise").status_code == 500


def test_broken_listener_does_not_break_the_hosts_transaction(capi_config, monkeypatch, tmp_path):
    sqlalchemy = pytest.importorskip("sqlalchemy")
    from sqlalchemy.orm import DeclarativeBase, Session, mapped_column

    class Base(DeclarativeBase):
        pass

    class Thing(Base):
        __tablename__ = "things"
        id = mapped_column(sqlalchemy.Integer, primary_key=True)
        done = mapped_column(sqlalchemy.Boolean, default=False)

    app = flask.Flask("shop")
    app.config["CAPI"] = capi_config(
        TRIGGERS=[{"ON": "model", "MODEL": "Thing", "CHANGED": {"done": True}, "EVENT": "Lead"}]
    )
    Capi(app)
    installed = app.extensions["capi"]
    installed.watch_database()
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'things.sqlite3'}")
    Base.metadata.create_all(engine)
    monkeypatch.setattr(installed.models, "of", broken)
    with app.app_context(), Session(engine) as session:
        thing = Thing()
        session.add(thing)
        session.commit()
        thing.done = True
        session.commit()
        monkeypatch.undo()
        session.add(Thing(done=True))
        monkeypatch.setattr(installed, "note", broken)
        session.commit()
        assert len(session.scalars(sqlalchemy.select(Thing)).all()) == 2
    engine.dispose()
