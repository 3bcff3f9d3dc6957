"""Accounts with django-registration and with django-registration-redux."""

import with_capi
from plain import *  # noqa: F403
from plain import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "django_registration", "registration"]
ACCOUNT_ACTIVATION_DAYS = 7
LOGIN_REDIRECT_URL = "/"

with_capi.add(globals())
