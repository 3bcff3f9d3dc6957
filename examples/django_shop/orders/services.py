from django.db import transaction

from . import payments
from .models import Order, OrderLine
from .signals import order_placed


def place_order(request, order, cart, card_number=None):
    """Save the order with its lines and charge the card: all of it, or nothing.

    Without a card the order stays unpaid until its invoice is settled.
    """
    with transaction.atomic():
        order.user = request.user if request.user.is_authenticated else None
        order.currency = cart.currency
        order.total = cart.total
        order.save()
        order_placed.send(sender=Order, order=order, request=request)
        OrderLine.objects.bulk_create(
            OrderLine(
                order=order,
                product=line.product,
                quantity=line.quantity,
                unit_price=line.product.price,
            )
            for line in cart.lines
        )
        if card_number:
            payments.charge(card_number, order.total, order.currency)
            order.mark_paid()
    return order
