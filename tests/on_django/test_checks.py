"""System checks: each id, its text and its hint."""

from __future__ import annotations

import re
import types
from pathlib import Path

import pytest
from django.core import checks
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.urls import include, path

from capi_plugins import hookimpl
from tests.on_django import databases

SECRET = "EAAB-very-secret"

PURCHASE = {
    "ON": "model",
    "MODEL": "bookshop.Order",
    "CHANGED": {"paid": True},
    "EVENT": "Purchase",
    "CUSTOM_DATA": {"value": "instance.total", "currency": {"VALUE": "EUR"}},
}
OURS = "capi_django.middleware.CapiMiddleware"
AUTHENTICATION = "django.contrib.auth.middleware.AuthenticationMiddleware"


def run(*, deploy=False):
    found = checks.run_checks(tags=["capi"], include_deployment_checks=deploy)
    return {message.id: message for message in found}


def test_right_settings_have_no_messages(configure):
    configure(
        PURCHASE,
        {"ON": "signal", "SIGNAL": "bookshop.signals.order_placed", "EVENT": "Lead"},
        {"ON": "request", "ROUTE": "orders:pay", "EVENT": "Lead"},
    )
    assert run(deploy=True) == {}


def test_e001_names_every_problem_of_the_settings(settings):
    settings.CAPI = {
        "DESTINATIONS": {"meta": {"DATASET_ID": "1", "ACESS_TOKEN": SECRET}},
        "CONSENT": {},
        "TRIGGERS": [{"ON": "signal", "EVENT": "Lead"}],
    }
    found = list(checks.run_checks(tags=["capi"]))
    assert {message.id for message in found} == {"capi_django.E001"}
    text = "\n".join(message.msg for message in found)
    assert "CAPI['DESTINATIONS']['meta']['ACESS_TOKEN'] is not a setting" in text
    assert "did you mean 'ACCESS_TOKEN'?" in text
    assert "CAPI['CONSENT']['DEFAULT'] is required" in text
    assert "CAPI['TRIGGERS'][0]['SIGNAL'] is required" in text
    assert SECRET not in text


def test_e001_names_a_plugin_that_cannot_be_used(configure):
    configure(PLUGINS=["no_such_plugin"])
    assert "no_such_plugin" in run()["capi_django.E001"].msg


def test_e002_a_signal_that_is_not_there(configure):
    configure({"ON": "signal", "SIGNAL": "bookshop.signals.order_place", "EVENT": "Lead"})
    message = run()["capi_django.E002"]
    assert message.msg == (
        "CAPI['TRIGGERS'][0]: 'bookshop.signals.order_place' leads nowhere at 'order_place'; "
        "did you mean 'order_placed'?"
    )
    assert message.hint


def test_e003_a_model_that_is_not_there(configure):
    configure({**PURCHASE, "MODEL": "bookshop.Ordr"})
    assert "bookshop.Ordr" in run()["capi_django.E003"].msg
    configure({**PURCHASE, "MODEL": "nowhere.models.Order"})
    assert "nowhere.models.Order" in run()["capi_django.E003"].msg
    configure({**PURCHASE, "MODEL": "bookshop.signals.order_placed"})
    assert "is not a model" in run()["capi_django.E003"].msg


def test_e004_a_field_that_the_model_has_not(configure):
    configure({**PURCHASE, "CHANGED": {"payed": True}})
    message = run()["capi_django.E004"]
    assert "'payed'" in message.msg
    assert "paid" in message.hint
    configure({**PURCHASE, "CHANGED": {"lines": True}})
    assert "is not a column" in run()["capi_django.E004"].msg


def test_e005_a_purchase_without_value_or_currency(configure):
    configure({**PURCHASE, "CUSTOM_DATA": {"value": "instance.total"}})
    assert "without currency" in run()["capi_django.E005"].msg
    configure({**PURCHASE, "CUSTOM_DATA": {}})
    assert "without value and currency" in run()["capi_django.E005"].msg


def test_w001_the_middleware_is_missing(configure, settings):
    configure()
    settings.MIDDLEWARE = [AUTHENTICATION]
    assert OURS in run()["capi_django.W001"].hint


def test_w002_the_middleware_comes_too_early(configure, settings):
    configure()
    settings.MIDDLEWARE = [OURS, AUTHENTICATION]
    assert AUTHENTICATION in run()["capi_django.W002"].msg


def test_a_subclass_of_the_middleware_is_the_middleware(configure, settings, tmp_path, monkeypatch):
    (tmp_path / "shop_middleware.py").write_text(
        "from capi_django.middleware import CapiMiddleware\nclass Mine(CapiMiddleware): pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    configure()
    settings.MIDDLEWARE = ["shop_middleware.Mine", AUTHENTICATION]
    assert set(run()) == {"capi_django.W002"}
    settings.MIDDLEWARE = [AUTHENTICATION, "no.such.Middleware", "shop_middleware.Mine"]
    assert run() == {}


def test_w003_a_route_that_is_not_in_the_urlconf(configure):
    configure({"ON": "request", "ROUTE": "orders:play", "EVENT": "Lead"})
    message = run()["capi_django.W003"]
    assert "'orders:play'" in message.msg
    assert "did you mean 'orders:place'?" in message.msg or "orders:pay" in message.msg


def test_w004_a_test_event_code_in_production(configure, settings):
    destination = {"DATASET_ID": "1", "ACCESS_TOKEN": SECRET, "TEST_EVENT_CODE": "TEST12"}
    configure(DESTINATIONS={"meta": destination})
    assert run() == {}
    message = run(deploy=True)["capi_django.W004"]
    assert "TEST_EVENT_CODE" in message.msg
    assert SECRET not in str(message)
    settings.DEBUG = True
    assert run(deploy=True) == {}


def test_every_mistake_is_shown_at_once(configure):
    configure(
        {"ON": "signal", "SIGNAL": "bookshop.signals.nothing", "EVENT": "Lead"},
        {**PURCHASE, "MODEL": "bookshop.Nothing"},
        {**PURCHASE, "CHANGED": {"nothing": 1}},
        {"ON": "request", "ROUTE": "nothing", "EVENT": "Purchase"},
    )
    numbers = {name.removeprefix("capi_django.") for name in run()}
    assert numbers == {"E002", "E003", "E004", "E005", "W003"}


def test_w005_a_recipe_that_does_not_fit(configure):
    class Recipe:
        @hookimpl
        def capi_triggers(self):
            return [{"ON": "signal", "SIGNAL": "not_installed.signals.placed", "EVENT": "Lead"}]

    configure(PLUGINS=[Recipe()], RECIPES="auto")
    assert "there is no module 'not_installed'" in run()["capi_django.W005"].msg


def test_w006_the_tables_of_the_outbox_are_missing(configure, engine, django_db_blocker, tmp_path):
    with django_db_blocker.unblock():
        database = databases.made(engine, tmp_path)
        databases.known("bare", database)
        try:
            configure(DELIVERY={"OUTBOX": "auto", "DATABASE": "bare"})
            found = run(deploy=True)["capi_django.W006"]
            assert "'bare', which lacks capi_django_deadletter" in found.msg
            databases.migrated("bare", "capi_django", "0001")
            found = run(deploy=True)["capi_django.W006"]
            assert "'bare', which lacks capi_django_destinationstanding" in found.msg
            databases.migrated("bare")
            assert "capi_django.W006" not in run(deploy=True)
            databases.known("bare", {**database, "NAME": "/nowhere/at/all"})
            configure(DELIVERY={"OUTBOX": "memory", "DATABASE": "bare"})
            assert "capi_django.W006" not in run(deploy=True)
        finally:
            databases.forgotten("bare")
            databases.removed(engine, database)


def test_e001_a_database_that_is_not_there(configure):
    configure(DELIVERY={"DATABASE": "defualt"})
    problem = run()["capi_django.E001"].msg
    assert problem == (
        "CAPI['DELIVERY']['DATABASE'] 'defualt' is not in DATABASES; did you mean 'default'?"
    )


@pytest.mark.parametrize(
    ("segment", "patterns", "told"),
    [
        ({"WRITE_KEYS": ["web"]}, [], True),
        ({"WRITE_KEYS": ["web"]}, [path("capi/", include("capi_django.urls"))], False),
        ({"WRITE_KEYS": ["web"]}, [path("", include(("capi_django.urls", "x"), "own"))], False),
        ({}, [], False),
    ],
)
def test_w008_sources_that_nobody_can_reach(configure, settings, segment, patterns, told):
    settings.ROOT_URLCONF = types.ModuleType("urls")
    settings.ROOT_URLCONF.urlpatterns = patterns
    configure(SEGMENT=segment)
    assert ("capi_django.W008" in run()) is told


def test_wrong_settings_fail_manage_py_check(settings):
    settings.CAPI = {"DESTINATION": {}}
    with pytest.raises(SystemCheckError, match="did you mean 'DESTINATIONS'"):
        call_command("check")


@pytest.mark.repository
def test_every_check_is_documented_and_tested():
    root = Path(__file__).parents[2]
    ids = set(
        re.findall(
            r"capi_django\.[EW]\d{3}",
            (root / "integrations/django/capi_django/checks.py").read_text(),
        )
    )
    assert len(ids) == 13
    documented = set(re.findall(r"capi_django\.[EW]\d{3}", (root / "docs/django.md").read_text()))
    assert documented == ids
    tests = {
        f"capi_django.{name.upper()}"
        for file in Path(__file__).parent.glob("test_*.py")
        for name in re.findall(r"def test_([ew]\d{3})_", file.read_text())
    }
    assert tests == ids
