"""dj-stripe: what Stripe's webhooks tell of payments, in the smallest unit of each currency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import attrs

from capi_django.recipes import counts_payments
from capi_plugins import Event, hookimpl
from capi_plugins.settings import Settings

_OBJECT = "event.data.object"
# Stripe calls again for three days when it is not answered.
_WHEN = "event.created"
# Where others have hundredths. Source: Stripe's page *Supported currencies*.
_NO_DECIMALS = "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF"
_THREE_DECIMALS = "BHD JOD KWD OMR TND"
_DECIMALS = {
    **dict.fromkeys(_NO_DECIMALS.split(), 0),
    **dict.fromkeys(_THREE_DECIMALS.split(), 3),
}
_SMALLEST = "in_smallest_unit"


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
            **_money("amount_total"),
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
            "CUSTOM_DATA": {**_money("amount_paid"), "order_id": f"{_OBJECT}.id"},
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
                **_money("amount_refunded"),
                "order_id": [f"{_OBJECT}.invoice", f"{_OBJECT}.payment_intent", f"{_OBJECT}.id"],
            },
        },
    ]


@hookimpl
def capi_enrich(event: Event) -> Event | None:
    """Turn an amount in the smallest unit into one in whole money."""
    data = event.custom_data
    if _SMALLEST not in data.properties:
        return None
    rest = {name: value for name, value in data.properties.items() if name != _SMALLEST}
    decimals = _DECIMALS.get(str(data.currency).upper(), 2)
    value = None if data.value is None else str(Decimal(str(data.value)).scaleb(-decimals))
    return attrs.evolve(event, custom_data=attrs.evolve(data, value=value, properties=rest))


def _signal(name: str) -> str:
    return f'djstripe.signals.WEBHOOK_SIGNALS["{name}"]'


def _money(amount: str) -> dict[str, Any]:
    return {
        "value": f"{_OBJECT}.{amount}",
        "currency": f"{_OBJECT}.currency",
        _SMALLEST: {"VALUE": True},
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
