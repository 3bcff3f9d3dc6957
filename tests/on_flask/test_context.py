"""What a trigger may read of a request, and who the visitor is."""

from __future__ import annotations

import sys
import types

import flask
import pytest
from capi_flask import Capi
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.middleware.proxy_fix import ProxyFix

from capi_plugins import ConfigurationError

flask_login = pytest.importorskip("flask_login")


def trigger(**custom_data):
    return {"ON": "request", "ROUTE": "view", "EVENT": "Lead", "CUSTOM_DATA": custom_data}


def lead(recorder):
    [event] = recorder.named("Lead")
    return event


def with_login(app, user):
    manager = flask_login.LoginManager(app)
    manager.user_loader(lambda _: user)
    app.add_url_rule("/login", "login", lambda: str(flask_login.login_user(user)))
    return app


class Shopper(flask_login.UserMixin):
    id = 7
    email = "ada@example.com"


def test_body_template_messages_and_response_are_offered(make_app, recorder):
    app = make_app(
        TRIGGERS=[
            trigger(
                plan="form.plan",
                page="args.page",
                name="kwargs.name",
                product="context.product.sku",
                template="template",
                said="messages.0",
                answered="response.status_code",
                endpoint="request.endpoint",
                noted="g.noted",
                shop="config.SHOP",
                cart="session.cart",
            )
        ]
    )
    app.config["SHOP"] = "Fernhill"
    app.jinja_loader = __import__("jinja2").DictLoader(
        {"page.html": "{{ product.sku }}{{ get_flashed_messages() }}", "email/thanks.html": "hi"}
    )

    @app.post("/v/<name>", endpoint="view")
    def view(name):
        flask.request.form.get("plan")
        flask.flash("Thank you")
        flask.g.noted = "yes"
        flask.session["cart"] = "full"
        page = flask.render_template("page.html", product={"sku": "MUG"})
        flask.render_template("email/thanks.html", product=None)
        return page

    app.test_client().post("/v/ada?page=2", data={"plan": "gold"})
    assert lead(recorder)["custom_data"] == {
        "plan": "gold",
        "page": "2",
        "name": "ada",
        "product": "MUG",
        "template": "page.html",
        "said": "Thank you",
        "answered": 200,
        "endpoint": "view",
        "noted": "yes",
        "shop": "Fernhill",
        "cart": "full",
    }


def test_a_template_that_stands_in_the_code_is_offered_where_no_file_is_rendered(
    make_app, recorder
):
    lead = trigger(product="context.product", page="context.page")
    app = make_app(TRIGGERS=[{**lead, "METHOD": ["GET", "POST"]}])
    app.jinja_loader = __import__("jinja2").DictLoader({"page.html": "{{ page }}"})

    @app.route("/", methods=["GET", "POST"])
    def view():
        text = flask.render_template_string("Thank you for {{ product }}", product="MUG")
        if flask.request.method == "POST":
            return flask.render_template("page.html", page="thanks")
        return text

    for method in ("get", "post"):
        getattr(app.test_client(), method)("/")
    assert [event["custom_data"] for event in recorder.events] == [
        {"product": "MUG"},
        {"page": "thanks"},
    ]


def test_json_that_the_view_read_is_offered(make_app, recorder):
    app = make_app(TRIGGERS=[trigger(plan="json.order.plan")])
    app.add_url_rule("/", "view", lambda: flask.request.get_json() and "ok", methods=["POST"])
    app.test_client().post("/", json={"order": {"plan": "gold"}})
    assert lead(recorder)["custom_data"] == {"plan": "gold"}


def test_body_that_the_view_left_alone_is_not_read(make_app, recorder):
    app = make_app(TRIGGERS=[trigger(plan="form.plan", other="json.plan")])
    app.add_url_rule("/", "view", lambda: "ok", methods=["POST"])

    class Unreadable:
        def read(self, *_):
            raise AssertionError("the body was read")

    app.test_client().post(
        "/",
        environ_overrides={
            "wsgi.input": Unreadable(),
            "CONTENT_LENGTH": "9",
            "CONTENT_TYPE": "application/x-www-form-urlencoded",
        },
    )
    assert lead(recorder)["custom_data"] == {}


def test_streamed_template_is_offered(make_app, recorder):
    app = make_app(TRIGGERS=[trigger(template="template", sku="context.sku")])
    app.jinja_loader = __import__("jinja2").DictLoader({"page.html": "{{ sku }}"})
    app.add_url_rule("/", "view", lambda: flask.stream_template("page.html", sku="MUG"))
    assert app.test_client().get("/").text == "MUG"
    assert lead(recorder)["custom_data"] == {"template": "page.html", "sku": "MUG"}


def test_signed_in_user_gives_the_default_match_keys(make_app, recorder):
    app = with_login(make_app(TRIGGERS=[trigger(mail="user.email")]), Shopper())
    app.add_url_rule("/", "view", lambda: "ok")
    client = app.test_client()
    client.get("/")
    assert recorder.events.pop()["custom_data"] == {}
    assert recorder.contexts[-1].is_staff is None
    client.get("/login")
    client.get("/")
    event = lead(recorder)
    assert event["user_data"] == {"external_id": 7, "email": "ada@example.com"}
    assert event["custom_data"] == {"mail": "ada@example.com"}
    assert recorder.contexts[-1].is_staff is False


def test_a_page_that_asks_to_sign_in_first_does_nothing_yet(make_app, recorder):
    app = with_login(make_app(TRIGGERS=[trigger()]), Shopper())
    app.login_manager.login_view = "login"
    app.add_url_rule("/add", "view", flask_login.login_required(lambda: flask.redirect("/cart")))
    client = app.test_client()
    assert "next=" in client.get("/add?id=3").headers["Location"]
    assert recorder.events == []
    client.get("/login")
    client.get("/add?id=3")
    assert lead(recorder)["name"] == "Lead"


def test_user_is_not_loaded_when_nothing_happened(make_app):
    app = make_app(TRIGGERS=[trigger()])
    manager = flask_login.LoginManager(app)
    loaded = []
    manager.user_loader(loaded.append)
    manager.request_loader(loaded.append)
    app.add_url_rule("/other", "other", lambda: "ok")
    app.test_client().get("/other")
    assert loaded == []


@pytest.mark.parametrize("attribute", ["is_staff", "is_admin"])
def test_member_of_staff_is_known(make_app, recorder, attribute):
    user = type("Staff", (Shopper,), {attribute: True})()
    app = with_login(make_app(TRIGGERS=[trigger()], EXCLUDE={"staff": False}), user)
    app.add_url_rule("/", "view", lambda: "ok")
    client = app.test_client()
    client.get("/login")
    client.get("/")
    assert recorder.contexts[-1].is_staff is True


@pytest.mark.parametrize(
    ("proxies", "fixed", "forwarded", "address"),
    [
        (0, 0, "203.0.113.9", "198.51.100.1"),
        (1, 0, "203.0.113.9", "203.0.113.9"),
        (0, 1, "203.0.113.9", "203.0.113.9"),
        (1, 1, "203.0.113.66, 203.0.113.9", "203.0.113.9"),
        (2, 1, "203.0.113.66, 203.0.113.9, 192.0.2.5", "203.0.113.9"),
        (["198.51.100.0/24"], 1, "203.0.113.66, 203.0.113.9", "203.0.113.9"),
    ],
)
def test_no_proxy_is_counted_twice(make_app, recorder, proxies, fixed, forwarded, address):
    app = make_app(TRIGGERS=[trigger()], TRUSTED_PROXIES=proxies)
    app.add_url_rule("/", "view", lambda: "ok")
    if fixed:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=fixed)
    app.test_client().get(
        "/",
        headers={"X-Forwarded-For": forwarded},
        environ_base={"REMOTE_ADDR": "198.51.100.1"},
    )
    assert lead(recorder)["user_data"]["client_ip_address"] == address


def test_signal_of_a_blueprint_is_heard_in_its_app_only(make_app, recorder, monkeypatch):
    blinker = pytest.importorskip("blinker")
    module = types.ModuleType("host_signals")
    module.registered = blinker.Signal()
    monkeypatch.setitem(sys.modules, "host_signals", module)
    rule = {
        "ON": "signal",
        "SIGNAL": "host_signals.registered",
        "EVENT": "CompleteRegistration",
        "EVENT_ID": "user.id",
        "USER_DATA": {"email": "user.email"},
        "CUSTOM_DATA": {"by": "sender", "path": "request.path"},
    }
    app, other = make_app(TRIGGERS=[rule]), make_app("other", TRIGGERS=[rule])

    def register():
        results = module.registered.send("a blueprint", user=Shopper())
        assert {answer for _, answer in results} == {None}
        assert recorder.events == []
        return "welcome"

    app.add_url_rule("/register", "register", register)
    app.test_client().get("/register")
    [event] = recorder.events
    assert event["id"] == "CompleteRegistration.7"
    assert event["user_data"] == {"email": "ada@example.com"}
    assert event["custom_data"] == {"by": "a blueprint", "path": "/register"}
    module.registered.send(None, user=Shopper())
    assert len(recorder.events) == 1
    with other.app_context():
        module.registered.send(None, user=Shopper())
    assert len(recorder.events) == 2


def test_signal_of_flask_login_is_heard(make_app, recorder):
    app = with_login(
        make_app(
            TRIGGERS=[
                {
                    "ON": "signal",
                    "SIGNAL": "flask_login.user_logged_in",
                    "EVENT": "Login",
                    "USER_DATA": {"email": "user.email"},
                    "CUSTOM_DATA": {"app": "sender.name"},
                }
            ]
        ),
        Shopper(),
    )
    app.test_client().get("/login")
    [event] = recorder.named("Login")
    assert event["user_data"]["email"] == "ada@example.com"
    assert event["custom_data"] == {"app": "shop"}


@pytest.mark.may_fail
@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"ON": "signal", "SIGNAL": "flask.no_such_module.signal"}, "cannot be imported"),
        ({"ON": "signal", "SIGNAL": "flask.Flask"}, "is not a blinker signal"),
        ({"ON": "model", "MODEL": "flask.no_such_model"}, "leads to no model"),
    ],
)
def test_trigger_that_can_never_fire_is_told_once(make_app, caplog, rule, said):
    app = make_app(TRIGGERS=[{**rule, "EVENT": "Lead"}])
    app.test_client().get("/")
    app.test_client().get("/")
    told = [record.getMessage() for record in caplog.records if said in record.getMessage()]
    assert len(told) == 1
    assert "CAPI['TRIGGERS'][0]" in told[0]


HEADER = st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=60)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    path=st.binary(max_size=30),
    query=HEADER,
    cookie=HEADER,
    referer=HEADER,
    agent=HEADER,
    forwarded=HEADER,
    host=HEADER,
    body=st.binary(max_size=80),
    kind=st.sampled_from(
        [
            "application/json",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=b",
            "nonsense",
        ]
    ),
)
def test_anything_a_stranger_sends_gets_the_hosts_own_answer(
    make_app, recorder, path, query, cookie, referer, agent, forwarded, host, body, kind
):
    def host_app(*, capi):
        app = make_app(
            capi=capi,
            TRIGGERS=[
                {
                    **trigger(a="args.a", f="form.a", j="json.a"),
                    "ROUTE": None,
                    "STATUS": [200, 400, 404],
                }
            ],
            TRUSTED_PROXIES=1,
        )

        @app.route("/", defaults={"rest": ""}, methods=["GET", "POST"], endpoint="view")
        @app.route("/<path:rest>", methods=["GET", "POST"])
        def view(rest):
            return f"{rest} {flask.request.get_data()!r} {list(flask.request.args.items())}"

        return app

    def answer(app):
        environ = {
            "REQUEST_METHOD": "POST",
            "SCRIPT_NAME": "",
            "SERVER_NAME": "shop.example",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.url_scheme": "http",
            "wsgi.errors": sys.stderr,
            "wsgi.version": (1, 0),
            "wsgi.input": __import__("io").BytesIO(body),
            "CONTENT_LENGTH": str(len(body)),
            "CONTENT_TYPE": kind,
            "PATH_INFO": "/" + path.decode("latin-1"),
            "QUERY_STRING": query,
            "HTTP_COOKIE": cookie,
            "HTTP_REFERER": referer,
            "HTTP_USER_AGENT": agent,
            "HTTP_X_FORWARDED_FOR": forwarded,
            "HTTP_HOST": host,
            "REMOTE_ADDR": "198.51.100.1",
        }
        begun = []
        parts = app(environ, lambda *args: begun.append(args))
        return begun, b"".join(parts)

    assert answer(host_app(capi=True)) == answer(host_app(capi=False))


def test_capi_object_serves_two_apps(capi_config):
    from copy import copy

    capi = Capi()
    config, sent = capi_config(), {}
    for name in ("one", "two"):
        recorder = copy(config["PLUGINS"][0])
        recorder.events = sent[name] = []
        app = flask.Flask(name)
        app.config["CAPI"] = {**config, "PLUGINS": [recorder]}
        capi.init_app(app)
        app.add_url_rule("/", "home", lambda name=name: capi.track(name) or name)
        app.test_client().get("/")
    assert [[e["name"] for e in events] for events in sent.values()] == [["one"], ["two"]]


def test_signal_of_a_package_that_is_not_installed_stops_the_start(make_app):
    rule = {"ON": "signal", "SIGNAL": "flask_loginn.user_logged_in", "EVENT": "Lead"}
    with pytest.raises(ConfigurationError, match=r"\[0\]\['SIGNAL'\].*no package 'flask_loginn'"):
        make_app(TRIGGERS=[rule])
