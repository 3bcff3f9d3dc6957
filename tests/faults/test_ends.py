"""Events at the very end of an interpreter, and programs that begin again."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import textwrap
import time

import pytest

from tests.faults.shop_settings import settings
from tests.outbox.other_process import ROOT

BEGIN = """
import atexit, json, os, sys, time
from capi_plugins import configure

SETTINGS = json.loads(sys.argv[1])

def search(client, word):
    client.track("Search", event_id=word, custom_data={"search_string": word},
                 user_data={"email": "ada@example.com"}, action_source="system_generated")
"""


def run(code, wanted, *arguments, **environ):
    """Run a program; return what it said."""
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + textwrap.dedent(code), json.dumps(wanted), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def words(sandbox):
    return sorted(event.payload["event_id"] for event in sandbox.events)


LATE = {
    "before the client is closed": """
        client = configure(SETTINGS)
        atexit.register(search, client, "late")
    """,
    "after the client is closed": """
        late = []
        atexit.register(lambda: search(late[0], "late"))
        late.append(configure(SETTINGS))
    """,
    "from a finaliser": """
        class Late:
            def __del__(self, search=search, client=configure(SETTINGS)):
                search(client, "late")

        search(Late.__del__.__defaults__[1], "early")
        kept = Late()
        kept.itself = kept
    """,
    "with the first event of all": """
        client = configure(SETTINGS)
        atexit.unregister(client._shutdown._at_exit)
        atexit.register(search, client, "late")
    """,
}


@pytest.mark.fault("A16")
@pytest.mark.parametrize("moment", LATE)
def test_an_event_at_the_very_end_is_stored(moment, sandbox, box):
    """An event is captured while the interpreter shuts down: by `atexit`, before and after the
    client's own, and by a finaliser.

    Nothing is printed and nothing hangs. The event is stored, and the next process delivers it, if
    this one has not.
    """
    wanted = settings(sandbox.url, box)
    began = time.monotonic()
    run(LATE[moment], wanted)
    assert time.monotonic() - began < 30
    run("assert configure(SETTINGS).flush(30)", wanted)
    assert [word for word in words(sandbox) if word != "early"] == ["late"]


@pytest.mark.fault("A16")
@pytest.mark.parametrize("moment", LATE)
def test_an_event_at_the_very_end_hurts_nobody_in_memory(moment, sandbox):
    """The same, with an outbox in memory.

    Nothing is printed and nothing hangs; the event arrives, or is lost.
    """
    run(LATE[moment], settings(sandbox.url, "memory", EXIT_TIMEOUT=5))
    assert set(words(sandbox)) <= {"early", "late"}


@pytest.mark.fault("A19")
def test_a_program_that_replaces_itself_loses_nothing(sandbox, box):
    """A program captures events, replaces itself by `os.execv` in the middle of sending, three
    times, and ends.

    Every event arrives, and counts once.
    """
    code = """
        number = int(sys.argv[2])
        client = configure(SETTINGS)
        for each in range(5):
            search(client, f"{number}-{each}")
        if number < 3:
            again = [sys.executable, "-c", sys.orig_argv[2], sys.argv[1], str(number + 1)]
            os.execv(sys.executable, again)
        assert client.flush(30)
    """
    run(code, settings(sandbox.url, box), "0")
    accepted = sorted(event.payload["event_id"] for event in sandbox.accepted())
    assert accepted == sorted(f"{number}-{each}" for number in range(4) for each in range(5))


@pytest.mark.fault("A19")
def test_an_app_that_is_set_up_twice_sends_once(sandbox, box):
    """A Flask app is set up twice, and made a second time in the same process; a client is
    configured twice.

    One request makes one event, and one process of the two is the sender at a time.
    """
    code = """
        import flask
        from capi_flask import Capi

        def make():
            app = flask.Flask("shop")
            app.config["CAPI"] = {**SETTINGS, "TRIGGERS": [
                {"ON": "request", "ROUTE": "home", "EVENT": "Lead"}], "PAGE_VIEW": False}
            capi = Capi(app)
            capi.init_app(app)
            Capi().init_app(app)
            app.add_url_rule("/", "home", lambda: "home")
            return app

        one, two = make(), make()
        agent = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0",
                 "Cookie": "_fbp=fb.1.1700000000000.1234567890"}
        for app in (one, two):
            assert app.test_client(use_cookies=False).get("/", headers=agent).status_code == 200
        deadline = time.monotonic() + 30
        # Neither waits for what the other has in hand.
        while not all(app.extensions["capi"].client.flush(5) for app in (one, two)):
            assert time.monotonic() < deadline
            time.sleep(0.02)
    """
    run(code, settings(sandbox.url, box))
    assert len(sandbox.accepted("Lead")) == len(sandbox.events) == 2


FLASK_SHOP = """
import json, os
import flask
from capi_flask import Capi

app = flask.Flask("shop")
app.config["CAPI"] = json.loads(os.environ["SHOP_CAPI"])
Capi(app)

@app.get("/order/<number>/")
def order(number):
    app.extensions["capi"].client.track(
        "Purchase", event_id=number, custom_data={"value": 5, "currency": "EUR"})
    return number
"""
DJANGO_SHOP = """
import json, os, sys
from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpResponse
from django.urls import path

settings.configure(
    DEBUG=True, SECRET_KEY="shop", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__,
    INSTALLED_APPS=["capi_django"], MIDDLEWARE=["capi_django.middleware.CapiMiddleware"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    CAPI=json.loads(os.environ["SHOP_CAPI"]),
)

def order(request, number):
    import capi_django
    capi_django.track("Purchase", event_id=number, custom_data={"value": 5, "currency": "EUR"})
    return HttpResponse(number)

urlpatterns = [path("order/<str:number>/", order)]
"""
RUN = """
if __name__ == "__main__":
    execute_from_command_line(sys.argv)
"""
CHANGED = {
    "flask": "\n\n@app.get('/changed/')\ndef changed():\n    return 'yes'\n",
    "django": "urlpatterns += [path('changed/', lambda request: HttpResponse('yes'))]\n",
}


@pytest.mark.fault("A19")
@pytest.mark.parametrize("framework", ["flask", "django"])
def test_a_reloader_leaves_one_sender(framework, sandbox, box, tmp_path, until):
    """The development server of Flask, or of Django, runs with its reloader, and the code changes
    under its hands.

    Events before and after arrive, once each; the process that only watches sends nothing.
    """
    import socket

    from tests.faults.orders import Customers
    from tests.faults.serving import Server

    code = tmp_path / "changing.py"
    shop, end = (FLASK_SHOP, "") if framework == "flask" else (DJANGO_SHOP, RUN)
    code.write_text(shop + end)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    wanted = {**settings(sandbox.url, box), "PAGE_VIEW": False}
    started = {
        "flask": ["-m", "flask", "--app", "changing", "run", "--reload", "--port", str(port)],
        "django": ["changing.py", "runserver", str(port)],
    }[framework]
    log = tmp_path / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, *started],
            cwd=tmp_path,
            env={**os.environ, "SHOP_CAPI": json.dumps(wanted), "PYTHONPATH": str(tmp_path)},
            stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
    server = Server.__new__(Server)
    server.port, server.log, server.process, server.killed = port, log, process, set()
    try:
        server.wait_until_it_answers()
        customers = Customers(server)
        customers.come(3)
        code.write_text(shop + CHANGED[framework] + end)
        until(lambda: answers(server, "/changed/") == 200, 40)
        customers.come(3)
        sandbox.wait_for(6)
        until(lambda: not _waits(box))
        assert len(sandbox.events) == 6
    finally:
        server.close()


def answers(server, path):
    try:
        return server.get(path)
    except (OSError, http.client.HTTPException):  # it goes down in the middle of its answer
        return 0


def _waits(box):
    import contextlib
    import sqlite3

    with contextlib.closing(sqlite3.connect(box, timeout=10)) as connection:
        return connection.execute("SELECT COUNT(*) FROM delivery").fetchone()[0]
