"""What ought to arrive at the Conversions API because somebody shopped."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from .shopper import Order, Product, Shopper

EVENT_NAMES = (
    "PageView",
    "ViewContent",
    "Search",
    "AddToCart",
    "InitiateCheckout",
    "Purchase",
    "CompleteRegistration",
    "Lead",
)
# What is known of everybody who came from an advertisement and accepted cookies.
VISITOR_KEYS = ("client_user_agent", "fbc")
NAME_KEYS = ("email", "first_name", "last_name")
BUYER_KEYS = (*VISITOR_KEYS, *NAME_KEYS, "phone", "city", "zip", "country")


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What ought to arrive of one event name because of one journey.

    Attributes:
        event_name: Meta's name of the event.
        count: How many such events, after deduplication by event_id. 0: none may arrive.
        value: custom_data.value of each, or None where the event has no value.
        currency: custom_data.currency of each, or None.
        content_ids: The product ids of each, in content_ids or contents, or empty.
        order_id: custom_data.order_id, or None.
        match_keys: Neutral names of the user_data fields that must be there (there may be more).
    """

    event_name: str
    count: int
    value: Decimal | None = None
    currency: str | None = None
    content_ids: tuple[str, ...] = ()
    order_id: str | None = None
    match_keys: tuple[str, ...] = ()


def views(shopper: Shopper) -> Expectation:
    return Expectation(event_name="PageView", count=shopper.pages, match_keys=VISITOR_KEYS)


def viewed(product: Product, keys: tuple[str, ...] = VISITOR_KEYS) -> Expectation:
    return Expectation(
        event_name="ViewContent",
        count=1,
        value=product.price,
        currency=product.currency,
        content_ids=(product.sku,),
        match_keys=keys,
    )


def added(product: Product, keys: tuple[str, ...] = VISITOR_KEYS) -> Expectation:
    return Expectation(event_name="AddToCart", count=1, content_ids=(product.sku,), match_keys=keys)


def checkout(
    product: Product, quantity: int = 1, keys: tuple[str, ...] = VISITOR_KEYS
) -> Expectation:
    return Expectation(
        event_name="InitiateCheckout",
        count=1,
        value=product.price * quantity,
        currency=product.currency,
        content_ids=(product.sku,),
        match_keys=keys,
    )


def purchase(order: Order, product: Product, *more_keys: str) -> Expectation:
    return Expectation(
        event_name="Purchase",
        count=1,
        value=order.total,
        currency=order.currency,
        content_ids=(product.sku,),
        order_id=order.number,
        match_keys=(*BUYER_KEYS, *more_keys),
    )


def nothing_else(expected: list[Expectation]) -> list[Expectation]:
    """The same, and none of the events that were not named."""
    named = {expectation.event_name for expectation in expected}
    others = (name for name in EVENT_NAMES if name not in named)
    return expected + [Expectation(event_name=name, count=0) for name in others]
