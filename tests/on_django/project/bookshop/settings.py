"""Settings of the bookshop; the environment says which variation of it runs."""

import json
import os
from pathlib import Path

import psycopg
import pymysql

pymysql.install_as_MySQLdb()

HERE = Path(__file__).resolve().parent

SECRET_KEY = "a bookshop for tests"
DEBUG = os.environ.get("BOOKSHOP_DEBUG") == "1"
ALLOWED_HOSTS = ["testserver", "127.0.0.1", "localhost", "shop.example"]
USE_TZ = True
ROOT_URLCONF = "bookshop.urls"
WSGI_APPLICATION = "bookshop.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "bookshop",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "bookshop.views.shop_name",
            ]
        },
    }
]
STATIC_URL = "static/"


def _postgres_is_there():
    try:
        psycopg.connect("host=127.0.0.1 user=postgres dbname=postgres", connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("BOOKSHOP_DATABASE", ":memory:"),
    },
}
if "BOOKSHOP_DATABASES" in os.environ:
    DATABASES = json.loads(os.environ["BOOKSHOP_DATABASES"])
elif "BOOKSHOP_DATABASE" in os.environ:
    DATABASES["default"]["OPTIONS"] = {"timeout": 20, "transaction_mode": "IMMEDIATE"}
else:
    DATABASES["second"] = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
    if _postgres_is_there():
        DATABASES["postgres"] = {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": "127.0.0.1",
            "USER": "postgres",
            "NAME": "postgres",
            "TEST": {"NAME": f"capi_django_{os.getpid()}"},
        }

if os.environ.get("BOOKSHOP_WITHOUT_CAPI") != "1":
    INSTALLED_APPS += ["capi_django"]
    MIDDLEWARE += ["capi_django.middleware.CapiMiddleware"]
    # json: a subprocess is told by its environment what to configure.
    CAPI = json.loads(os.environ.get("BOOKSHOP_CAPI", "{}"))

if "BOOKSHOP_TASKS" in os.environ:
    INSTALLED_APPS += ["django_tasks_db"]
    TASKS = json.loads(os.environ["BOOKSHOP_TASKS"])
