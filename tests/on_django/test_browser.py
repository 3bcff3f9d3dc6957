"""What goes to the browser from Django: nothing without consent, and only into pages."""

from __future__ import annotations

import asyncio
import re

import pytest
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.test import AsyncClient, Client, override_settings

from capi_plugins.browser import MARK

pytestmark = pytest.mark.django_db

PAGE = "<html><head><title>a</title></head><body>hello</body></html>"
BROWSER = {
    "HTTP_ACCEPT": "text/html",
    "HTTP_USER_AGENT": "Mozilla/5.0 Firefox/140.0",
    "REMOTE_ADDR": "81.2.69.142",
}
LEAD = {"ON": "request", "METHOD": "POST", "STATUS": 302, "EVENT": "Lead", "EVENT_ID": "form.id"}


def page(request):
    return HttpResponse(PAGE)


def read(request):
    return HttpResponse(PAGE if request.POST["id"] else "")


def sent(request):
    return redirect(f"/thanks/{request.POST['id']}/")


@pytest.fixture
def pixel(configure):
    def set_up(*triggers, **more):
        configure(*triggers, BROWSER={"PIXEL": True}, **more)

    return set_up


def ids(html):
    return re.findall(r'"eventID":"([^"]+)"', html)


def test_without_consent_the_answer_is_the_hosts(pixel, view):
    pixel(CONSENT={"DEFAULT": "denied"}, PAGE_VIEW=True)
    view(page)
    answer = Client().get("/do/?fbclid=Ab", **BROWSER)
    assert answer.content.decode() == PAGE
    assert not answer.cookies
    assert "Cache-Control" not in answer.headers


def test_staff_get_no_pixel(pixel, view, admin_client, recorder):
    pixel(PAGE_VIEW=True)
    view(page)
    answer = admin_client.get("/do/", **BROWSER)
    assert answer.content.decode() == PAGE
    assert not answer.cookies


def test_an_event_of_a_redirect_is_in_the_next_page_once(pixel, view, recorder):
    pixel(LEAD)
    client = Client()
    view(sent)
    client.cookies["visited"] = "1"
    answer = client.post("/do/", {"id": "17"}, **BROWSER)
    assert answer.cookies["capi_events"]["httponly"]
    view(page)
    assert ids(client.get("/do/", **BROWSER).content.decode()) == ["Lead.17"]
    assert ids(client.get("/do/", **BROWSER).content.decode()) == []


def test_two_events_before_a_page_are_both_in_it(pixel, view):
    pixel(LEAD)
    client = Client()
    client.cookies["visited"] = "1"
    view(sent)
    client.post("/do/", {"id": "1"}, **BROWSER)
    client.post("/do/", {"id": "2"}, **BROWSER)
    view(page)
    assert ids(client.get("/do/", **BROWSER).content.decode()) == ["Lead.1", "Lead.2"]


@pytest.fixture
def undecided(pixel, view):
    """A visitor of whom two events are held."""
    consent = {"DEFAULT": "hold", "SOURCES": [{"COOKIE": "ads"}]}
    pixel({**LEAD, "STATUS": 200}, CONSENT=consent)
    client = Client()
    for number in ("1", "2"):
        view(read)
        assert client.post("/do/", {"id": number}, **BROWSER).content.decode() == PAGE
    return client


def test_what_was_held_is_in_the_page_once_the_visitor_agrees(undecided, view):
    undecided.cookies["ads"] = "granted"
    view(page)
    assert ids(undecided.get("/do/", **BROWSER).content.decode()) == ["Lead.1", "Lead.2"]
    assert ids(undecided.get("/do/", **BROWSER).content.decode()) == []


def test_what_is_released_by_a_redirect_is_in_the_page_behind_it(undecided, view):
    undecided.cookies["ads"] = "granted"
    view(lambda request: redirect("/elsewhere/"))
    assert undecided.get("/do/", **BROWSER).cookies["capi_events"].value
    view(page)
    assert ids(undecided.get("/do/", **BROWSER).content.decode()) == ["Lead.1", "Lead.2"]


def test_the_click_that_led_here_is_kept_once_the_visitor_agrees(pixel, view, recorder):
    consent = {"DEFAULT": "hold", "SOURCES": [{"COOKIE": "ads"}]}
    pixel(CONSENT=consent, PAGE_VIEW=True)
    view(page)
    client = Client()
    assert "_fbc" not in client.get("/do/?fbclid=Ab", **BROWSER).cookies
    assert "_fbc" not in client.get("/do/", **BROWSER).cookies
    client.cookies["ads"] = "granted"
    fbc = client.get("/do/", **BROWSER).cookies["_fbc"].value
    assert fbc.endswith(".Ab")
    assert "_fbc" not in client.get("/do/", **BROWSER).cookies
    # What happens in the request in which the visitor agrees has the click too.
    told = [context.cookies.get("_fbc") for _, context in recorder.captured]
    assert told == [None, None, fbc, fbc]


def test_what_was_held_is_in_no_page_of_who_refuses(undecided, view):
    undecided.cookies["ads"] = "denied"
    view(page)
    assert undecided.get("/do/", **BROWSER).content.decode() == PAGE


def test_an_event_of_a_call_by_script_waits_too(pixel, view):
    pixel({**LEAD, "STATUS": 200})
    client = Client()
    client.cookies["visited"] = "1"
    view(lambda request: JsonResponse(request.POST))
    client.post("/do/", {"id": "3"}, **{**BROWSER, "HTTP_ACCEPT": "*/*"})
    view(page)
    assert ids(client.get("/do/", **BROWSER).content.decode()) == ["Lead.3"]


def test_the_code_stands_where_the_tag_is(pixel, view):
    pixel()
    view(lambda request: HttpResponse(f"<head></head><body><i>{MARK}</i></body>"))
    assert "<head></head><body><i><script>" in Client().get("/do/", **BROWSER).content.decode()


def test_the_tag_leaves_a_comment_without_consent(pixel, view):
    from django.template import engines

    pixel(CONSENT={"DEFAULT": "denied"})
    template = engines["django"].from_string("{% load capi %}<p>{% capi_pixel %}</p>")
    view(lambda request: HttpResponse(template.render({}, request)))
    assert Client().get("/do/", **BROWSER).content.decode() == f"<p>{MARK}</p>"


@pytest.mark.parametrize(
    "answer",
    [
        lambda: StreamingHttpResponse([PAGE]),
        lambda: HttpResponse(PAGE, headers={"ETag": '"1"'}),
        lambda: HttpResponse(PAGE, headers={"Content-Encoding": "gzip"}),
        lambda: HttpResponse(PAGE, headers={"Cache-Control": "public, max-age=60"}),
        lambda: HttpResponse(PAGE, content_type="text/plain"),
        lambda: HttpResponse(PAGE, status=404),
        lambda: HttpResponse(PAGE, headers={"Content-Security-Policy": "script-src 'self'"}),
        lambda: JsonResponse({"html": PAGE}),
    ],
    ids=["streamed", "etag", "compressed", "public", "text", "404", "policy", "json"],
)
def test_what_is_no_page_of_this_visitor_has_no_code(pixel, view, answer):
    pixel(PAGE_VIEW=True)
    view(lambda request: answer())
    found = Client().get("/do/", **BROWSER)
    body = b"".join(found) if found.streaming else found.content
    assert b"fbq" not in body


def test_the_length_is_that_of_the_page(pixel, view):
    pixel()
    view(lambda request: HttpResponse(PAGE, headers={"Content-Length": str(len(PAGE))}))
    answer = Client().get("/do/", **BROWSER)
    assert b"fbq" in answer.content
    assert answer.headers["Content-Length"] == str(len(answer.content))


def test_a_landing_that_redirects_sets_the_click_id(configure, view):
    configure()
    view(lambda request: redirect("/elsewhere/"))
    with override_settings(ALLOWED_HOSTS=["www.shop.example"]):
        answer = Client().get("/do/?fbclid=Ab", **BROWSER, HTTP_HOST="www.shop.example")
    assert answer.cookies["_fbc"].value.endswith(".Ab")
    assert answer.cookies["_fbc"]["domain"] == "shop.example"
    assert answer.headers["Cache-Control"] == "private"


def test_no_cookie_is_set_when_they_are_somebody_elses_affair(configure, view):
    configure(BROWSER={"COOKIES": False})
    view(page)
    assert not Client().get("/do/?fbclid=Ab", **BROWSER).cookies


@pytest.mark.django_db(transaction=True)
def test_the_same_under_asgi(pixel, view, recorder):
    pixel(PAGE_VIEW=True)

    async def async_page(request):
        return page(request)

    view(async_page)
    headers = {"accept": "text/html", "user-agent": "Mozilla/5.0"}
    answer = asyncio.run(AsyncClient().get("/async/do/?fbclid=Ab", headers=headers))
    assert ids(answer.content.decode()) == [recorder.events[0].event_id]
    assert answer.cookies["_fbc"].value.endswith(".Ab")


def test_a_mistake_of_ours_leaves_the_answer_alone(pixel, view, monkeypatch):
    from capi_plugins.destinations.meta.destination import MetaDestination

    def broken(*arguments, **named):
        raise RuntimeError("a mistake")

    for name in ("browser_cookies", "browser_event", "browser_script"):
        monkeypatch.setattr(MetaDestination, name, broken)
    pixel(PAGE_VIEW=True)
    view(page)
    answer = Client().get("/do/?fbclid=Ab", **BROWSER)
    assert (answer.status_code, answer.content.decode()) == (200, PAGE)
