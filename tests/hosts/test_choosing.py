"""Which recipes are in force, in projects that have the apps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter

import pytest

ACCOUNTS = ["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions"]
SITES = [*ACCOUNTS, "django.contrib.sites"]
PAYMENTS = [*SITES, "payments"]
SALESMAN = [
    *(*SITES, "rest_framework", "salesman.core", "salesman.basket", "salesman.checkout"),
    "salesman.orders",
]
CURRENCY = {"salesman": {"CURRENCY": "EUR"}}
VIEWED = {
    "ON": "signal",
    "SIGNAL": "oscar.apps.catalogue.signals.product_viewed",
    "EVENT": "ViewContent",
}
CODE = """
import json, sys
import django
from django.conf import settings
given = json.loads(sys.argv[1])
apps, more = given["apps"], {}
if apps == "oscar":
    import oscar
    from oscar import defaults
    apps = oscar.INSTALLED_APPS
    more = {name: value for name, value in vars(defaults).items() if name.isupper()}
apps = [*apps, *given["more"], "capi_django"]
settings.configure(
    INSTALLED_APPS=apps, CAPI=given["capi"], SITE_ID=1, MIDDLEWARE=[],
    PAYMENT_HOST="shop.example", DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    HAYSTACK_CONNECTIONS={"default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}},
    **more,
)
django.setup()
import capi_django
from capi_django import checks, conf
made = [[t.where, t.event] for t in capi_django.get_client().triggers.all if t.event != "PageView"]
left_out = [m.msg for m in checks.check() if m.id == "capi_django.W005"]
print(json.dumps({"triggers": made, "left_out": left_out}))
"""


def run(apps, *, more=(), path=(), **capi):
    given = {"apps": apps, "more": list(more), "capi": capi}
    return subprocess.run(
        [sys.executable, "-c", CODE, json.dumps(given)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def recipes(apps, **how):
    """How many triggers each recipe has in force."""
    done = run(apps, **how)
    assert done.returncode == 0, done.stdout + done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["left_out"] == []
    return Counter(where.partition("[")[0] for where, _ in answer["triggers"])


def test_a_recipe_is_on_when_its_app_is_installed():
    assert recipes(ACCOUNTS) == {"auth": 1}
    assert recipes(PAYMENTS) == {"auth": 1, "payments": 2}
    assert recipes("oscar") == {"auth": 1, "oscar": 8}


def test_recipes_are_chosen_by_their_names():
    assert recipes("oscar", RECIPES=["oscar"]) == {"oscar": 8}
    assert recipes("oscar", RECIPES=[]) == {}
    done = run(ACCOUNTS, RECIPES=["oscar"])
    assert "CAPI['RECIPES'] names 'oscar', which is not a recipe" in done.stderr


def test_a_trigger_of_settings_stands_in_for_the_recipes():
    mine = {**VIEWED, "CUSTOM_DATA": {"content_ids": "product.upc"}}
    assert recipes("oscar", TRIGGERS=[mine]) == {"auth": 1, "oscar": 7, "CAPI": 1}
    off = {**VIEWED, "ENABLED": False}
    assert recipes("oscar", TRIGGERS=[off]) == {"auth": 1, "oscar": 7}


def test_the_payment_of_a_shops_order_is_no_second_purchase():
    assert recipes("oscar", more=["payments", "djstripe"]) == {"auth": 1, "oscar": 8}
    named = recipes("oscar", more=["payments"], RECIPES=["oscar", "payments"])
    assert named == {"oscar": 8, "payments": 2}


def test_an_app_of_the_host_with_the_name_of_another_is_not_taken_for_it(tmp_path):
    for name in ("payments", "registration"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    found = recipes(ACCOUNTS, more=["payments", "registration"], path=[tmp_path])
    assert found == {"auth": 1}


def test_salesman_needs_a_currency():
    assert recipes(SALESMAN, PLUGIN_OPTIONS=CURRENCY) == {"auth": 1, "salesman": 2}
    done = run(SALESMAN)
    assert (
        "CAPI['PLUGIN_OPTIONS']['salesman']['CURRENCY'] is required, such as 'EUR'" in done.stderr
    )
    assert recipes(SALESMAN, RECIPES=["auth"]) == {"auth": 1}


@pytest.mark.parametrize("staff", [True, False])
def test_logins_of_staff_follow_the_exclusions(staff):
    code = CODE + (
        "from types import SimpleNamespace as User\n"
        "(login,) = capi_django.get_client().triggers.on_signal\n"
        "for is_staff in (True, False): print(bool(login.build({'user': User(is_staff=is_staff)})))"
        "\nprint(bool(login.build({'user': User()})))"
    )
    given = {"apps": ACCOUNTS, "more": [], "capi": {"EXCLUDE": {"staff": staff}}}
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(given)],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout.split()[-3:] == [str(not staff), "True", "True"]
