"""Flask's account extensions, in apps without a line of this library: what their recipes count."""

from __future__ import annotations

import contextlib
import json
import re

import pytest

from capi_plugins.sandbox import Sandbox
from tests.hosts.walks import HOSTS, environment, run, served, settings_for, sha, visitor

GUNICORN = (
    *("-m", "gunicorn", "capi_flask.wsgi:app", "-b", "127.0.0.1:{port}"),
    *("-k", "gthread", "--threads", "4", "--no-control-socket"),
)


@pytest.fixture
def sandbox():
    with Sandbox() as running:
        yield running


@pytest.fixture
def host(tmp_path, sandbox):
    """Returns a context manager: a host behind gunicorn that is told nothing but settings."""

    @contextlib.contextmanager
    def host(folder, target, settings=(), **more):
        settings = settings_for(sandbox, **{"RECIPES": "auto", "AUTOLOAD": False, **dict(settings)})
        environ = environment(
            CAPI_FLASK_APP=target,
            FLASK_CAPI=json.dumps(settings),
            HOST_FOLDER=str(tmp_path),
            **more,
        )
        with served(HOSTS / folder, environ, tmp_path, *GUNICORN) as server:
            yield server
        assert sandbox.refused == []

    return host


def told(sandbox):
    return [event.payload for event in sandbox.accepted()]


def register(browser, email):
    form = {"email": email, "password": "long enough", "password_confirm": "long enough"}
    return browser.post("/register", data=form).status_code


def test_flask_security_registers_after_the_commit_and_once(host, sandbox, tmp_path):
    pytest.importorskip("flask_security")
    with host("flask_security", "guarded:create_app") as server:
        with visitor(server.url) as browser:
            assert register(browser, "ada@example.com") == 200
        with visitor(server.url) as browser:
            # The answer to a second sign-up is the same, so as not to tell who has an account.
            assert register(browser, "ada@example.com") == 200
        with visitor(server.url) as browser:
            assert register(browser, "broken@example.com") == 500
    registered = [event for event in told(sandbox) if event["event_name"] == "CompleteRegistration"]
    found = [(event["event_id"], event["user_data"]["em"]) for event in registered]
    assert found == [("CompleteRegistration.1", [sha("ada@example.com")])]


def test_flask_security_waits_for_an_address_that_has_to_be_confirmed(host, sandbox, tmp_path):
    pytest.importorskip("flask_security")
    with (
        host("flask_security", "guarded:create_app", CONFIRMABLE="1") as server,
        visitor(server.url) as browser,
    ):
        register(browser, "ada@example.com")
        register(browser, "idle@example.com")
        mail = (tmp_path / "ada@example.com.mail").read_text()
        link = re.search(r"http\S+(/confirm/\S+)", mail)
        assert link is not None, mail
        assert browser.get(link[1]).status_code == 200
    registered = [event for event in told(sandbox) if event["event_name"] == "CompleteRegistration"]
    assert [event["user_data"]["em"] for event in registered] == [[sha("ada@example.com")]]


def test_flask_security_waits_for_nothing_where_one_may_log_in_without_it(host, sandbox, tmp_path):
    pytest.importorskip("flask_security")
    settings = json.dumps({"SECURITY_LOGIN_WITHOUT_CONFIRMATION": True})
    with (
        host("flask_security", "guarded:create_app", CONFIRMABLE="1", SECURITY=settings) as server,
        visitor(server.url) as browser,
    ):
        register(browser, "ada@example.com")
        sandbox.wait_for(1, name="CompleteRegistration", timeout=30)
        mail = (tmp_path / "ada@example.com.mail").read_text()
        assert browser.get(re.search(r"http\S+(/confirm/\S+)", mail)[1]).status_code == 200
    assert [event["event_name"] for event in told(sandbox)].count("CompleteRegistration") == 1


UNIFIED = {
    "SECURITY_UNIFIED_SIGNIN": True,
    "SECURITY_US_ENABLED_METHODS": ["email"],
    "SECURITY_PASSWORD_REQUIRED": False,
    "SECURITY_TOTP_SECRETS": {"1": "TjQ9Qa31VOrfEzuPy4VHQWPCTmRzCnFzMKLxXYiZu9B"},
    "SECURITY_TOTP_ISSUER": "guarded",
}


def test_flask_security_without_passwords_registers_once_and_logs_in_once(host, sandbox, tmp_path):
    pytest.importorskip("flask_security")
    person = {"identity": "ada@example.com", "chosen_method": "email"}
    with (
        host("flask_security", "guarded:create_app", SECURITY=json.dumps(UNIFIED)) as server,
        visitor(server.url) as browser,
    ):
        assert browser.post("/register", data={"email": "ada@example.com"}).status_code == 200
        browser.cookies.delete("session")
        assert browser.post("/us-signin/send-code", data=person).status_code == 200
        code = re.search(r"\b\d{6}\b", (tmp_path / "ada@example.com.mail").read_text())[0]
        form = {"identity": "ada@example.com", "passcode": code, "remember": "y"}
        assert browser.post("/us-signin", data=form).text == "home"
        # The session is over, and the cookie of "remember me" brings the user back.
        browser.cookies.delete("session")
        assert "remember_token" in browser.cookies
        assert browser.get("/who").text == "ada@example.com"
    names = sorted(event["event_name"] for event in told(sandbox))
    assert names == ["CompleteRegistration", "Login", "Login"]


def test_what_staff_do_is_left_out_where_roles_tell_who_they_are(host, sandbox):
    pytest.importorskip("flask_security")
    with host("flask_security", "guarded:create_app", {"PAGE_VIEW": True}) as server:
        for email in ("boss@example.com", "ada@example.com"):
            with visitor(server.url) as browser:
                register(browser, email)
                browser.post("/login", data={"email": email, "password": "long enough"})
                browser.get("/home")
    seen = [
        (event["event_name"], event["user_data"].get("em"))
        for event in told(sandbox)
        if event["event_name"] != "CompleteRegistration"
    ]
    assert ("Login", [sha("ada@example.com")]) in seen
    assert ("PageView", [sha("ada@example.com")]) in seen
    assert sha("boss@example.com") not in str(seen)


def test_flask_login_counts_logins_but_not_those_of_staff(host, sandbox):
    pytest.importorskip("flask_login")
    with host("flask_login", "members:app") as server:
        for email in ("ada@example.com", "boss@example.com"):
            with visitor(server.url) as browser:
                assert browser.post("/sign-in", data={"email": email}).status_code == 200
    (login,) = told(sandbox)
    assert login["event_name"] == "Login"
    assert login["user_data"]["em"] == [sha("ada@example.com")]


def test_a_trigger_of_a_recipe_can_be_replaced_or_switched_off(host, sandbox):
    pytest.importorskip("flask_login")
    login = {"ON": "signal", "SIGNAL": "flask_login.signals.user_logged_in", "EVENT": "Login"}
    own = {**login, "CUSTOM_DATA": {"door": {"VALUE": "front"}}}
    for trigger in (own, {**login, "ENABLED": False}):
        with (
            host("flask_login", "members:app", {"TRIGGERS": [trigger]}) as server,
            visitor(server.url) as browser,
        ):
            browser.post("/sign-in", data={"email": "ada@example.com"})
    (only,) = told(sandbox)
    assert only["custom_data"] == {"door": "front"}


def test_flask_dance_keeps_its_token_and_a_login_is_counted_once(host, sandbox):
    pytest.importorskip("flask_dance")
    with host("flask_dance", "dancing:app") as server:
        with visitor(server.url) as browser:
            # A receiver's answer decides whether the token is stored.
            assert browser.get("/login/idp").text == "token kept"
        with visitor(server.url) as browser:
            browser.get("/as-member")
            for provider in ("idp", "further"):
                assert browser.get(f"/login/{provider}").text == "token kept"
    events = told(sandbox)
    assert [event["event_name"] for event in events] == ["Login", "Login"]
    by_provider, by_login = sorted(events, key=lambda event: "custom_data" not in event)
    assert by_provider["custom_data"] == {"login_method": "idp"}
    assert by_login["user_data"]["em"] == [sha("member@example.com")]


def test_a_login_is_explained_by_the_visitor_s_address_from_another_process(tmp_path, sandbox):
    pytest.importorskip("flask_login")
    settings = settings_for(
        sandbox,
        RECIPES="auto",
        PAGE_VIEW=True,
        JOURNAL=str(tmp_path / "journal"),
        DELIVERY={"OUTBOX": f"sqlite:///{tmp_path}/box/outbox.sqlite3"},
    )
    environ = environment(CAPI_FLASK_APP="members:app", FLASK_CAPI=json.dumps(settings))
    folder = HOSTS / "flask_login"
    with served(folder, environ, tmp_path, *GUNICORN) as server, visitor(server.url) as browser:
        browser.get("/home", headers={"User-Agent": "Googlebot/2.1"})
        browser.post("/sign-in", data={"email": "ada@example.com"})
        sandbox.wait_for(1, name="Login", timeout=30)
    flask = ("-m", "flask", "--app", "capi_flask.wsgi", "capi", "explain", "--json")
    lines = [
        json.loads(line)
        for line in run(folder, environ, *flask, "ada@example.com").split("\n")
        if line
    ]
    logins = [line for line in lines if line["event_name"] == "Login"]
    assert [line["stage"] for line in logins] == ["captured", "delivered"]
    assert (logins[0]["trigger"], logins[0]["path"]) == ("flask_login[0]", "/sign-in")
    written = "".join(path.read_text() for path in (tmp_path / "journal").glob("*.jsonl"))
    assert "ada@example.com" not in written
    (bot,) = [
        line for line in map(json.loads, written.splitlines()) if "bot" in line.get("reason", "")
    ]
    event = run(folder, environ, *flask, bot["event_id"])
    assert '"stage":"dropped"' in event
