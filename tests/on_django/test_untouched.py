"""The answer is the host's, byte for byte: as with the app and its middleware taken out."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from bookshop.signals import order_placed
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext

from capi_plugins import hookimpl

pytestmark = pytest.mark.django_db

# Looks at everything that a trigger can look at.
NOSY = {
    "ON": "request",
    "EVENT": "Lead",
    "STATUS": [200, 302, 400, 403, 404, 500],
    "WHEN": {"user.is_staff": False},
    "USER_DATA": {
        "email": ["request.user.email", "user.email", "context.user.email"],
        "first_name": ["session.name", "request.session.name", "context.request.session.name"],
        "last_name": ["form.name", "request.POST.name", "request.FILES.name"],
        "city": ["json.city", "request.body"],
        "external_id": "session.session_key",
    },
}


class Raw:
    """What went over the wire."""

    def __init__(self, response: Any) -> None:
        self.status = response.status_code
        self.headers = sorted(response.headers.items())
        # The two answers are given in different seconds at times.
        cookies = (str(cookie) for cookie in response.cookies.values())
        self.cookies = sorted(re.sub("expires=[^;]*", "", cookie) for cookie in cookies)
        self.body = b"".join(response) if response.streaming else response.content

    def __eq__(self, other: object) -> bool:
        return vars(self) == vars(other)

    def __repr__(self) -> str:
        return repr(vars(self))

    __hash__ = None


@pytest.fixture
def both(settings) -> Callable[..., Raw]:
    """Make a request of the shop with us and without us; both answers must be the same."""

    def ask(path: str = "/do/", *, method: str = "get", cookies: Any = (), **how: Any) -> Raw:
        answers = []
        without = {
            "MIDDLEWARE": [m for m in settings.MIDDLEWARE if "capi" not in m],
            "INSTALLED_APPS": [app for app in settings.INSTALLED_APPS if "capi" not in app],
        }
        for changes in (without, {}):
            with override_settings(**changes):
                client = Client(raise_request_exception=False)
                client.cookies.load(dict(cookies))
                answers.append(Raw(getattr(client, method)(path, **how)))
        assert answers[0] == answers[1]
        return answers[1]

    return ask


def session_of(user=None, **data) -> str:
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY

    store = SessionStore()
    if user is not None:
        store[SESSION_KEY] = str(user.pk)
        store[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
        store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    store.update(data)
    store.create()
    return store.session_key


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada", "ada@example.com")


def plain(request):
    return HttpResponse("hello")


def test_a_view_that_ignores_the_session_is_not_varied_on_it(both, configure, recorder, view, ada):
    configure(NOSY)
    view(plain)
    answer = both(cookies={"sessionid": session_of(ada, name="Ada")})
    assert "Vary" not in dict(answer.headers)
    (event,) = recorder.events
    assert event.user_data.email == "ada@example.com"
    assert event.user_data.first_name == "Ada"
    assert recorder.context.user.email == "ada@example.com"


def test_a_view_that_reads_the_user_is_varied_on_it(both, configure, recorder, view, ada):
    configure(NOSY)
    view(lambda request: HttpResponse(request.user.email))
    answer = both(cookies={"sessionid": session_of(ada)})
    assert dict(answer.headers)["Vary"] == "Cookie"
    assert recorder.events[0].user_data.email == "ada@example.com"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("gone", [False, True])
def test_a_path_that_finds_the_request_of_the_host_leaves_no_trace(
    both, configure, recorder, view, ada, gone
):
    class Page:
        def __init__(self, request):
            self.request = request

    def page(request):
        order_placed.send(sender=Page(request), order=None, user=request.user)
        return HttpResponse("hello")

    paths = ["sender.request.session.name", "sender.request.user.email"]
    configure(
        {
            "ON": "signal",
            "SIGNAL": "bookshop.signals.order_placed",
            "EVENT": "Lead",
            "CUSTOM_DATA": {"content_ids": paths[0], "content_name": paths[1]},
            "USER_DATA": {"email": "user.email"},
        }
    )
    view(page)
    answer = both(cookies={"sessionid": "0" * 32 if gone else session_of(ada, name="Ada")})
    assert "Vary" not in dict(answer.headers)
    assert answer.cookies == []
    data = recorder.events[-1].custom_data
    assert (data.content_ids, data.content_name) == (
        (None, None) if gone else ("Ada", "ada@example.com")
    )


def test_a_visitor_without_a_session_costs_no_query(both, configure, recorder, view):
    configure(NOSY)
    view(plain)
    with CaptureQueriesContext(connection) as queries:
        both()
    assert len(queries) == 0
    assert len(recorder.events) == 1


def test_a_user_that_the_view_has_loaded_costs_no_query(client, configure, recorder, view, ada):
    configure(NOSY)
    client.force_login(ada)
    view(lambda request: HttpResponse(request.user.email))
    with CaptureQueriesContext(connection) as queries:
        client.get("/do/")
    assert len(queries) == 2
    assert recorder.events[0].user_data.email == "ada@example.com"


def test_without_an_event_nothing_is_looked_up(client, configure, view, ada):
    configure({**NOSY, "ROUTE": "home"})
    client.force_login(ada)
    view(plain)
    with CaptureQueriesContext(connection) as queries:
        client.get("/do/")
    assert len(queries) == 0


@pytest.mark.parametrize("key", ["0" * 32, "short", "", "ünïcode", "a" * 5000])
def test_a_session_that_is_gone_is_not_deleted_by_us(both, configure, recorder, view, key):
    configure(NOSY)
    view(plain)
    both(cookies={"sessionid": key})
    assert len(recorder.events) == 1


def test_a_session_whose_password_was_changed_is_not_emptied_by_us(
    both, configure, recorder, view, ada
):
    configure(NOSY)
    view(plain)
    key = session_of(ada)
    ada.set_password("new")
    ada.save()
    assert both(cookies={"sessionid": key}).cookies == []
    assert Session.objects.filter(pk=key).exists()
    assert recorder.events[0].user_data.email is None


def test_a_session_signed_with_an_old_key_is_not_renewed_by_us(
    both, configure, recorder, view, ada, settings
):
    configure(NOSY)
    view(plain)
    key = session_of(ada)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "a new key"
    assert both(cookies={"sessionid": key}).cookies == []
    assert Session.objects.filter(pk=key).exists()


@pytest.mark.parametrize(
    "engine",
    [
        "django.contrib.sessions.backends.cache",
        "django.contrib.sessions.backends.cached_db",
        "django.contrib.sessions.backends.signed_cookies",
        "django.contrib.sessions.backends.file",
    ],
)
def test_every_session_engine_is_left_alone(both, configure, recorder, view, settings, engine):
    settings.SESSION_ENGINE = engine
    configure(NOSY)
    view(plain)
    both(cookies={"sessionid": "x" * 32})
    assert len(recorder.events) == 1


def test_a_session_saved_on_every_request_is_saved_as_before(
    both, configure, recorder, view, settings, ada
):
    settings.SESSION_SAVE_EVERY_REQUEST = True
    configure(NOSY)
    view(plain)
    both(cookies={"sessionid": session_of(ada)})
    assert len(recorder.events) == 1


def broken(request):
    raise RuntimeError("broken")


def missing(request):
    raise Http404("missing")


def forbidden(request):
    raise PermissionDenied


def streamed(request):
    return StreamingHttpResponse([b"one", b"two"], content_type="text/html")


def nothing(request):
    return None


@pytest.mark.parametrize("page", [plain, broken, missing, forbidden, streamed, nothing])
def test_whatever_a_view_does_stays(both, configure, view, page):
    configure(NOSY, PAGE_VIEW=True)
    view(page)
    both()


def test_a_page_with_a_broken_template_stays(both, configure, view):
    from django.shortcuts import render

    configure({**NOSY, "TEMPLATE": "bookshop/broken.html"})
    view(lambda request: render(request, "bookshop/broken.html"))
    assert both().status == 500


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
