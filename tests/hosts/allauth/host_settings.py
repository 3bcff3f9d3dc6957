"""Accounts with django-allauth."""

import os

import with_capi
from plain import *  # noqa: F403
from plain import INSTALLED_APPS, MIDDLEWARE

INSTALLED_APPS = [
    *(*INSTALLED_APPS, "allauth", "allauth.account"),
    *("allauth.socialaccount", "allauth.socialaccount.providers.dummy"),
]
MIDDLEWARE = [*MIDDLEWARE, "allauth.account.middleware.AccountMiddleware"]
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
VARIANT = os.environ.get("HOST_VARIANT")
ACCOUNT_EMAIL_VERIFICATION = "optional" if VARIANT == "optional" else "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = VARIANT == "code"
if VARIANT == "trusting":
    SOCIALACCOUNT_EMAIL_VERIFICATION = "none"
    SOCIALACCOUNT_EMAIL_REQUIRED = False
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = True
LOGIN_REDIRECT_URL = "/accounts/email/"

with_capi.add(globals())
