"""One request of the shop with the package and without it: both answers must be the same."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpResponse
from django.test import Client, override_settings

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
