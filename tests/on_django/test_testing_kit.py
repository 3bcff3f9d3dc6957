"""The testing kit in the tests of a Django project."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from bookshop.models import Order
from bookshop.signals import order_placed
from capi_django import get_client, track
from django.http import HttpResponse

from capi_plugins import sending_off
from capi_plugins.testing import capture_events
from tests.on_django.conftest import BASE, PROJECT

PLACED = {
    "ON": "signal",
    "SIGNAL": "bookshop.signals.order_placed",
    "EVENT": "Purchase",
    "EVENT_ID": "order.number",
    "CUSTOM_DATA": {"value": {"VALUE": 42}, "currency": {"VALUE": "EUR"}},
    "USER_DATA": {"email": {"VALUE": "jane@example.com"}},
}
PAID = {"ON": "model", "MODEL": "bookshop.Order", "EVENT": "Lead", "EVENT_ID": "instance.number"}


@pytest.fixture(params=["memory", "auto", "immediate"])
def shop(request, configure):
    return configure(PLACED, PAID, DELIVERY={"OUTBOX": request.param}, PAGE_VIEW=True, PLUGINS=[])


def checkout(request):
    order_placed.send(sender=Order, order=Order.objects.create(number="A1"))
    return HttpResponse("thanks")


@pytest.mark.django_db
def test_a_test_case_never_commits_and_captured_callbacks_do(
    shop, view, client, django_capture_on_commit_callbacks
):
    view(checkout)
    with capture_events() as events:
        client.get("/do/")
    assert events.names == ["PageView"]
    Order.objects.all().delete()
    with capture_events() as events, django_capture_on_commit_callbacks(execute=True):
        client.get("/do/")
    events.assert_event("Purchase", value=42, currency="EUR", event_id="Purchase.A1")
    assert sorted(events.names) == ["Lead", "PageView", "Purchase"]
    assert events.one("Purchase").payloads["meta"]["custom_data"]["currency"] == "EUR"


@pytest.mark.django_db(transaction=True)
def test_with_real_transactions_nothing_has_to_be_done(shop, view, client):
    view(checkout)
    with capture_events() as events:
        client.get("/do/")
    assert sorted(events.names) == ["Lead", "PageView", "Purchase"]
    # The database outbox has rows of what is to be sent.
    assert get_client().stats().waiting == 0


@pytest.mark.django_db
def test_the_fixture_and_track(shop, capi_events):
    track("Lead", user_data={"email": "a@example.com"}, action_source="email")
    assert capi_events.one("Lead").payloads["meta"]["event_name"] == "Lead"


@pytest.mark.django_db
def test_the_sandbox_is_wired(settings, client, view, request):
    settings.CAPI = {**BASE, "PAGE_VIEW": True}
    sandbox = request.getfixturevalue("capi_sandbox")
    view(lambda request: HttpResponse("<p>"))
    client.get("/do/", REMOTE_ADDR="8.8.8.8", HTTP_USER_AGENT="Mozilla/5.0")
    assert [event.name for event in sandbox.accepted()] == ["PageView"]
    assert sandbox.refused == []


@pytest.mark.skipif("CAPI_SENDING" not in os.environ, reason="the suite says what is so")
def test_pytest_django_is_a_run_of_tests(monkeypatch):
    assert sending_off.why_off() is None
    monkeypatch.delenv("CAPI_SENDING")
    assert sending_off.why_off() == "these are tests, run by Django"


SETTINGS = """
from bookshop.settings import *
CAPI = {
    "DESTINATIONS": {"meta": {"DATASET_ID": "1", "ACCESS_TOKEN": "t",
                              "API_URL": "https://graph.example.invalid"}},
    "CONSENT": {"DEFAULT": "granted"},
    "DELIVERY": {"OUTBOX": "immediate"},
}
"""
TESTS = """
import capi_django
from django.test import SimpleTestCase

class ShopTest(SimpleTestCase):
    def test_lead(self):
        with self.assertLogs("capi_plugins.http", "WARNING") as logs:
            capi_django.track("Lead", user_data={"email": "a@example.com"}, action_source="email")
        self.assertIn("these are tests, run by Django; CAPI_SENDING=on", logs.output[0])
"""


def test_djangos_own_runner_sends_nothing(tmp_path):
    (tmp_path / "shop_settings.py").write_text(SETTINGS)
    (tmp_path / "test_lead.py").write_text(TESTS)
    environ = {k: v for k, v in os.environ.items() if not k.startswith("CAPI_")}
    done = subprocess.run(
        [sys.executable, "-m", "django", "test"],
        cwd=tmp_path,
        env={
            **environ,
            "DJANGO_SETTINGS_MODULE": "shop_settings",
            "PYTHONPATH": f"{tmp_path}{os.pathsep}{PROJECT}",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Ran 1 test" in done.stderr


def test_a_server_is_no_run_of_tests(tmp_path):
    script = (
        "import django; django.setup()\n"
        "from django.core import mail\n"
        "from django.core.mail.backends.locmem import EmailBackend\n"
        "EmailBackend().send_messages([])\n"
        "from capi_plugins import sending_off\n"
        "assert sending_off.why_off() is None\n"
    )
    environ = {k: v for k, v in os.environ.items() if not k.startswith("CAPI_")}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=PROJECT,
        env={**environ, "DJANGO_SETTINGS_MODULE": "bookshop.settings"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
