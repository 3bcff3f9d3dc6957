"""Request triggers, and what the middleware knows of a request."""

from __future__ import annotations

import json

import capi_django
import pytest
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.core.mail import EmailMessage
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.loader import render_to_string
from django.template.response import TemplateResponse

pytestmark = pytest.mark.django_db


def on_request(event="Lead", **more):
    return {"ON": "request", "EVENT": event, **more}


def test_a_route_trigger_matches_the_view_name_with_its_namespace(client, configure, recorder):
    configure(on_request(ROUTE="orders:pay", METHOD="GET", STATUS=500))
    client.raise_request_exception = False
    client.get("/orders/pay/7/")
    client.get("/")
    assert recorder.names == ["Lead"]


def test_a_page_makes_a_page_view(client, configure, recorder):
    configure(PAGE_VIEW=True)
    client.get("/")
    client.post("/contact/", {"name": "Ada"})
    client.get("/nowhere/")
    assert recorder.names == ["PageView"]


def test_a_route_trigger_does_not_match_an_error(client, configure, recorder):
    configure(on_request(ROUTE="orders:fail"))
    client.raise_request_exception = False
    assert client.post("/orders/fail/", {"number": "1"}).status_code == 500
    assert recorder.names == []


def test_a_page_that_asks_to_sign_in_first_does_nothing_yet(client, configure, recorder, view):
    configure(on_request(METHOD="POST", PATH="^/do/"))
    view(login_required(lambda request: HttpResponseRedirect("/login/")))
    path = "/do/?size=42"
    assert client.post(path).headers["Location"].endswith("next=/do/%3Fsize%3D42")
    assert recorder.names == []
    client.force_login(User.objects.create_user("ada"))
    client.post(path)
    assert recorder.names == ["Lead"]


def test_the_context_is_that_of_the_request(client, configure, recorder):
    configure(on_request(ROUTE="home"), TRUSTED_PROXIES=1)
    client.cookies["_fbp"] = "fb.1.1700000000000.42"
    client.get(
        "/?fbclid=abc&x=%C3%A9",
        headers={
            "user-agent": "Firefox",
            "referer": "https://search.example/",
            "x-forwarded-for": "203.0.113.9",
            "host": "shop.example",
        },
    )
    context = recorder.context
    assert context.url == "http://shop.example/?fbclid=abc&x=%C3%A9"
    assert context.referrer_url == "https://search.example/"
    assert context.method == "GET"
    assert context.client_ip_address == "203.0.113.9"
    assert context.client_user_agent == "Firefox"
    assert context.cookies["_fbp"] == "fb.1.1700000000000.42"
    assert context.query == {"fbclid": "abc", "x": "é"}
    assert context.is_staff is None
    assert context.user.email is None


def test_a_host_that_django_refuses_gives_no_url(client, configure, recorder, view, settings):
    configure(on_request(ROUTE="do"))
    settings.MIDDLEWARE = [m for m in settings.MIDDLEWARE if "common" not in m]
    view(lambda request: HttpResponse("ok"))
    assert client.get("/do/", headers={"host": "evil.example"}).status_code == 200
    assert recorder.context.url is None
    assert recorder.context.method == "GET"


def test_the_signed_in_user_is_described(client, configure, recorder):
    user = User.objects.create_user("ada", "ada@example.com", first_name="Ada", last_name="L")
    client.force_login(user)
    configure(on_request(ROUTE="home"))
    client.get("/")
    context = recorder.context
    assert context.user.email == "ada@example.com"
    assert context.user.first_name == "Ada"
    assert context.user.external_id == user.pk
    assert context.is_staff is False


def test_staff_is_told_apart(client, configure, recorder):
    client.force_login(User.objects.create_superuser("root"))
    configure(on_request("ViewContent", ROUTE="home"))
    client.get("/")
    assert recorder.context.is_staff is True
    assert recorder.dropped == ["excluded: browsing of a member of staff"]


def test_user_data_says_what_is_read_of_the_user(client, configure, recorder):
    client.force_login(User.objects.create_user("ada", "ada@example.com"))
    configure(on_request(ROUTE="home"), USER_DATA={"external_id": "username"})
    client.get("/")
    assert recorder.context.user.external_id == "ada"
    assert recorder.context.user.email is None


PATHS = {
    "content_ids": "kwargs.slug",
    "search_string": "args.q",
    "content_name": "request.headers.user-agent",
    "content_category": "response.status_code",
    "value": "context.book.price",
    "currency": "context.shop.currency",
}


def test_paths_reach_arguments_query_template_and_response(client, configure, recorder):
    configure(on_request("ViewContent", ROUTE="book", CUSTOM_DATA=PATHS))
    client.get("/book/dune/?q=sand", headers={"user-agent": "Firefox"})
    data = recorder.events[0].custom_data
    assert (data.content_ids, data.search_string, data.content_name) == ("dune", "sand", "Firefox")
    assert (data.content_category, data.value, data.currency) == (200, "12.50", "EUR")


def test_a_template_trigger_matches_the_page_and_not_its_parts(client, configure, recorder):
    configure(
        on_request("ViewContent", TEMPLATE="bookshop/book.html"),
        on_request("Lead", TEMPLATE="bookshop/price.html"),
        on_request("Search", TEMPLATE="bookshop/base.html"),
    )
    client.get("/book/dune/")
    assert recorder.names == ["ViewContent"]


def test_the_last_page_counts_and_mails_do_not(client, configure, recorder, view):
    configure(
        on_request("ViewContent", TEMPLATE="bookshop/home.html"),
        on_request("Lead", TEMPLATE="bookshop/mail.txt"),
    )

    def page(request):
        render(request, "bookshop/book.html")
        answer = TemplateResponse(request, "bookshop/home.html")
        EmailMessage("Hello", render_to_string("bookshop/mail.txt"), to=["ada@example.com"])
        return answer

    view(page)
    client.get("/do/")
    assert recorder.names == ["ViewContent"]


def test_a_redirect_has_no_page(client, configure, recorder, view):
    configure(on_request(TEMPLATE="bookshop/mail.txt"))

    def page(request):
        render_to_string("bookshop/mail.txt", request=request)
        return HttpResponseRedirect("/")

    view(page)
    client.get("/do/")
    assert recorder.names == []


def test_a_form_that_the_view_has_read_is_offered(client, configure, recorder):
    configure(on_request(ROUTE="contact", USER_DATA={"email": "form.email"}))
    client.post("/contact/", {"name": "Ada", "email": "ada@example.com"})
    assert recorder.events[0].user_data.email == "ada@example.com"


@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_a_body_that_the_view_left_unread_stays_unread(
    client, configure, recorder, view, content_type
):
    fields = {"first_name": "form.a", "last_name": "request.POST.a", "city": "json.a"}
    configure(on_request(ROUTE="do", USER_DATA=fields))
    seen = []

    def page(request):
        seen.append(request)
        return HttpResponse("ok")

    view(page)
    client.post("/do/", b"a=1", content_type=content_type)
    assert recorder.names == ["Lead"]
    assert recorder.events[0].user_data.first_name is None
    assert seen[0].read() == b"a=1"


def test_json_that_the_view_has_read_is_offered(client, configure, recorder, view):
    configure(on_request(ROUTE="do", USER_DATA={"email": "json.buyer.email"}))
    view(lambda request: HttpResponse(json.loads(request.body)["buyer"]["email"]))
    client.post("/do/", {"buyer": {"email": "ada@example.com"}}, content_type="application/json")
    assert recorder.events[0].user_data.email == "ada@example.com"


def test_when_asks_the_user(client, configure, recorder):
    configure(on_request(ROUTE="home", WHEN={"user.is_staff": False}))
    client.get("/")
    client.force_login(User.objects.create_superuser("root"))
    client.get("/")
    assert recorder.names == ["Lead"]


def test_the_session_is_offered(client, configure, recorder, view):
    configure(on_request(ROUTE="do", CUSTOM_DATA={"value": "session.basket.total"}))

    def page(request):
        request.session["basket"] = {"total": 5}
        return HttpResponse("ok")

    view(page)
    client.get("/do/")
    assert recorder.events[0].custom_data.value == 5


def test_track_inside_a_request_knows_the_visitor(client, configure, recorder, view):
    configure()

    def page(request):
        capi_django.track("Lead", custom_data={"value": 1})
        assert recorder.names == []
        return HttpResponse("ok")

    view(page)
    client.get("/do/", headers={"user-agent": "Firefox"})
    assert recorder.names == ["Lead"]
    assert recorder.context.client_user_agent == "Firefox"


def test_track_outside_a_request_is_captured_at_once(configure, recorder):
    configure()
    capi_django.track("Lead")
    assert recorder.names == ["Lead"]
    assert not recorder.context.in_request
    assert capi_django.flush(5)
