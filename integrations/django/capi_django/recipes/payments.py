"""django-payments: a ``Purchase`` when a payment is confirmed, whichever provider it came by.

A payment that is given back is a ``Refund``. One that was reserved and is released has the same
status and the same signal, and was no purchase; what it was before tells them apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.conf import settings as django_settings

from capi_django.recipes import counts_payments
from capi_plugins import Find, hookimpl
from capi_plugins.settings import Settings

_PAYMENT = {
    # Not the number of the row: an order may have the same.
    "EVENT_ID": "instance.token",
    "USER_DATA": {
        "email": "instance.billing_email",
        "phone": "instance.billing_phone.as_e164",
        "first_name": "instance.billing_first_name",
        "last_name": "instance.billing_last_name",
        "city": "instance.billing_city",
        "state": "instance.billing_country_area",
        "zip": "instance.billing_postcode",
        "country": "instance.billing_country_code",
        "client_ip_address": "instance.customer_ip_address",
    },
}
_MONEY = {"currency": "instance.currency", "order_id": "instance.token"}


@hookimpl
def capi_triggers(settings: Settings) -> Sequence[Mapping[str, Any]]:
    """Offer the triggers."""
    if not counts_payments(settings):
        return []
    taken = {
        **_PAYMENT,
        "ON": "signal",
        "SIGNAL": "payments.signals.status_changed",
        "WHEN": {"instance.status": "confirmed"},
        "EVENT": "Purchase",
        "CUSTOM_DATA": {"value": _taken, **_MONEY},
    }
    model = getattr(django_settings, "PAYMENT_MODEL", None)
    if model is None:
        return [taken]
    given_back = {
        **_PAYMENT,
        "ON": "model",
        "MODEL": model,
        "CHANGED": {"status": "refunded"},
        # The row keeps nothing of what had been taken. Naming it has it read beforehand.
        "WHEN": {"old.status": "confirmed", "old.captured_amount": {"EMPTY": False}},
        "EVENT": "Refund",
        "CUSTOM_DATA": {"value": _given_back, **_MONEY},
    }
    return [taken, given_back]


def _taken(find: Find) -> Any:
    """Find what was taken of the payer, which may be less than was reserved."""
    return _amount(find("instance.captured_amount"), find)


def _given_back(find: Find) -> Any:
    """Find what had been taken and was not given back before."""
    return _amount(find("old.captured_amount"), find)


def _amount(captured: Any, find: Find) -> Any:
    # Not every provider says it.
    return captured if Decimal(captured) > 0 else find("instance.total")
