"""A host without users, sessions, templates and databases, in one file."""

import django
from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from django.urls import path

from capi_plugins import Consent, hookimpl
from capi_plugins.destinations.base import Response

sent = []


class Wire:
    @hookimpl
    def capi_consent(self):
        return Consent.GRANTED

    @hookimpl
    def capi_send(self, request):
        sent.append(request.body)
        return Response(status=200, body=b'{"events_received": 1}')


def home(request):
    capi_django.track("Lead", user_data={"email": "ada@example.com"})
    return HttpResponse("tiny")


urlpatterns = [path("", home, name="home")]
settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["testserver"],
    INSTALLED_APPS=["capi_django"],
    MIDDLEWARE=["capi_django.middleware.CapiMiddleware"],
    CAPI={
        "DESTINATIONS": {"meta": {"DATASET_ID": "1234567890", "ACCESS_TOKEN": "test-token"}},
        "CONSENT": {"DEFAULT": "denied"},
        "TRIGGERS": [
            {
                "ON": "request",
                "ROUTE": "home",
                "EVENT": "Contact",
                "USER_DATA": {"email": ["user.email", "session.email", "args.email"]},
            }
        ],
        "PLUGINS": [Wire()],
        "DELIVERY": {"OUTBOX": "memory"},
    },
)
django.setup()

import capi_django  # noqa: E402 - Django comes first

answer = Client().get("/?email=grace@example.com", headers={"user-agent": "Firefox"})
assert answer.content == b"tiny"
assert "Vary" not in answer.headers
assert capi_django.flush(10)
body = b"".join(sent)
assert b'"Lead"' in body, body
assert b'"Contact"' in body, body
print("tiny host is served")  # noqa: T201 - what the test looks for
