"""django-oscar: from the product page to the order, and the order that is cancelled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import attrs

from capi_plugins import Event, RequestContext, hookimpl
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


@hookimpl
def capi_triggers(settings: Settings) -> Sequence[Mapping[str, Any]]:
    """Offer the triggers."""
    return [
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
        {
            "ON": "signal",
            "SIGNAL": "oscar.apps.checkout.signals.start_checkout",
            "EVENT": "InitiateCheckout",
            # Who signs in on the way gets another basket, and the lines move there; see below.
            "EVENT_ID": "request.basket.all_lines.first.id",
            "USER_DATA": {"email": ["email", "request.user.email"]},
            "CUSTOM_DATA": _BASKET,
        },
        {
            "ON": "signal",
            "SIGNAL": "oscar.apps.checkout.signals.pre_payment",
            "EVENT": "AddPaymentInfo",
            "EVENT_ID": "request.basket.id",
            "USER_DATA": {"email": ["request.user.email", "view.checkout_session.get_guest_email"]},
            "CUSTOM_DATA": _BASKET,
        },
        {
            "ON": "signal",
            "SIGNAL": "oscar.apps.order.signals.order_placed",
            "EVENT": "Purchase",
            "EVENT_ID": "order.number",
            "USER_DATA": _buyer(),
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
            "USER_DATA": _buyer(),
            "CUSTOM_DATA": {**_ORDER, "status": "new_status"},
        },
        {
            "ON": "signal",
            "SIGNAL": "oscar.apps.customer.signals.user_registered",
            "EVENT": "CompleteRegistration",
            "EVENT_ID": "user.pk",
            "USER_DATA": settings.user_paths("user"),
            "CUSTOM_DATA": {"status": {"VALUE": "completed"}},
        },
    ]


def _buyer() -> dict[str, Any]:
    columns = {
        "first_name": "first_name",
        "last_name": "last_name",
        "city": "line4",
        "state": "state",
        "zip": "postcode",
        "country": "country_id",
    }
    return {
        "email": "order.email",
        "phone": "order.shipping_address.phone_number.as_e164",
        "external_id": "order.user_id",
        **{
            field: [f"order.billing_address.{column}", f"order.shipping_address.{column}"]
            for field, column in columns.items()
        },
    }


@hookimpl
def capi_enrich(event: Event, context: RequestContext) -> Event | None:
    """Complete what no path leads to: the value of an AddToCart, and which checkout it is."""
    if event.event_name == "AddToCart":
        return _with_value(event)
    if event.event_name == "InitiateCheckout":
        return _of_merged_basket(event, context.request)
    return None


def _with_value(event: Event) -> Event | None:
    """Give what was put into the basket its value: the price times the number."""
    if event.custom_data.value is not None:
        return None
    contents = event.custom_data.contents or ()
    lines = [line for line in contents if isinstance(line, Mapping)]
    if not lines:
        return None
    try:
        prices = [Decimal(line["item_price"]) * int(line["quantity"] or 1) for line in lines]
    except (ArithmeticError, KeyError, TypeError, ValueError):
        return None
    return event.fill(custom_data={"value": sum(prices, Decimal(0))})


def _of_merged_basket(event: Event, request: Any) -> Event | None:
    """Give the start of a checkout the id that it has when it is started again.

    Who signs in on the way goes on with the basket that was saved for them, whose lines come
    before those of the basket they had until then.
    """
    basket, user = getattr(request, "basket", None), getattr(request, "user", None)
    if basket is None or not getattr(user, "is_authenticated", False) or basket.owner_id:
        return None
    line = basket.all_lines().first()
    if line is None or event.event_id != f"InitiateCheckout.{line.pk}":
        return None
    saved = basket.__class__.open.filter(owner=user).first()
    first = saved.lines.first() if saved else None
    return None if first is None else attrs.evolve(event, event_id=f"InitiateCheckout.{first.pk}")
