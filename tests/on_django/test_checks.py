"""System checks: each id, its text and its hint."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import pytest
from django.core import checks
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.dispatch import Signal
from django.urls import include, path

from capi_plugins import hookimpl, sending_off
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
    assert run() == {}
    assert set(run(deploy=True)) == {"capi_django.W012"}


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


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"SEGMENT": {"WRITE_KEYS": ["web"]}, "PAGE_VIEW": True}, True),
        ({"SEGMENT": {"WRITE_KEYS": ["web"]}, "PAGE_VIEW": False}, False),
        ({"SEGMENT": {"WRITE_KEYS": ["web"], "EVENTS": {"Page": None}}, "PAGE_VIEW": True}, False),
        ({"SEGMENT": {"TAP": ["segment"]}, "PAGE_VIEW": True}, False),
    ],
)
def test_w016_pages_that_count_twice(configure, more, told):
    configure(**more)
    assert ("capi_django.W016" in run()) is told


@pytest.mark.parametrize(
    ("path", "lost"),
    [
        ("instance.totl", "'totl'"),
        ({"EACH": "instance.lins", "id": "item.sku"}, "'lins'"),
        (["instance.total", "instance.ttl.amount"], "'ttl'"),
        ("instance.total", None),
        ("instance.pk", None),
        ("instance.customer_email", "'customer_email'"),
        ("instance.get_deferred_fields", None),
        ("instance", None),
        ("request.nothing", None),
    ],
)
def test_w009_a_path_that_the_model_does_not_have(configure, path, lost):
    configure({**PURCHASE, "CUSTOM_DATA": {**PURCHASE["CUSTOM_DATA"], "contents": path}})
    found = run().get("capi_django.W009")
    assert (found is None) is (lost is None)
    if lost:
        assert lost in found.msg
        assert "CAPI['TRIGGERS'][0]" in found.msg


def test_w009_a_condition_on_what_the_model_does_not_have(configure):
    configure({**PURCHASE, "WHEN": {"instance.totla": 1}})
    assert "did you mean 'total'?" in run()["capi_django.W009"].msg


@pytest.mark.parametrize(
    ("name", "value"),
    [("USE_X_FORWARDED_HOST", True), ("SECURE_PROXY_SSL_HEADER", ("HTTP_X_PROTO", "https"))],
)
def test_w010_proxies_that_only_django_knows_of(configure, settings, name, value):
    setattr(settings, name, value)
    configure()
    assert name in run()["capi_django.W010"].msg
    configure(TRUSTED_PROXIES=1)
    assert run() == {}


SIGNED_IN = {"ON": "signal", "SIGNAL": "django.contrib.auth.signals.user_logged_in"}
PLACED = {"ON": "signal", "SIGNAL": "bookshop.signals.order_placed"}
HOME = {"ON": "request", "ROUTE": "home"}


@pytest.mark.parametrize(
    ("one", "other", "double"),
    [
        (PLACED, PLACED, True),
        (HOME, HOME, True),
        (PLACED, SIGNED_IN, False),
        (HOME, {**HOME, "METHOD": "POST"}, False),
        (PLACED, {**PLACED, "WHEN": {"order.paid": True}}, False),
        (PLACED, {**PLACED, "EVENT": "Contact"}, False),
        ({**PLACED, "EVENT_ID": "order.number"}, {**PLACED, "EVENT_ID": "order.number"}, False),
        ({**PLACED, "EVENT_ID": "order.number"}, PLACED, True),
        ({"ON": "request", "PATH": "^/a"}, {"ON": "request", "PATH": "^/a"}, False),
    ],
)
def test_w011_two_triggers_for_one_moment(configure, one, other, double):
    configure({"EVENT": "Lead", **one}, {"EVENT": "Lead", **other})
    found = run()
    assert ("capi_django.W011" in found) is double
    if double:
        assert found["capi_django.W011"].msg == (
            "CAPI['TRIGGERS'][0] and CAPI['TRIGGERS'][1] both make Lead of one moment."
        )


def test_w011_two_signals_for_one_login(configure, monkeypatch):
    allauth = types.ModuleType("allauth")
    allauth.account = types.ModuleType("allauth.account")
    allauth.account.signals = types.ModuleType("allauth.account.signals")
    allauth.account.signals.user_logged_in = Signal()
    for module in (allauth, allauth.account, allauth.account.signals):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    theirs = {"ON": "signal", "SIGNAL": "allauth.account.signals.user_logged_in"}
    configure({**SIGNED_IN, "EVENT": "Login"}, {**theirs, "EVENT": "Login"})
    assert set(run()) == {"capi_django.W011"}


@pytest.mark.parametrize("outbox", ["memory", "immediate"])
def test_w012_a_memory_for_each_process_in_production(configure, settings, outbox):
    configure(DELIVERY={"OUTBOX": outbox})
    assert run() == {}
    assert repr(outbox) in run(deploy=True)["capi_django.W012"].msg
    settings.DEBUG = True
    assert run(deploy=True) == {}


def test_w013_sending_is_off_and_these_are_no_tests(configure, monkeypatch):
    configure()
    monkeypatch.setenv("CAPI_SENDING", "off")
    assert run() == {}
    monkeypatch.setattr(sending_off, "_runners", {})
    assert "CAPI_SENDING is 'off'" in run()["capi_django.W013"].msg


def test_w014_a_sandbox_in_production(configure, settings):
    destination = {"DATASET_ID": "1", "ACCESS_TOKEN": SECRET}
    local = {**destination, "API_URL": "http://127.0.0.1:8799"}
    configure(DESTINATIONS={"meta": local})
    assert run() == {}
    assert "['meta']['API_URL']" in run(deploy=True)["capi_django.W014"].msg
    configure(DESTINATIONS={"meta": {**destination, "API_URL": "https://graph.facebook.com"}})
    assert "capi_django.W014" not in run(deploy=True)


def test_w015_pages_from_the_cache_make_no_events(configure, settings):
    configure()
    cache = "django.middleware.cache.FetchFromCacheMiddleware"
    settings.MIDDLEWARE = [AUTHENTICATION, cache, OURS]
    assert cache in run()["capi_django.W015"].msg
    settings.MIDDLEWARE = [AUTHENTICATION, OURS, cache]
    assert run() == {}


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
            "".join(
                (root / "integrations/django/capi_django" / name).read_text()
                for name in ("checks.py", "trigger_checks.py")
            ),
        )
    )
    assert len(ids) == 24
    documented = set(re.findall(r"capi_django\.[EW]\d{3}", (root / "docs/django.md").read_text()))
    assert documented == ids
    tests = {
        f"capi_django.{name.upper()}"
        for file in Path(__file__).parent.glob("test_*.py")
        for name in re.findall(r"def test_([ew]\d{3})_", file.read_text())
    }
    assert tests == ids


def test_w017_a_second_sqlite_beside_the_outbox(configure, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pysqlite3", types.ModuleType("pysqlite3"))
    configure()
    assert "capi_django.W017" not in run(deploy=True)
    configure(DELIVERY={"OUTBOX": f"sqlite:///{tmp_path}/box/outbox.sqlite3"})
    assert run() == {}
    assert "pysqlite3" in run(deploy=True)["capi_django.W017"].msg


def test_e006_a_sqlite_that_is_too_old_for_the_outbox(configure, tmp_path, monkeypatch):
    configure(DELIVERY={"OUTBOX": f"sqlite:///{tmp_path}/box/outbox.sqlite3"})
    assert run(deploy=True) == {}
    monkeypatch.setattr("capi_plugins.outbox.sqlite_version.LEAST", (4, 0, 0))
    assert "too old" in run(deploy=True)["capi_django.E006"].msg


def test_w018_nothing_is_captured_in_production(configure, settings):
    configure(DESTINATIONS={})
    assert "CAPI['DESTINATIONS'] is missing" in run(deploy=True)["capi_django.W018"].msg
    configure(DESTINATIONS={}, ENABLED=False)
    assert "capi_django.W018" not in run(deploy=True)
    del settings.CAPI
    assert run() == {}
    assert "settings.CAPI is missing" in run(deploy=True)["capi_django.W018"].msg
    settings.DEBUG = True
    assert run(deploy=True) == {}
