"""Which recipes are in force, in projects that have the apps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter

from tests.hosts import hosting

ACCOUNTS = ["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions"]
SITES = [*ACCOUNTS, "django.contrib.sites"]
PAYMENTS = [*SITES, "payments"]
SALESMAN = [
    *(*SITES, "rest_framework", "salesman.core", "salesman.basket", "salesman.checkout"),
    "salesman.orders",
]
VIEWED = {
    "ON": "signal",
    "SIGNAL": "oscar.apps.catalogue.signals.product_viewed",
    "EVENT": "ViewContent",
}
CODE = """
import json, sys
import django
from django.conf import settings
apps, capis = json.loads(sys.argv[1])
more = {}
if apps[0] == "oscar":
    import oscar
    from oscar import defaults
    apps = [*oscar.INSTALLED_APPS, *apps[1:]]
    more = {name: value for name, value in vars(defaults).items() if name.isupper()}
settings.configure(
    INSTALLED_APPS=[*apps, "capi_django"], CAPI={"RECIPES": []}, SITE_ID=1, MIDDLEWARE=[],
    PAYMENT_HOST="shop.example", DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    HAYSTACK_CONNECTIONS={"default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}},
    **more,
)
django.setup()
from types import SimpleNamespace as User
from django.test import override_settings
from capi_django import checks, conf
for capi in capis:
    with override_settings(CAPI={"PAGE_VIEW": False, **capi}):
        client = conf.client()
        print(json.dumps({
            "triggers": [t.where for t in client.triggers.all] if client else None,
            "problems": conf.problems(),
            "left_out": [m.msg for m in checks.check() if m.id == "capi_django.W005"],
            "logins": [
                t.build({"user": user}) is not None
                for t in (client.triggers.all if client else ()) if t.event == "Login"
                for user in (User(is_staff=True), User(is_staff=False), User())
            ],
        }))
"""


def look(apps, *capis, path=()):
    """What each ``CAPI`` makes of a project with these apps."""
    if not path:
        hosting.needs(*{app.partition(".")[0] for app in apps})
    done = subprocess.run(
        [sys.executable, "-c", CODE, json.dumps([apps, capis])],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def recipes(apps, *capis, path=()):
    """How many triggers each recipe has in force, for each ``CAPI``."""
    answers = look(apps, *(capis or [{}]), path=path)
    assert [answer["left_out"] for answer in answers] == [[]] * len(answers)
    return [Counter(w.partition("[")[0] for w in answer["triggers"]) for answer in answers]


def test_a_recipe_is_on_when_its_app_is_installed_and_it_is_not_left_out():
    assert recipes(PAYMENTS, {}, {"RECIPES": ["payments"]}, {"RECIPES": []}) == [
        {"auth": 1, "payments": 1},
        {"payments": 1},
        {},
    ]
    (answer,) = look(ACCOUNTS, {"RECIPES": ["oscar"]})
    (problem,) = answer["problems"]
    assert problem.startswith("CAPI['RECIPES'] names 'oscar', which is not a recipe")


def test_a_trigger_of_settings_stands_in_for_the_recipes():
    mine = {**VIEWED, "CUSTOM_DATA": {"content_ids": "product.upc"}}
    off = {**VIEWED, "ENABLED": False}
    assert recipes(["oscar"], {}, {"TRIGGERS": [mine]}, {"TRIGGERS": [off]}) == [
        {"auth": 1, "oscar": 9},
        {"auth": 1, "oscar": 8, "CAPI": 1},
        {"auth": 1, "oscar": 8},
    ]


def test_the_payment_of_a_shops_order_is_no_second_purchase():
    named = {"RECIPES": ["oscar", "payments", "djstripe"]}
    assert recipes(["oscar", "payments", "djstripe"], {}, named) == [
        {"auth": 1, "oscar": 9},
        {"oscar": 9, "payments": 1, "djstripe": 4},
    ]


def test_an_app_of_the_host_with_the_name_of_another_is_not_taken_for_it(tmp_path):
    names = ["payments", "registration"]
    (tmp_path / "payments").mkdir()
    (tmp_path / "payments/__init__.py").touch()
    (tmp_path / "registration.py").touch()
    assert recipes([*ACCOUNTS, *names], path=[tmp_path]) == [{"auth": 1}]


def test_salesman_needs_a_currency():
    currency = {"PLUGIN_OPTIONS": {"salesman": {"CURRENCY": "EUR"}}}
    given, left_out, missing = look(SALESMAN, currency, {"RECIPES": ["auth"]}, {})
    assert len(given["triggers"]) == 3
    assert len(left_out["triggers"]) == 1
    (problem,) = missing["problems"]
    assert problem.startswith("CAPI['PLUGIN_OPTIONS']['salesman']['CURRENCY'] is required")


def test_logins_of_staff_follow_the_exclusions():
    without, included = look(ACCOUNTS, {}, {"EXCLUDE": {"staff": False}})
    assert without["logins"] == [False, True, True]
    assert included["logins"] == [True, True, True]
