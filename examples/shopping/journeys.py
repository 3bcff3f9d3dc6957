"""What people do in a shop: each journey takes a fresh shopper and returns what to expect."""

from __future__ import annotations

from collections.abc import Callable

from .expectations import (
    NAME_KEYS,
    VISITOR_KEYS,
    Expectation,
    added,
    checkout,
    nothing_else,
    purchase,
    viewed,
    views,
)
from .shopper import BROKEN_CARD, DECLINED_CARD, Product, Shopper


def buy(shopper: Shopper) -> list[Expectation]:
    """A guest arrives from an advertisement, looks around, searches and buys two of a thing."""
    shopper.answer_banner("accept")
    shopper.search("garden")
    product = shopper.view(1)
    order = shopper.order(product, 2)
    return nothing_else(
        [
            views(shopper),
            Expectation(event_name="Search", count=1, match_keys=VISITOR_KEYS),
            viewed(product),
            added(product),
            checkout(product, 2),
            purchase(order, product),
        ]
    )


def register_and_buy(shopper: Shopper) -> list[Expectation]:
    """Somebody opens an account and buys signed in."""
    shopper.answer_banner("accept")
    shopper.register()
    product = shopper.view(2)
    order = shopper.order(product)
    signed_in = (*VISITOR_KEYS, *NAME_KEYS, "external_id")
    return nothing_else(
        [
            views(shopper),
            Expectation(event_name="CompleteRegistration", count=1, match_keys=signed_in),
            viewed(product, signed_in),
            added(product, signed_in),
            checkout(product, keys=signed_in),
            purchase(order, product, "external_id"),
        ]
    )


def refuse(shopper: Shopper) -> list[Expectation]:
    """Somebody refuses, then does everything there is to do. Nothing may arrive, then or later."""
    shopper.answer_banner("refuse")
    shopper.search("garden")
    shopper.write()
    shopper.register()
    product = shopper.view(0)
    shopper.order(product)
    later = shopper.order(product, payment="invoice")
    shopper.settle_invoice(later.number)
    return nothing_else([])


def rolls_back(shopper: Shopper) -> list[Expectation]:
    """The card is declined after the order was saved: the shop takes it back, politely."""
    shopper.answer_banner("accept")
    product = shopper.view(3)
    shopper.add_to_cart(product)
    shopper.check_out(card=DECLINED_CARD, expect=402)
    return _up_to_checkout(shopper, product)


def crashes(shopper: Shopper) -> list[Expectation]:
    """The payment breaks after the order was saved, and the shop answers with an error."""
    shopper.answer_banner("accept")
    product = shopper.view(4)
    shopper.add_to_cart(product)
    shopper.check_out(card=BROKEN_CARD, expect=500)
    return _up_to_checkout(shopper, product)


def pays_later(shopper: Shopper) -> list[Expectation]:
    """Bought on invoice; the payment provider reports the money, three times as providers do.

    The purchase happens in the provider's request. It is the shopper's all the same: with the
    browser, the click and the consent of the request that placed the order.
    """
    shopper.answer_banner("accept")
    product = shopper.view(5)
    order = shopper.order(product, payment="invoice")
    shopper.settle_invoice(order.number, times=3)
    return _up_to_checkout(shopper, product, purchase(order, product))


def lead(shopper: Shopper) -> list[Expectation]:
    """Somebody writes to the shop."""
    shopper.answer_banner("accept")
    shopper.write()
    keys = (*VISITOR_KEYS, "email", "phone")
    return nothing_else([views(shopper), Expectation(event_name="Lead", count=1, match_keys=keys)])


def reload_thanks(shopper: Shopper) -> list[Expectation]:
    """The thank-you page is reloaded twice: it is still one purchase."""
    shopper.answer_banner("accept")
    product = shopper.view(6)
    order = shopper.order(product)
    for _ in range(2):
        shopper.open(f"/thanks/{order.number}/")
    return _up_to_checkout(shopper, product, purchase(order, product))


def _up_to_checkout(shopper: Shopper, product: Product, *then: Expectation) -> list[Expectation]:
    return nothing_else([views(shopper), viewed(product), added(product), checkout(product), *then])


JOURNEYS: dict[str, Callable[[Shopper], list[Expectation]]] = {
    "buy": buy,
    "register_and_buy": register_and_buy,
    "refuse": refuse,
    "rolls_back": rolls_back,
    "crashes": crashes,
    "pays_later": pays_later,
    "lead": lead,
    "reload_thanks": reload_thanks,
}
