"""Prices without tax: it is known when the address is."""

from oscar.apps.partner.strategy import *  # noqa: F403
from oscar.apps.partner.strategy import US


class Selector:
    def strategy(self, request=None, user=None, **kwargs):
        return US(request)
