"""django-oscar: from the product page to the order, and the order that is cancelled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from capi_plugins import Find, hookimpl
from capi_plugins.settings import Settings

_PRODUCT = {"VALUE": "product"}
# Where taxes are known from the address on only, there is no price with tax before.
_BASKET = {
    "value": ["request.basket.total_incl_tax", "request.basket.total_excl_tax"],
    "currency": "request.basket.currency",
    "num_items": "request.basket.num_items",
    "content_type": _PRODUCT,
    "contents": {
        "EACH": "request.basket.all_lines",
        "id": "item.product_id",
        "quantity": "item.quantity",
        "item_price": ["item.unit_price_incl_tax", "item.unit_price_excl_tax"],
    },
}
_ORDER = {
    "value": "order.total_incl_tax",
    "currency": "order.currency",
    "order_id": "order.number",
}


def _worth(find: Find) -> Decimal:
    """Find the value of what was put into the basket: the price times the number."""
    price = find("sender.line.unit_price_incl_tax") or find("sender.line.unit_price_excl_tax")
    return Decimal(price) * int(find("form.quantity") or 1)


def _which_checkout(find: Find) -> int | None:
    """Find which checkout it is: the first line of the basket, which keeps its number.

    Who signs in on the way goes on with the basket that was saved for them, whose lines come
    before those of the basket they had until then.
    """
    basket, user = find("request.basket"), find("request.user")
    line = basket.all_lines().first()
    if line and user.is_authenticated and not basket.owner_id:
        saved = basket.__class__.open.filter(owner=user).first()
        line = (saved and saved.lines.first()) or line
    return line.pk if line else None


_BROWSING: list[dict[str, Any]] = [
    {
        "ON": "signal",
        "SIGNAL": "oscar.apps.catalogue.signals.product_viewed",
        "EVENT": "ViewContent",
        "CUSTOM_DATA": {
            # A product with variants has its prices on these.
            "value": [
                "product.stockrecords.first.price",
                "product.children.first.stockrecords.first.price",
            ],
            "currency": [
                "product.stockrecords.first.price_currency",
                "product.children.first.stockrecords.first.price_currency",
            ],
            "content_ids": "product.id",
            "content_name": "product.get_title",
            "content_type": _PRODUCT,
        },
    },
    {
        "ON": "signal",
        "SIGNAL": "oscar.apps.search.signals.user_search",
        # The page asks without words too, and once more for every further page.
        "WHEN": {"query": {"EMPTY": False}, "args.page": [{"EMPTY": True}, "1"]},
        "EVENT": "Search",
        "CUSTOM_DATA": {"search_string": "query"},
    },
    {
        "ON": "signal",
        "SIGNAL": "oscar.apps.basket.signals.basket_addition",
        "EVENT": "AddToCart",
        "CUSTOM_DATA": {
            "value": _worth,
            "currency": "sender.line.price_currency",
            "content_name": "product.get_title",
            "content_type": _PRODUCT,
            "contents": [
                {
                    "id": "product.id",
                    # The line has what was in the basket before as well.
                    "quantity": "form.quantity",
                    "item_price": [
                        "sender.line.unit_price_incl_tax",
                        "sender.line.unit_price_excl_tax",
                    ],
                }
            ],
        },
    },
]
_START = {
    "ON": "signal",
    "SIGNAL": "oscar.apps.checkout.signals.start_checkout",
    "EVENT": "InitiateCheckout",
    "EVENT_ID": _which_checkout,
    "USER_DATA": {"email": ["email", "request.user.email"]},
    "CUSTOM_DATA": _BASKET,
}
_CHECKOUT: list[dict[str, Any]] = [
    {**_START, "WHEN": {"email": {"EMPTY": False}}},
    # A guest who has started it and signs in goes on with it, in whichever basket.
    {
        **_START,
        "WHEN": {
            "email": {"EMPTY": True},
            "session.checkout_data.guest.email": {"EMPTY": True},
        },
    },
    {
        "ON": "signal",
        "SIGNAL": "oscar.apps.checkout.signals.pre_payment",
        "EVENT": "AddPaymentInfo",
        "EVENT_ID": "request.basket.id",
        "USER_DATA": {
            "email": [
                "request.user.email",
                "view.checkout_session.get_guest_email",
                # Where nobody is sent away to pay, the session is empty by the end.
                "request.basket.order_set.first.email",
            ]
        },
        "CUSTOM_DATA": _BASKET,
    },
]
_NAMES_AND_PLACES = {
    "first_name": "first_name",
    "last_name": "last_name",
    "city": "line4",
    "state": "state",
    "zip": "postcode",
    "country": "country_id",
}
_BUYER = {
    "email": "order.email",
    "phone": "order.shipping_address.phone_number.as_e164",
    "external_id": "order.user_id",
    **{
        field: [f"order.billing_address.{column}", f"order.shipping_address.{column}"]
        for field, column in _NAMES_AND_PLACES.items()
    },
}
_ORDERS: list[dict[str, Any]] = [
    {
        "ON": "signal",
        "SIGNAL": "oscar.apps.order.signals.order_placed",
        "EVENT": "Purchase",
        "EVENT_ID": "order.number",
        "USER_DATA": _BUYER,
        "CUSTOM_DATA": {
            **_ORDER,
            "num_items": "order.num_items",
            "content_type": _PRODUCT,
            "contents": {
                "EACH": "order.lines.all",
                "id": "item.product_id",
                "quantity": "item.quantity",
                "item_price": "item.unit_price_incl_tax",
            },
        },
    },
    {
        "ON": "signal",
        "SIGNAL": "oscar.apps.order.signals.order_status_changed",
        "WHEN": {"new_status": ["Cancelled", "Canceled", "Refunded"]},
        "EVENT": "OrderCancelled",
        "EVENT_ID": "order.number",
        "USER_DATA": _BUYER,
        "CUSTOM_DATA": {**_ORDER, "status": "new_status"},
    },
]


@hookimpl
def capi_triggers(settings: Settings) -> Sequence[Mapping[str, Any]]:
    """Offer the triggers."""
    return [
        *_BROWSING,
        *_CHECKOUT,
        *_ORDERS,
        {
            "ON": "signal",
            "SIGNAL": "oscar.apps.customer.signals.user_registered",
            "EVENT": "CompleteRegistration",
            "EVENT_ID": "user.pk",
            "USER_DATA": settings.user_paths("user"),
            "CUSTOM_DATA": {"status": {"VALUE": "completed"}},
        },
    ]
