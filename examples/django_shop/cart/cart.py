from dataclasses import dataclass
from decimal import Decimal

from catalog.models import Product
from django.conf import settings
from django.utils.functional import cached_property

SESSION_KEY = "cart"


@dataclass
class CartLine:
    product: Product
    quantity: int

    @property
    def total(self):
        return self.product.price * self.quantity


class Cart:
    """The shopper's cart, kept in the session as {sku: quantity}."""

    currency = settings.CURRENCY

    def __init__(self, session):
        self.session = session
        self.quantities = session.get(SESSION_KEY, {})

    def add(self, product, quantity=1):
        self.quantities[product.sku] = self.quantities.get(product.sku, 0) + quantity
        self._save()

    def remove(self, product):
        self.quantities.pop(product.sku, None)
        self._save()

    def clear(self):
        self.quantities = {}
        self._save()

    @cached_property
    def lines(self):
        products = Product.objects.filter(sku__in=self.quantities)
        return [CartLine(product, self.quantities[product.sku]) for product in products]

    @property
    def count(self):
        return sum(self.quantities.values())

    @property
    def total(self):
        return sum((line.total for line in self.lines), Decimal("0.00"))

    def _save(self):
        self.session[SESSION_KEY] = self.quantities
        self.__dict__.pop("lines", None)
