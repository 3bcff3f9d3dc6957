"""The shop's Celery: ``celery -A bookshop.tasks worker``."""

import os

import django
from celery import Celery

django.setup()

from bookshop.models import Order  # noqa: E402 - Django comes first

app = Celery("bookshop", broker="filesystem://")
folder = os.environ.get("BOOKSHOP_BROKER", ".")
app.conf.broker_transport_options = {
    "data_folder_in": folder,
    "data_folder_out": folder,
    "control_folder": folder,
}


@app.task
def pay(number):
    """Take the money for an order."""
    order = Order.objects.get(number=number)
    order.paid = True
    order.save()
