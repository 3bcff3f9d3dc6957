"""A shop that is an API for a page of scripts. What it says of conversions is in PLAIN_CAPI."""

import json
import os

SECRET_KEY = "api"
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "apishop.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "rest_framework",
    "apishop",
    "capi_django",
]
MIDDLEWARE = []
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ["PLAIN_DATABASE"],
        "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE"},
        "ATOMIC_REQUESTS": True,
    }
}
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
}

if "PLAIN_CAPI" in os.environ:
    MIDDLEWARE = ["capi_django.middleware.CapiMiddleware"]
    CAPI = json.loads(os.environ["PLAIN_CAPI"])
