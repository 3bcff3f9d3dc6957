"""Django REST framework reads bodies and finds users itself; both are offered all the same."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

pytest.importorskip("rest_framework", reason="Django REST framework is not installed")

from rest_framework.authentication import BaseAuthentication
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import APIView

pytestmark = pytest.mark.django_db

TRIGGER = {
    "ON": "request",
    "ROUTE": "do",
    "METHOD": "POST",
    "EVENT": "Purchase",
    "EVENT_ID": "json.number",
    "USER_DATA": {"email": "json.buyer.email", "city": "form.city"},
    "CUSTOM_DATA": {"value": "response.data.total", "currency": {"VALUE": "EUR"}},
}


class ByHeader(BaseAuthentication):
    def authenticate(self, request):
        return User.objects.get(username=request.headers["x-user"]), None


class Orders(APIView):
    authentication_classes = [ByHeader]  # noqa: RUF012 - the framework's way
    renderer_classes = [JSONRenderer]  # noqa: RUF012

    def post(self, request):
        return Response({"total": 20, "got": sorted(request.data)}, status=201)


@pytest.fixture
def orders(client, configure, view):
    User.objects.create_user("ada", "ada@example.com")
    configure(TRIGGER)
    view(Orders.as_view())
    return lambda data, **how: client.post("/do/", data, headers={"x-user": "ada"}, **how)


def test_json_and_user_are_those_of_the_framework(orders, recorder):
    data = {"number": "A1", "buyer": {"email": "grace@example.com"}}
    assert orders(data, content_type="application/json").json()["got"] == ["buyer", "number"]
    (event,) = recorder.events
    assert event.event_id == "Purchase.A1"
    assert event.user_data.email == "grace@example.com"
    assert event.custom_data.value == 20
    assert recorder.context.user.email == "ada@example.com"


def test_a_form_is_that_of_the_framework(orders, recorder):
    assert orders({"city": "Bonn"}).status_code == 201
    assert recorder.events[0].user_data.city == "Bonn"
