"""Every way of serving a Flask app that knows nothing of this library."""

from __future__ import annotations

import json

import pytest

from capi_plugins.sandbox import Sandbox
from tests.hosts.walks import HOSTS, environment, served, settings_for, visitor

WRAPPED = {"FLASK_APP": "capi_flask:wrap('members:app')"}
NAMED = {"CAPI_FLASK_APP": "members:app"}
FLASK = ("-m", "flask")
RUN = ("run", "--port", "{port}")


@pytest.mark.parametrize("settings_in", ["FLASK_CAPI", "CAPI_CONFIG"])
@pytest.mark.parametrize(
    ("environ", "arguments"),
    [
        pytest.param(WRAPPED, (*FLASK, *RUN), id="FLASK_APP with wrap"),
        pytest.param(NAMED, (*FLASK, "--app", "capi_flask.wsgi", *RUN), id="flask --app"),
        pytest.param(
            NAMED,
            ("-m", "gunicorn", "capi_flask.wsgi:app", "-b", "127.0.0.1:{port}"),
            id="gunicorn",
        ),
    ],
)
def test_an_app_that_is_not_touched_sends_its_events(environ, arguments, settings_in, tmp_path):
    pytest.importorskip("flask_login")
    trigger = {
        "ON": "request",
        "ROUTE": "sign_in",
        "METHOD": "POST",
        "EVENT": "Lead",
        "USER_DATA": {"email": "form.email"},
    }
    with Sandbox() as sandbox:
        settings = settings_for(sandbox, TRIGGERS=[trigger])
        if settings_in == "CAPI_CONFIG":
            # A TOML string is written like a JSON string, and so is a list of these.
            meta, rest = settings["DESTINATIONS"]["meta"], json.dumps(trigger["USER_DATA"]["email"])
            path = tmp_path / "capi.toml"
            path.write_text(
                "\n".join(
                    [
                        "[CAPI]\nPAGE_VIEW = false\nRECIPES = []",
                        "[CAPI.CONSENT]\nDEFAULT = 'granted'",
                        "[CAPI.DELIVERY]\nOUTBOX = 'memory'",
                        "[CAPI.DESTINATIONS.meta]",
                        *(f"{key} = {json.dumps(value)}" for key, value in meta.items()),
                        "[[CAPI.TRIGGERS]]",
                        *(f"{k} = {json.dumps(v)}" for k, v in trigger.items() if k.isalpha()),
                        f"USER_DATA = {{email = {rest}}}",
                    ]
                )
            )
            told = str(path)
        else:
            told = json.dumps(settings)
        with (
            served(
                HOSTS / "flask_login",
                environment(**environ, **{settings_in: told}),
                tmp_path,
                *arguments,
            ) as server,
            visitor(server.url) as browser,
        ):
            answer = browser.post("/sign-in", data={"email": "ada@example.com"})
            assert answer.text == "home"
            sandbox.wait_for(1, name="Lead", timeout=30)
        assert [event.payload["event_name"] for event in sandbox.events] == ["Lead"]
