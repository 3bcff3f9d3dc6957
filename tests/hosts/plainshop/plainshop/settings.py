"""A shop that sends no signal of its own. What it says of conversions comes from PLAIN_CAPI."""

import json
import os

SECRET_KEY = "plain"
DEBUG = True
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "plainshop.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SHOP_CURRENCY = "EUR"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "plainshop",
    "capi_django",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["PLAIN_DATABASE"]}
}
PAGES = {
    "product.html": "<h1>{{ item.title }}</h1>",
    "list.html": "{% for found in results %}{{ found.title }}{% endfor %}",
    "cart.html": "{{ cart.get_total_price }}",
    "checkout.html": "{{ cart.get_total_price }}",
    "pay.html": "{{ order.total }}",
    "done.html": "Thank you, {{ order.email }}!",
    "form.html": "{{ form }}",
}
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "OPTIONS": {
            "loaders": [("django.template.loaders.locmem.Loader", PAGES)],
            "context_processors": ["django.template.context_processors.request"],
        },
    }
]

if "PLAIN_CAPI" in os.environ:
    MIDDLEWARE += ["capi_django.middleware.CapiMiddleware"]
    CAPI = json.loads(os.environ["PLAIN_CAPI"])
