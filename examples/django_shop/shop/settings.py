"""Settings of the Fernhill shop."""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

BASE_DIR = Path(__file__).resolve().parent.parent

SECRET_KEY = os.environ.get("SHOP_SECRET_KEY", "fernhill-example-not-for-production")
DEBUG = os.environ.get("SHOP_DEBUG", "") == "1"
ALLOWED_HOSTS = os.environ.get("SHOP_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]").split(",")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "catalog",
    "cart",
    "orders",
    "accounts",
    "pages",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "shop.urls"
WSGI_APPLICATION = "shop.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "cart.context_processors.cart",
                "pages.context_processors.cookie_banner",
            ],
        },
    },
]


def _database():
    """PostgreSQL when SHOP_DATABASE_URL names one, otherwise a SQLite file."""
    if url := os.environ.get("SHOP_DATABASE_URL"):
        parts = urlsplit(url)
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": parts.path.lstrip("/"),
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": parts.hostname or "",
            "PORT": parts.port or "",
        }
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("SHOP_DATABASE", BASE_DIR / "shop.sqlite3"),
        "OPTIONS": {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "accounts:login"
LOGIN_REDIRECT_URL = "catalog:home"
LOGOUT_REDIRECT_URL = "catalog:home"

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "Europe/Berlin"
USE_TZ = True

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {"shop": {"level": "INFO"}},
}

CURRENCY = "EUR"
PAYMENT_WEBHOOK_SECRET = os.environ.get("PAYMENT_WEBHOOK_SECRET", "example-webhook-secret")

# A strict policy: no script in the page without a nonce. SHOP_CSP names what else pages may reach.
if "SHOP_CSP" in os.environ:
    from csp.constants import NONCE, SELF

    MIDDLEWARE.insert(1, "csp.middleware.CSPMiddleware")
    others = os.environ["SHOP_CSP"].split()
    CONTENT_SECURITY_POLICY = {
        "DIRECTIVES": {
            "default-src": [SELF],
            "script-src": [SELF, NONCE],
            "img-src": [SELF, "data:", *others],
            "connect-src": [SELF, *others],
        }
    }


# ---- Meta Conversions API ----------------------------------------------------------------------
# Everything that this shop says about conversions. Without this block it is the same shop.

if not os.environ.get("SHOP_WITHOUT_CAPI"):
    INSTALLED_APPS += ["capi_django"]
    MIDDLEWARE += ["capi_django.middleware.CapiMiddleware"]

    CAPI = {
        "DESTINATIONS": {
            "meta": {
                "DATASET_ID": os.environ.get("CAPI_META_DATASET_ID", "1234567890"),
                "ACCESS_TOKEN": os.environ.get("CAPI_META_ACCESS_TOKEN", "sandbox-token"),
                # An example must not reach Meta by accident: without SANDBOX_URL it stays here.
                "API_URL": os.environ.get("SANDBOX_URL", "http://127.0.0.1:8900"),
            },
        },
        "CONSENT": {
            "DEFAULT": os.environ.get("SHOP_CONSENT", "denied"),
            "SOURCES": ["cookieyes"],
        },
        "PAGE_VIEW": True,
        "RECIPES": [],  # TRIGGERS says it all
        "USER_DATA": {
            "external_id": "pk",
            "email": "email",
            "first_name": "first_name",
            "last_name": "last_name",
        },
        "TRIGGERS": [
            {
                "ON": "request",
                "ROUTE": "catalog:product",
                "METHOD": "GET",
                "STATUS": 200,
                "EVENT": "ViewContent",
                "CUSTOM_DATA": {
                    "content_ids": "context.product.sku",
                    "content_type": {"VALUE": "product"},
                    "content_name": "context.product.name",
                    "content_category": "context.product.category",
                    "value": "context.product.price",
                    "currency": "context.product.currency",
                },
            },
            {
                "ON": "request",
                "ROUTE": "catalog:search",
                "METHOD": "GET",
                "STATUS": 200,
                "EVENT": "Search",
                "CUSTOM_DATA": {"search_string": "args.q"},
            },
            {
                "ON": "request",
                "ROUTE": "cart:add",
                "METHOD": "POST",
                "STATUS": 302,
                "EVENT": "AddToCart",
                "CUSTOM_DATA": {
                    "content_ids": "kwargs.sku",
                    "content_type": {"VALUE": "product"},
                },
            },
            {
                "ON": "request",
                "ROUTE": "orders:checkout",
                "METHOD": "GET",
                "STATUS": 200,
                "EVENT": "InitiateCheckout",
                "CUSTOM_DATA": {
                    "value": "context.cart.total",
                    "currency": "context.cart.currency",
                    "num_items": "context.cart.count",
                    "content_type": {"VALUE": "product"},
                    "contents": {
                        "EACH": "context.cart.lines",
                        "id": "item.product.sku",
                        "quantity": "item.quantity",
                        "item_price": "item.product.price",
                    },
                },
            },
            {
                "ON": "signal",
                "SIGNAL": "orders.signals.order_placed",
                "WHEN": {"order.paid": True},
                "EVENT": "Purchase",
                "EVENT_ID": "order.number",
                "USER_DATA": {
                    "external_id": "order.user.pk",
                    "email": ["order.email", "request.user.email"],
                    "phone": "order.phone",
                    "first_name": "order.first_name",
                    "last_name": "order.last_name",
                    "city": "order.city",
                    "state": "order.state",
                    "zip": "order.zip",
                    "country": "order.country",
                },
                "CUSTOM_DATA": {
                    "value": "order.total",
                    "currency": "order.currency",
                    "order_id": "order.number",
                    "content_type": {"VALUE": "product"},
                    "contents": {
                        "EACH": "order.lines.all",
                        "id": "item.product.sku",
                        "quantity": "item.quantity",
                        "item_price": "item.unit_price",
                    },
                },
            },
            {
                # Invoices are paid later: by the payment webhook, or by hand in the admin.
                "ON": "model",
                "MODEL": "orders.Order",
                "CHANGED": {"paid": True},
                "EVENT": "Purchase",
                "EVENT_ID": "instance.number",
                "USER_DATA": {
                    "external_id": "instance.user.pk",
                    "email": "instance.email",
                    "phone": "instance.phone",
                    "first_name": "instance.first_name",
                    "last_name": "instance.last_name",
                    "city": "instance.city",
                    "state": "instance.state",
                    "zip": "instance.zip",
                    "country": "instance.country",
                },
                "CUSTOM_DATA": {
                    "value": "instance.total",
                    "currency": "instance.currency",
                    "order_id": "instance.number",
                    "content_type": {"VALUE": "product"},
                    "contents": {
                        "EACH": "instance.lines.all",
                        "id": "item.product.sku",
                        "quantity": "item.quantity",
                        "item_price": "item.unit_price",
                    },
                },
            },
            {
                "ON": "signal",
                "SIGNAL": "accounts.signals.user_registered",
                "EVENT": "CompleteRegistration",
                "EVENT_ID": "user.pk",
                "USER_DATA": {
                    "external_id": "user.pk",
                    "email": "user.email",
                    "first_name": "user.first_name",
                    "last_name": "user.last_name",
                },
            },
            {
                "ON": "request",
                "ROUTE": "pages:contact",
                "METHOD": "POST",
                "STATUS": 302,
                "EVENT": "Lead",
                "USER_DATA": {"email": "form.email", "phone": "form.phone"},
            },
        ],
        "BROWSER": {
            "PIXEL": os.environ.get("SHOP_PIXEL") == "1",
            "COLLECT": os.environ.get("SHOP_COLLECT") == "1",
        },
        "DELIVERY": {"OUTBOX": os.environ.get("SHOP_OUTBOX", "memory")},
        "TRUSTED_PROXIES": int(os.environ.get("SHOP_TRUSTED_PROXIES", "0")),
    }
