import logging

from django.db import transaction
from django.dispatch import receiver

from .signals import order_placed

logger = logging.getLogger("shop.orders")


@receiver(order_placed)
def tell_the_warehouse(sender, order, **kwargs):
    transaction.on_commit(lambda: logger.info("Order %s is ready to be packed", order.number))
