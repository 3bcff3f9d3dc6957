"""Pages whose Content-Security-Policy lets no script stand there without a nonce."""

from __future__ import annotations

import importlib.util
import re

import django
import pytest
from django.http import HttpResponse
from django.test import AsyncClient, Client

from capi_plugins.browser import nonce_of

pytestmark = pytest.mark.django_db

HEADERS = {"accept": "text/html", "user-agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"}
OWN = pytest.param("own", marks=pytest.mark.skipif(django.VERSION < (6,), reason="Django 6"))
PACKAGE = pytest.param(
    "django-csp",
    marks=pytest.mark.skipif(importlib.util.find_spec("csp") is None, reason="django-csp"),
)


@pytest.fixture(params=[OWN, PACKAGE])
def policy(request, settings, configure):
    configure(BROWSER={"PIXEL": True}, PAGE_VIEW=True)
    if request.param == "own":
        from django.utils.csp import CSP

        settings.SECURE_CSP = {"default-src": [CSP.SELF], "script-src": [CSP.SELF, CSP.NONCE]}
        middleware = "django.middleware.csp.ContentSecurityPolicyMiddleware"
    else:
        from csp.constants import NONCE, SELF

        settings.CONTENT_SECURITY_POLICY = {
            "DIRECTIVES": {"default-src": [SELF], "script-src": [SELF, NONCE]}
        }
        middleware = "csp.middleware.CSPMiddleware"
    settings.MIDDLEWARE = [middleware, *settings.MIDDLEWARE]


def page(request):
    return HttpResponse("<html><head></head><body></body></html>")


def page_with_a_script(request):
    lazy = request.csp_nonce if hasattr(request, "csp_nonce") else request._csp_nonce
    script = f'<script nonce="{lazy}">own()</script>'
    return HttpResponse(f"<html><head>{script}</head><body></body></html>")


def nonces(answer):
    """The nonce of the header, and that of every script in the page."""
    scripts = re.findall(r"<script([^>]*)>", answer.content.decode())
    found = [re.fullmatch(r' nonce="([^"]+)"', attributes)[1] for attributes in scripts]
    return nonce_of(answer.headers["Content-Security-Policy"]), found


def test_the_pixel_has_the_nonce_of_the_header(policy, view):
    view(page)
    header, found = nonces(Client(headers=HEADERS).get("/do/"))
    assert header
    assert found == [header]


def test_the_nonce_is_that_of_the_pages_own_scripts_and_new_each_time(policy, view):
    view(page_with_a_script)
    client = Client(headers=HEADERS)
    answers = [nonces(client.get("/do/")) for _ in range(2)]
    assert all(header and found == [header, header] for header, found in answers)
    assert answers[0] != answers[1]


@pytest.mark.django_db(transaction=True)
def test_the_same_under_asgi(policy, view):
    from asgiref.sync import async_to_sync

    async def async_page(request):
        return page(request)

    view(async_page)
    answer = async_to_sync(AsyncClient().get)("/async/do/", headers=HEADERS)
    header, found = nonces(answer)
    assert header
    assert found == [header]


def test_nothing_is_done_with_the_nonce_of_who_did_not_consent(policy, view, configure):
    configure(BROWSER={"PIXEL": True}, CONSENT={"DEFAULT": "denied"})
    view(page)
    answer = Client(headers=HEADERS).get("/do/")
    assert "nonce" not in answer.headers["Content-Security-Policy"]
    assert b"<script" not in answer.content
