"""``settings.CAPI``: read late, followed when it changes, and wrong in time."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import capi_django
import pytest
from bookshop.signals import order_placed
from capi_django import conf
from capi_django.middleware import CapiMiddleware
from django.apps import apps
from django.db import connection
from django.test import Client, override_settings

from capi_plugins import ConfigurationError, hookimpl

PLACED = {"ON": "signal", "SIGNAL": "bookshop.signals.order_placed", "EVENT": "Lead"}


def test_the_client_is_made_once(configure):
    configure()
    assert capi_django.get_client() is capi_django.get_client()


def test_changed_settings_make_another_client(configure):
    configure()
    before = capi_django.get_client()
    with override_settings(CAPI={**configure(), "PAGE_VIEW": True}):
        during = capi_django.get_client()
        assert during is not before
        assert during.settings.page_view is True
    assert capi_django.get_client().settings.page_view is False


def test_other_settings_make_no_other_client(configure, settings):
    configure()
    before = capi_django.get_client()
    settings.USE_THOUSAND_SEPARATOR = True
    assert capi_django.get_client() is before


def test_ready_twice_connects_once(configure, recorder):
    configure(PLACED)
    receivers = len(order_placed.receivers)
    apps.get_app_config("capi_django").ready()
    apps.get_app_config("capi_django").ready()
    assert len(order_placed.receivers) == receivers
    order_placed.send(sender=None)
    assert recorder.names == ["Lead"]


def test_ready_never_queries_the_database(configure):
    # Without the mark of pytest-django any query fails.
    configure(PLACED)
    apps.get_app_config("capi_django").ready()
    assert connection.queries == []


def test_without_the_app_nothing_is_connected(configure, settings):
    configure(PLACED)
    before = len(order_placed.receivers)
    with override_settings(INSTALLED_APPS=[a for a in settings.INSTALLED_APPS if "capi" not in a]):
        assert len(order_placed.receivers) == before - 1
    assert len(order_placed.receivers) == before


def test_no_settings_at_all_capture_nothing(settings, recorder):
    del settings.CAPI
    capi_django.track("Lead")
    assert Client().get("/contact/").status_code == 200
    assert recorder.names == []


def test_disabled_settings_capture_nothing(configure, recorder):
    configure(PLACED, ENABLED=False)
    capi_django.track("Lead")
    order_placed.send(sender=None)
    assert recorder.names == []


WRONG = {"DESTINATION": {}, "CONSENTS": {}}


def test_wrong_settings_stop_a_server_with_every_problem(settings):
    settings.CAPI = WRONG
    with pytest.raises(ConfigurationError) as caught:
        CapiMiddleware(lambda request: None)
    assert len(caught.value.problems) == 2
    assert "CAPI['CONSENTS'] is not a setting; did you mean 'CONSENT'?" in str(caught.value)


def test_a_trigger_of_the_host_that_is_lost_stops_a_server(configure):
    configure(
        {**PLACED, "SIGNAL": "bookshop.signals.nothing"},
        {"ON": "model", "MODEL": "bookshop.Nothing", "EVENT": "Lead"},
    )
    with pytest.raises(ConfigurationError) as caught:
        CapiMiddleware(lambda request: None)
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "CAPI['TRIGGERS'][0]",
        "CAPI['TRIGGERS'][1]",
    ]


def test_a_trigger_of_a_recipe_that_is_lost_is_left_out(configure, caplog):
    class Recipe:
        @hookimpl
        def capi_triggers(self):
            return [{**PLACED, "SIGNAL": "not_installed.signals.placed"}]

    configure(PLUGINS=[Recipe()], RECIPES="auto")
    CapiMiddleware(lambda request: None)
    assert "is left out: there is no module 'not_installed'" in caplog.text


def test_a_signal_that_appears_later_is_connected(configure, recorder, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    configure({**PLACED, "SIGNAL": "late_shop.placed"})
    (tmp_path / "late_shop.py").write_text(
        "from django.dispatch import Signal\nplaced = Signal()\n"
    )
    CapiMiddleware(lambda request: None)
    from late_shop import placed

    placed.send(sender=None)
    assert recorder.names == ["Lead"]


def test_wrong_settings_are_kept_for_the_checks(settings, caplog, recorder):
    settings.CAPI = WRONG
    with caplog.at_level(logging.ERROR):
        apps.get_app_config("capi_django").ready()
    assert "manage.py check" in caplog.text
    assert len(conf.problems()) == 2
    capi_django.track("Lead")
    assert recorder.names == []
    with pytest.raises(ConfigurationError):
        capi_django.get_client()
    with pytest.raises(ConfigurationError):
        capi_django.flush()


def test_a_host_without_users_sessions_and_databases_is_served():
    project = Path(__file__).parent / "project"
    done = subprocess.run(
        [sys.executable, "-W", "error", "tiny.py"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "tiny host is served\n", done.stderr


def test_before_django_is_set_up_nothing_is_captured_and_nothing_raised():
    code = (
        "import capi_django, capi_plugins\n"
        "capi_django.track('Lead')\n"
        "try: capi_django.get_client()\n"
        "except capi_plugins.ConfigurationError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.stdout == "Django is not set up yet: call django.setup() first\n", done.stderr
