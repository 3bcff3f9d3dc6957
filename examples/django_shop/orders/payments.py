"""A pretended payment provider with the usual test cards."""

import hashlib
import hmac

from django.conf import settings

DECLINED_CARD = "4000000000000002"
BROKEN_CARD = "4000000000000119"


class PaymentDeclined(Exception):
    """The bank said no; the shopper may try another card."""


class GatewayError(Exception):
    """The provider did not answer as it should."""


def charge(card_number, amount, currency):
    if card_number == DECLINED_CARD:
        raise PaymentDeclined("Your card was declined. You have not been charged.")
    if card_number == BROKEN_CARD:
        raise GatewayError(f"No answer while charging {amount} {currency}")


def is_signed(body, signature):
    expected = hmac.new(settings.PAYMENT_WEBHOOK_SECRET.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, signature)
