"""Parts that raise whatever is asked of them: the answer is the host's all the same."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.http import HttpResponse
from django.test import Client

from capi_plugins import hookimpl
from tests.on_django.side_by_side import NOSY, plain, session_of

pytestmark = pytest.mark.django_db


class Saboteur:
    """A plugin that raises in every hook that runs for an event."""

    @hookimpl
    def capi_route(self):
        raise RuntimeError("sabotage")

    @hookimpl
    def capi_consent(self):
        raise RuntimeError("sabotage")

    @hookimpl
    def capi_enrich(self):
        raise RuntimeError("sabotage")

    @hookimpl
    def capi_filter(self):
        raise RuntimeError("sabotage")

    @hookimpl
    def capi_send(self):
        raise RuntimeError("sabotage")

    @hookimpl
    def capi_shutdown(self):
        raise RuntimeError("sabotage")


def test_a_plugin_that_raises_in_every_hook_changes_nothing(both, configure, view, recorder):
    configure(NOSY, PLUGINS=[Saboteur()])
    view(plain)
    assert both().body == b"hello"
    assert recorder.names == ["Lead"]


class HostileUser(AnonymousUser):
    """Raises whatever is asked of it, except by the host."""

    def __getattribute__(self, name):
        raise RuntimeError("hostile")

    def __bool__(self):
        raise RuntimeError("hostile")


def test_a_user_that_raises_on_every_attribute_changes_nothing(both, configure, view, recorder):
    configure(NOSY, {**NOSY, "WHEN": {}})

    def page(request):
        request.user = HostileUser()
        return HttpResponse("hello")

    view(page)
    assert both().body == b"hello"
    assert recorder.names == ["Lead"]
    assert recorder.context.user.email is None
    assert recorder.context.url == "http://testserver/do/"


def test_a_database_that_is_gone_changes_nothing(both, configure, view, recorder, ada, monkeypatch):
    configure(NOSY)
    key = session_of(ada)

    def gone(self):
        raise ConnectionError("the database is gone")

    monkeypatch.setattr(SessionStore, "load", gone)
    view(plain)
    assert both(cookies={"sessionid": key}).body == b"hello"


def test_settings_that_break_at_run_time_change_nothing(both, configure, view, settings, recorder):
    configure(NOSY)
    client = Client()
    view(plain)
    client.get("/do/")
    settings.CAPI = {"DESTINATION": {}}
    answer = client.get("/do/")
    assert (answer.status_code, answer.content) == (200, b"hello")
    assert recorder.names == ["Lead"]


def test_a_response_survives_a_bug_of_ours(both, configure, view, monkeypatch):
    from capi_django import context

    def bug(*_):
        raise RuntimeError("a bug of ours")

    configure(NOSY)
    view(plain)
    monkeypatch.setattr(context.Visit, "finished", bug)
    assert both().body == b"hello"


def test_an_exception_passes_through_as_it_is(configure, recorder, rf):
    from capi_django.middleware import CapiMiddleware

    configure(NOSY)
    leaving = SystemExit(3)

    def get_response(request):
        import capi_django

        capi_django.track("Contact")
        raise leaving

    with pytest.raises(SystemExit) as caught:
        CapiMiddleware(get_response)(rf.get("/do/"))
    assert caught.value is leaving
    assert recorder.names[0] == "Contact"


def test_a_plugin_cannot_reach_the_session_of_the_host(both, configure, view, recorder, ada):
    class Curious:
        @hookimpl
        def capi_enrich(self, context):
            context.request.session["seen"] = True
            context.request.session.flush()
            assert context.request.user.email == "ada@example.com"
            context.request.COOKIES.copy()

    key = session_of(ada)
    configure(NOSY, PLUGINS=[Curious()])
    view(plain)
    assert both(cookies={"sessionid": key}).cookies == []
    assert Session.objects.filter(pk=key).exists()
