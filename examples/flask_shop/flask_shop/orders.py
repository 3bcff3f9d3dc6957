from flask import current_app
from flask_login import current_user

from . import payments
from .extensions import db
from .models import Order, OrderLine
from .signals import order_placed


def place_order(details, cart, card_number=None):
    """Save the order with its lines and charge the card: all of it, or nothing.

    Without a card the order stays unpaid until its invoice is settled.
    """
    order = Order(**details, currency=cart.currency, total=cart.total)
    if current_user.is_authenticated:
        order.user_id = current_user.id
    db.session.add(order)
    db.session.flush()
    order_placed.send(current_app._get_current_object(), order=order)
    for line in cart.lines:
        db.session.add(
            OrderLine(
                order_id=order.id,
                product_id=line.product.id,
                quantity=line.quantity,
                unit_price=line.product.price,
            )
        )
    if card_number:
        db.session.flush()
        payments.charge(card_number, order.total, order.currency)
        order.paid = True
    db.session.commit()
    return order
