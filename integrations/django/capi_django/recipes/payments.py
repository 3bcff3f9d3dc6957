"""django-payments: a ``Purchase`` when a payment is confirmed, whichever provider it came by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from capi_django.recipes import counts_payments
from capi_plugins import hookimpl
from capi_plugins.settings import Settings

_PAYMENT = {
    "ON": "signal",
    "SIGNAL": "payments.signals.status_changed",
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
    "CUSTOM_DATA": {
        "value": "instance.total",
        "currency": "instance.currency",
        "order_id": "instance.token",
    },
}


@hookimpl
def capi_triggers(settings: Settings) -> Sequence[Mapping[str, Any]]:
    """Offer the triggers."""
    if not counts_payments(settings):
        return []
    return [
        {**_PAYMENT, "WHEN": {"instance.status": "confirmed"}, "EVENT": "Purchase"},
        {**_PAYMENT, "WHEN": {"instance.status": "refunded"}, "EVENT": "Refund"},
    ]
