"""A shop whose outbox is in one of three databases, and what its tests do with it."""

from __future__ import annotations

import contextlib
import json
import time

from bookshop.models import Order
from bookshop.signals import order_placed
from capi_django.models import WaitingDelivery
from capi_django.outbox import DatabaseOutbox
from django.db import transaction

from capi_plugins.outbox.base import Delivery
from tests.on_django.conftest import Wire

VISITOR = {"external_id": "42"}


PURCHASE = {
    "ON": "signal",
    "SIGNAL": "bookshop.signals.order_placed",
    "EVENT": "Purchase",
    "EVENT_ID": "order.number",
    "USER_DATA": {"external_id": {"VALUE": "42"}},
    "CUSTOM_DATA": {
        "value": "order.total",
        "currency": {"VALUE": "EUR"},
        "contents": {"EACH": "order.lines.all", "id": "item.sku"},
    },
}


PAID = {
    "ON": "model",
    "MODEL": "bookshop.Order",
    "CHANGED": {"paid": True},
    "EVENT": "Lead",
    "USER_DATA": {"external_id": {"VALUE": "42"}},
}


class Shop:
    """A shop whose outbox is in a database; nobody sends until a test does."""

    def __init__(self, tables, configure):
        self.alias = tables.alias
        self.settings = tables.settings
        self._configure = configure
        self.configure(PURCHASE)

    def configure(self, *triggers, plugins=(), **delivery):
        delivery = {"OUTBOX": "database", "DATABASE": self.alias, "WORKER": "external", **delivery}
        self._configure(*triggers, PLUGINS=[Wire(), *plugins], DELIVERY=delivery)

    def order(self, number="1", **fields):
        order = Order.objects.using(self.alias).create(number=number, **fields)
        order_placed.send(sender=Order, order=order)
        return order

    @property
    def rows(self):
        return list(WaitingDelivery.objects.using(self.alias).order_by("id"))

    @property
    def payloads(self):
        return [json.loads(bytes(row.payload)) for row in self.rows]

    @property
    def ids(self):
        return [row.event_id for row in self.rows]

    @property
    def due(self):
        return [row.due == 0 for row in self.rows]


@contextlib.contextmanager
def rolled_back(using):
    with contextlib.suppress(ZeroDivisionError), transaction.atomic(using=using):
        yield
        raise ZeroDivisionError


def relay(alias, **options):
    return DatabaseOutbox(alias, **options)


def take(outbox, *, after=0.0, limit=1000):
    return outbox.take("meta", limit=limit, max_bytes=10_000_000, now=time.time() + after)


def bare_delivery(event):
    return Delivery(
        destination="meta", event_name=event.event_name, event_id=event.event_id, payload=b"{}"
    )
