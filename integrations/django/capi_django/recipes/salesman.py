"""django-salesman: a ``Purchase`` when an order is paid in full.

Orders of Salesman have no currency: ``CAPI["PLUGIN_OPTIONS"]["salesman"]["CURRENCY"]`` says it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings as django_settings

from capi_plugins import ConfigurationError, hookimpl
from capi_plugins.settings import Settings


@hookimpl
def capi_configure(settings: Settings) -> None:
    """Insist on a currency: Meta refuses a purchase without one.

    Raises:
        ConfigurationError: There is none.
    """
    if not _currency(settings):
        raise ConfigurationError(
            "CAPI['PLUGIN_OPTIONS']['salesman']['CURRENCY'] is required, such as 'EUR': orders of "
            "django-salesman have no currency of their own"
        )


@hookimpl
def capi_triggers(settings: Settings) -> Sequence[Mapping[str, Any]]:
    """Offer the triggers."""
    return [
        {
            "ON": "model",
            "MODEL": getattr(
                django_settings, "SALESMAN_ORDER_PAYMENT_MODEL", "salesmanorders.OrderPayment"
            ),
            "CREATED": True,
            "WHEN": {"instance.order.is_paid": True},
            "EVENT": "Purchase",
            **_order("instance.order", settings),
        },
        {
            "ON": "signal",
            "SIGNAL": "salesman.orders.signals.status_changed",
            # An order that nobody has paid was no purchase.
            "WHEN": {"new_status": ["CANCELLED", "REFUNDED"], "order.is_paid": True},
            "EVENT": "OrderCancelled",
            **_order("order", settings),
        },
    ]


def _currency(settings: Settings) -> Any:
    return settings.options_for("salesman").get("CURRENCY")


def _order(start: str, settings: Settings) -> dict[str, Any]:
    return {
        "EVENT_ID": f"{start}.ref",
        "USER_DATA": {
            "email": [f"{start}.email", f"{start}.user.email"],
            "external_id": f"{start}.user_id",
        },
        "CUSTOM_DATA": {
            "value": f"{start}.total",
            "currency": {"VALUE": _currency(settings)},
            "order_id": f"{start}.ref",
            "content_type": {"VALUE": "product"},
            "contents": {
                "EACH": f"{start}.items.all",
                "id": ["item.code", "item.product_id"],
                "quantity": "item.quantity",
                "item_price": "item.unit_price",
            },
        },
    }
