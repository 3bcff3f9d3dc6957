"""django-cookie-consent itself is asked where the host runs it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HOST = """
import json, sys
import django
from django.conf import settings

settings.configure(
    INSTALLED_APPS=["django.contrib.contenttypes", "cookie_consent"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    USE_TZ=True, SECRET_KEY="a", ALLOWED_HOSTS=["*"],
)
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from cookie_consent.models import Cookie, CookieGroup
from django.test import RequestFactory
from capi_plugins.builtin.consent import make_reader
from capi_plugins.http_context import request_context

group = CookieGroup.objects.create(varname="social", name="Social")
cookie = Cookie.objects.create(cookiegroup=group, name="_fbp")
CookieGroup.objects.create(varname="must", name="Needed", is_required=True)
read = make_reader({"SOURCE": "django_cookie_consent", "GROUPS": sys.argv[1]}, "", [])

def ask(value):
    header = f"cookie_consent={value}"
    request = RequestFactory().get("/", HTTP_COOKIE=header)
    context = request_context(
        method="GET", url="https://shop.example/", headers={"cookie": header}, remote_addr=None,
        trusted_proxies=0, request=request,
    )
    answer = read(context)
    return answer and answer.value

now = cookie.get_version()
old = "social=2001-01-01T00:00:00+00:00"
values = [f"social={now}|must={now}", old, "social=-1", "ads=-1", "%"]
print(json.dumps([ask(value) for value in values]))
"""


@pytest.mark.parametrize(
    ("group", "answers"),
    [
        # Agreed; agreed to a text that has changed since; declined; not asked; damaged.
        ("social", ["granted", None, "denied", None, None]),
        ("must", [None, None, None, None, None]),
    ],
)
def test_the_app_knows_when_its_text_has_changed(group, answers):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", HOST, group],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == answers
