"""Webhooks of Stripe with dj-stripe; ``HOST_VARIANT`` is where Stripe is."""

import os

import with_capi
from plain import *  # noqa: F403
from plain import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "djstripe"]
STRIPE_API_HOST = os.environ.get("HOST_VARIANT") or "http://127.0.0.1:9"
STRIPE_LIVE_MODE = False
STRIPE_TEST_SECRET_KEY = "sk_test_" + "0" * 24
DJSTRIPE_FOREIGN_KEY_TO_FIELD = "id"

with_capi.add(globals(), CONSENT={"DEFAULT": "granted"})
