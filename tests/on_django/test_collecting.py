"""What pages send, in a Django host: one setting and one line of its URLconf take it."""

from __future__ import annotations

import json

import pytest
from asgiref.sync import async_to_sync
from django.http import HttpResponse
from django.test import AsyncClient, Client
from django.urls import include, path, reverse

pytestmark = pytest.mark.django_db

ID = "0123456789abcdef0123456789abcdef"
WISH = {"event_name": "AddToWishlist", "event_id": ID, "custom_data": {"content_ids": ["tea"]}}
BROWSER = {
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0",
    "origin": "http://testserver",
    "referer": "http://testserver/p/tea/",
    "x-forwarded-for": "81.2.69.142",
}
PAGE = "<html><head></head><body></body></html>"


def page(request):
    return HttpResponse(PAGE)


urlpatterns = [
    path("capi/", include("capi_django.urls")),
    path("p/tea/", page),
]


@pytest.fixture(autouse=True)
def mounted(settings, configure, protected_forms):
    settings.ROOT_URLCONF = __name__
    configure(BROWSER={"COLLECT": True, "PIXEL": True}, TRUSTED_PROXIES=1)


@pytest.fixture
def send():
    def send(client=None, body=WISH, **headers):
        client = client or Client(enforce_csrf_checks=True)
        return client.post(
            reverse("capi:collect"),
            json.dumps(body),
            content_type="application/json",
            headers={**BROWSER, **headers},
        )

    return send


def test_an_event_of_a_page_is_captured_where_it_happened(send, recorder):
    answer = send()
    assert (answer.status_code, answer.content) == (204, b"")
    assert [(event.event_name, event.event_id) for event in recorder.events] == [
        ("AddToWishlist", ID)
    ]
    assert recorder.context.url == "http://testserver/p/tea/"
    assert recorder.context.client_ip_address == "81.2.69.142"


def test_a_page_of_somebody_else_may_not(send, recorder):
    answer = send(origin="https://other.example")
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert recorder.events == []


def test_the_page_is_told_to_send_its_own_or_the_next_page_has_it(send, recorder):
    answer = send(body={**WISH, "twin": True})
    assert answer.headers["Capi-Twin"] == f"track {ID}"
    assert "capi_events" not in answer.cookies
    client = Client()
    client.cookies["visited"] = "1"
    other = {"event_name": "Contact", "event_id": ID[::-1]}
    assert "Capi-Twin" not in send(client, other).headers
    headers = {**BROWSER, "accept": "text/html"}
    assert f'"eventID":"{ID[::-1]}"' in client.get("/p/tea/", headers=headers).content.decode()


def test_who_gets_no_event_is_told_of_no_twin(configure, send, recorder):
    configure(BROWSER={"COLLECT": True, "PIXEL": True}, CONSENT={"DEFAULT": "denied"})
    answer = send(body={**WISH, "twin": True})
    assert answer.status_code == 204
    assert "Capi-Twin" not in answer.headers
    assert not answer.cookies


def test_staff_send_nothing(send, recorder, admin_client):
    assert send(admin_client, {"event_name": "Lead"}).status_code == 204
    assert recorder.events == []


def test_without_the_setting_there_is_nothing(configure, send, recorder):
    configure(BROWSER={"PIXEL": True})
    assert send().status_code == 404
    assert recorder.events == []


@pytest.mark.django_db(transaction=True)
def test_the_same_under_asgi(recorder):
    # Looked up by the middleware of the host in another thread than the view's.
    answer = async_to_sync(AsyncClient(enforce_csrf_checks=True).post)(
        "/capi/collect", json.dumps(WISH), content_type="application/json", headers=BROWSER
    )
    assert answer.status_code == 204
    assert [event.event_id for event in recorder.events] == [ID]
