"""The answer is the host's, byte for byte: as with the app and its middleware taken out."""

from __future__ import annotations

import pytest
from bookshop.signals import order_placed
from django.contrib.sessions.models import Session
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.test.utils import CaptureQueriesContext

from tests.on_django.side_by_side import NOSY, plain, session_of

pytestmark = pytest.mark.django_db


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
