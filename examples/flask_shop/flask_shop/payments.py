"""A pretended payment provider with the usual test cards."""

import hashlib
import hmac

from flask import current_app

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
    secret = current_app.config["PAYMENT_WEBHOOK_SECRET"].encode()
    return hmac.compare_digest(hmac.new(secret, body, hashlib.sha256).hexdigest(), signature)
