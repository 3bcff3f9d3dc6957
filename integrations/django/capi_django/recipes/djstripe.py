"""dj-stripe: what Stripe's webhooks tell of payments, in the smallest unit of each currency."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from capi_django.recipes import counts_payments
from capi_plugins import Find, hookimpl
from capi_plugins.settings import Settings

_OBJECT = "event.data.object"
# Stripe calls again for three days when it is not answered.
_WHEN = "event.created"


@hookimpl
def capi_triggers(settings: Settings) -> Sequence[Mapping[str, Any]]:
    """Offer the triggers."""
    if not counts_payments(settings):
        return []
    session = {
        "ON": "signal",
        "WHEN": {
            f"{_OBJECT}.mode": "payment",
            f"{_OBJECT}.payment_status": "paid",
            # That would be counted twice.
            f"{_OBJECT}.invoice": {"EMPTY": True},
        },
        "EVENT": "Purchase",
        "EVENT_ID": f"{_OBJECT}.id",
        "EVENT_TIME": _WHEN,
        "USER_DATA": _person("customer_details."),
        "CUSTOM_DATA": {
            **_money(f"{_OBJECT}.amount_total"),
            "order_id": [f"{_OBJECT}.client_reference_id", f"{_OBJECT}.id"],
        },
    }
    return [
        {
            "ON": "signal",
            "SIGNAL": _signal("invoice.paid"),
            # A trial begins with an invoice of nothing.
            "WHEN": {f"{_OBJECT}.amount_paid": {"NOT": 0}},
            "EVENT": "Purchase",
            "EVENT_ID": f"{_OBJECT}.id",
            "EVENT_TIME": _WHEN,
            "USER_DATA": _person("customer_"),
            "CUSTOM_DATA": {**_money(f"{_OBJECT}.amount_paid"), "order_id": f"{_OBJECT}.id"},
        },
        {**session, "SIGNAL": _signal("checkout.session.completed")},
        {**session, "SIGNAL": _signal("checkout.session.async_payment_succeeded")},
        {
            "ON": "signal",
            "SIGNAL": _signal("charge.refunded"),
            "EVENT": "Refund",
            "EVENT_ID": "event.id",
            "EVENT_TIME": _WHEN,
            "USER_DATA": _person("billing_details."),
            "CUSTOM_DATA": {
                **_money(_given_back),
                "order_id": [f"{_OBJECT}.invoice", f"{_OBJECT}.payment_intent", f"{_OBJECT}.id"],
            },
        },
    ]


def _signal(name: str) -> str:
    return f'djstripe.signals.WEBHOOK_SIGNALS["{name}"]'


def _given_back(find: Find) -> Any:
    """Find what was given back this time: the charge has the sum of all times."""
    before = find("event.data.previous_attributes.amount_refunded")
    return find(f"{_OBJECT}.amount_refunded") - (before or 0)


def _money(amount: str | Callable[[Find], Any]) -> dict[str, Any]:
    return {
        "value": {
            "PATH": amount,
            "AS": "minor_units",
            "CURRENCY": f"{_OBJECT}.currency",
        },
        "currency": f"{_OBJECT}.currency",
    }


def _person(prefix: str) -> dict[str, Any]:
    start = f"{_OBJECT}.{prefix}"
    return {
        "email": f"{start}email",
        "phone": f"{start}phone",
        # Of a whole name only the first word is sure to be a first name.
        "first_name": f"{start}name.split.0",
        "city": f"{start}address.city",
        "state": f"{start}address.state",
        "zip": f"{start}address.postal_code",
        "country": f"{start}address.country",
    }
