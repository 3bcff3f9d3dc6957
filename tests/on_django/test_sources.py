"""What Segment's libraries send, in a Django host: one line of its URLconf takes it."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client
from django.urls import include, path

from capi_plugins import hookimpl
from tests.segment.api import BASIC, ORDER, SECRET, SEGMENT

BROWSER = {
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0",
    "origin": "http://testserver",
    "referer": "http://testserver/thanks/",
}

urlpatterns = [path("capi/", include("capi_django.urls"))]


@pytest.fixture(autouse=True)
def mounted(settings, configure, protected_forms):
    settings.ROOT_URLCONF = __name__
    configure(SEGMENT=SEGMENT)


def post(where, body, client=None, **headers):
    client = client or Client(enforce_csrf_checks=True)
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post(f"/capi/{where}", raw, content_type="text/plain", headers=headers)


def test_an_order_arrives_without_a_login_and_without_a_token_of_a_form(settings, recorder, db):
    wall = "django.contrib.auth.middleware.LoginRequiredMiddleware"
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, wall]
    answer = post("v1/t", ORDER, authorization=BASIC)
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert answer.headers["Content-Type"] == "application/json"
    assert recorder.names == ["Purchase"]
    assert answer.cookies == {}


class Looking:
    """Keeps the events as destinations see them."""

    def __init__(self):
        self.events = []

    @hookimpl
    def capi_filter(self, event):
        self.events.append(event)


def test_the_signed_in_visitor_of_a_page_completes_the_event(configure, db, django_user_model):
    looking = Looking()
    configure(SEGMENT=SEGMENT, PLUGINS=[looking])
    client = Client()
    client.force_login(django_user_model.objects.create_user("ada", "ada@example.com", "x"))
    answer = post("v1/t", ORDER, client, authorization=BASIC, **BROWSER)
    assert answer.status_code == 200
    (event,) = looking.events
    assert event.user_data.email == "ada@example.com"
    assert event.event_source_url == "http://testserver/thanks/"
    assert "Cookie" not in answer.headers.get("Vary", "")


def test_browsing_of_staff_is_not_sent_from_their_pages_either(recorder, db, django_user_model):
    user = django_user_model.objects.create_user("eve", is_staff=True)
    client = Client()
    client.force_login(user)
    body = {**ORDER, "event": "Product Viewed", "properties": {"product_id": "p"}}
    assert post("v1/t", body, client, authorization=BASIC, **BROWSER).status_code == 200
    assert recorder.dropped == ["excluded: browsing of a member of staff"]


def test_browsers_are_told_before_they_send(db):
    client = Client(enforce_csrf_checks=True)
    answer = client.options("/capi/v1/t", headers={"origin": "http://testserver"})
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Origin"] == "http://testserver"


def test_a_webhook_is_taken_at_its_name(recorder, db):
    body = json.dumps(ORDER).encode()
    signature = hmac.new(SECRET.encode(), body, hashlib.sha1).hexdigest()
    assert post("webhooks/segment", body, x_signature=signature).status_code == 200
    assert recorder.names == ["Purchase"]
    forged = post("webhooks/segment", body + b" ", x_signature=signature)
    assert (forged.status_code, forged.json()["code"]) == (400, "invalid_signature")


@pytest.mark.parametrize("where", ["v1/nothing", "webhooks/none", "webhooks/tracking/v1/t"])
def test_what_is_not_there_is_404(where, db):
    assert post(where, ORDER).status_code == 404


def test_a_body_may_be_longer_than_forms_may(settings, recorder, db):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    body = {"batch": [{**ORDER, "messageId": f"m-{number}"} for number in range(50)]}
    assert post("v1/b", body, authorization=BASIC).status_code == 200
    assert len(recorder.names) == 50
    assert post("v1/b", b" " * 600_000, authorization=BASIC).status_code == 413


def test_wrong_settings_are_503(configure, db, caplog):
    configure(SEGMENT={"WRITE_KEYS": [5]})
    from capi_django import views
    from django.test import RequestFactory

    answer = views.receive(RequestFactory().post("/capi/v1/t"), "v1/t")
    assert answer.status_code == 503


@pytest.mark.django_db(transaction=True)
def test_an_order_arrives_under_asgi(recorder):
    answer = async_to_sync(AsyncClient().post)(
        "/capi/v1/t", json.dumps(ORDER), content_type="text/plain", headers={"authorization": BASIC}
    )
    assert answer.status_code == 200
    assert recorder.names == ["Purchase"]


def test_the_script_of_the_bridge_is_below_the_same_place():
    first = Client().get("/capi/bridge.js")
    assert first.status_code == 200
    assert first["Content-Type"] == "text/javascript; charset=utf-8"
    assert first["Cache-Control"] == "public, max-age=3600"
    assert not first.cookies
    again = Client().get("/capi/bridge.js", headers={"if-none-match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert Client().post("/capi/bridge.js").status_code == 405
