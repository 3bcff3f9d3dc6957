"""A shop of links, behind a login. What it says of conversions comes from PLAIN_CAPI."""

import json
import os

SECRET_KEY = "plain"
DEBUG = True
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "linkshop.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LOGIN_URL = "/join/"
SHOP_CURRENCY = "EUR"
USE_TZ = True
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "linkshop",
    "capi_django",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ["PLAIN_DATABASE"],
        "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE"},
    }
}
PAGES = {
    "page.html": "{{ object.title }} {{ order.get_total }}",
}
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "OPTIONS": {"loaders": [("django.template.loaders.locmem.Loader", PAGES)]},
    }
]

if "PLAIN_CAPI" in os.environ:
    MIDDLEWARE += ["capi_django.middleware.CapiMiddleware"]
    CAPI = json.loads(os.environ["PLAIN_CAPI"])
