"""A shop with django-oscar, as its documentation sets one up."""

import os

import oscar
from oscar.defaults import *  # noqa: F403
from plain import *  # noqa: F403
from plain import DATABASES, LOGGING, MIDDLEWARE, TEMPLATES

INSTALLED_APPS = list(oscar.INSTALLED_APPS)
MIDDLEWARE = [
    *MIDDLEWARE,
    "oscar.apps.basket.middleware.BasketMiddleware",
    "django.contrib.flatpages.middleware.FlatpageFallbackMiddleware",
]
AUTHENTICATION_BACKENDS = [
    "oscar.apps.customer.auth_backends.EmailBackend",
    "django.contrib.auth.backends.ModelBackend",
]
TEMPLATES[0]["OPTIONS"]["context_processors"] += [
    "oscar.apps.search.context_processors.search_form",
    "oscar.apps.checkout.context_processors.checkout",
    "oscar.apps.communication.notifications.context_processors.notifications",
    "oscar.core.context_processors.metadata",
]
HAYSTACK_CONNECTIONS = {"default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}}
LOGGING["loggers"] = {"oscar.thumbnail": {"level": "CRITICAL"}}  # there are no images
OSCAR_ALLOW_ANON_CHECKOUT = True
OSCAR_INITIAL_ORDER_STATUS = "Pending"
OSCAR_INITIAL_LINE_STATUS = "Pending"
OSCAR_ORDER_STATUS_PIPELINE = {
    "Pending": ("Processed", "Cancelled"),
    "Processed": (),
    "Cancelled": (),
}

if os.environ.get("HOST_VARIANT") == "atomic":
    DATABASES["default"]["ATOMIC_REQUESTS"] = True
if os.environ.get("HOST_VARIANT") == "american":
    INSTALLED_APPS[INSTALLED_APPS.index("oscar.apps.partner.apps.PartnerConfig")] = (
        "american.partner.apps.PartnerConfig"
    )

if os.environ["HOST_CAPI"] != "off":
    INSTALLED_APPS += ["capi_django"]
    MIDDLEWARE += ["capi_django.middleware.CapiMiddleware"]
    CAPI = {
        "DESTINATIONS": {
            "meta": {
                "DATASET_ID": "1234567890",
                "ACCESS_TOKEN": "test-token",
                "API_URL": os.environ["SANDBOX_URL"],
            }
        },
        "CONSENT": {"DEFAULT": "denied", "SOURCES": ["cookieyes"]},
    }
    if os.environ["HOST_CAPI"] in {"hooks", "store"}:
        import sabotage

        CAPI |= getattr(sabotage, os.environ["HOST_CAPI"].upper())
    if os.environ["HOST_CAPI"] == "hold":
        CAPI["CONSENT"]["DEFAULT"] = "hold"
        CAPI["BROWSER"] = {"PIXEL": True}
