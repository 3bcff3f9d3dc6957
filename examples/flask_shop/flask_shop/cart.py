from dataclasses import dataclass
from decimal import Decimal

from flask import current_app, session
from sqlalchemy import select

from .extensions import db
from .models import Product


@dataclass
class CartLine:
    product: Product
    quantity: int

    @property
    def total(self):
        return self.product.price * self.quantity


class Cart:
    """The shopper's cart, kept in the session as {sku: quantity}."""

    def __init__(self):
        self.quantities = session.get("cart", {})
        self.currency = current_app.config["CURRENCY"]

    def add(self, product, quantity=1):
        quantity += self.quantities.get(product.sku, 0)
        session["cart"] = self.quantities = {**self.quantities, product.sku: quantity}

    def remove(self, product):
        rest = {sku: count for sku, count in self.quantities.items() if sku != product.sku}
        session["cart"] = self.quantities = rest

    def clear(self):
        session["cart"] = self.quantities = {}

    @property
    def lines(self):
        query = (
            select(Product)
            .where(Product.sku.in_(self.quantities))
            .order_by(Product.category, Product.name)
        )
        return [
            CartLine(product, self.quantities[product.sku]) for product in db.session.scalars(query)
        ]

    @property
    def count(self):
        return sum(self.quantities.values())

    @property
    def total(self):
        return sum((line.total for line in self.lines), Decimal("0.00"))


def template_context():
    return {"cart": Cart()}
