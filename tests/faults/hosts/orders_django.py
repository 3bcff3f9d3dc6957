"""A shop that takes orders in transactions, and nothing else: settings, pages and WSGI in one.

``/order/7/`` is committed, ``/order/7/?decline=1`` is rolled back.
"""

import os
import sys

from bookshop.settings import *  # noqa: F403
from django.core.wsgi import get_wsgi_application
from django.db import transaction
from django.http import HttpResponse
from django.urls import path

ROOT_URLCONF = __name__
os.environ["DJANGO_SETTINGS_MODULE"] = __name__


class DeclinedError(Exception):
    """The customer has no money."""


def order(request, number):
    """Take an order, with its lines, and tell of it."""
    from bookshop.models import Line, Order
    from bookshop.signals import order_placed

    try:
        with transaction.atomic():
            made = Order.objects.create(number=number, total=5)
            order_placed.send(sender=Order, order=made)
            Line.objects.create(order=made, sku="book")
            if "decline" in request.GET:
                raise DeclinedError  # noqa: TRY301
    except DeclinedError:
        return HttpResponse("declined", status=409)
    return HttpResponse(number)


urlpatterns = [path("order/<str:number>/", order)]
if "gunicorn" in sys.modules:
    application = get_wsgi_application()
