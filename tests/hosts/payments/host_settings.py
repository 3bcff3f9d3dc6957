"""Payments with django-payments and its provider for trying things out."""

import os

import with_capi
from plain import *  # noqa: F403
from plain import DATABASES, FOLDER, INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "payments", "shop"]
PAYMENT_HOST = "shop.example"
PAYMENT_USES_SSL = False
PAYMENT_MODEL = "shop.Payment"
PAYMENT_VARIANTS = {"default": ("payments.dummy.DummyProvider", {})}
DATABASES["orders"] = {**DATABASES["default"], "NAME": FOLDER / "orders.sqlite3"}
if os.environ.get("HOST_VARIANT") == "two databases":
    DATABASE_ROUTERS = ["shop.routing.Router"]
    for database in DATABASES.values():
        database["ATOMIC_REQUESTS"] = True

with_capi.add(globals())
