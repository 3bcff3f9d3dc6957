"""A shop with django-salesman: its interface is an API."""

import with_capi
from plain import *  # noqa: F403
from plain import INSTALLED_APPS

INSTALLED_APPS = [
    *INSTALLED_APPS,
    "rest_framework",
    "salesman.core",
    "salesman.basket",
    "salesman.checkout",
    "salesman.orders",
    "shop",
]
SALESMAN_PRODUCT_TYPES = {"shop.Book": "shop.serializers.BookSerializer"}
SALESMAN_PAYMENT_METHODS = ["shop.payment.Card", "shop.payment.OnDelivery"]

with_capi.add(globals(), PLUGIN_OPTIONS={"salesman": {"CURRENCY": "EUR"}})
