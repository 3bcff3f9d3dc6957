"""Recipes: the conversions of well-known apps, described with the triggers that settings have too.

Each module is a plugin as anybody might write one. It is loaded when its app is installed and
``CAPI["RECIPES"]`` does not leave it out.
"""

from __future__ import annotations

import importlib
import importlib.util

from django.apps import apps

from capi_plugins.settings import Settings

APPS = {
    "auth": "django.contrib.auth",
    "allauth": "allauth.account",
    "django_registration": "django_registration",
    "registration": "registration",
    "oscar": "oscar",
    "salesman": "salesman.orders",
    "wagtail_forms": "wagtail.contrib.forms",
    "payments": "payments",
    "djstripe": "djstripe",
}
"""The recipes and the app that each is for."""
# Hosts have apps of their own with such names; this is part of the one that is meant.
_PARTS = {"payments": "payments.dummy", "registration": "registration.backends"}
_SHOPS = ("oscar", "salesman")


def installed() -> dict[str, object]:
    """Return the recipes whose apps are in ``INSTALLED_APPS``, by name."""
    return {
        name: importlib.import_module(f"{__name__}.{name}")
        for name, app in APPS.items()
        if apps.is_installed(app) and _is_meant(name)
    }


def _is_meant(name: str) -> bool:
    try:
        return name not in _PARTS or importlib.util.find_spec(_PARTS[name]) is not None
    except ImportError:
        return False


def counts_payments(settings: Settings) -> bool:
    """Whether a recipe for payments has anything to count.

    With ``RECIPES`` ``"auto"`` a shop's own recipe tells of every order, and the payment of an
    order is no second purchase. Whoever names the recipe wants it.

    Args:
        settings: The whole configuration.
    """
    return settings.recipes != "auto" or not any(apps.is_installed(APPS[shop]) for shop in _SHOPS)
