"""Payments with django-payments and its provider for trying things out."""

import with_capi
from plain import *  # noqa: F403
from plain import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "payments", "shop"]
PAYMENT_HOST = "shop.example"
PAYMENT_USES_SSL = False
PAYMENT_MODEL = "shop.Payment"
PAYMENT_VARIANTS = {"default": ("payments.dummy.DummyProvider", {})}

with_capi.add(globals())
