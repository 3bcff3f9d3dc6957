"""Amounts in minor units, as payment providers send them: 1250 is 12.50 euros and 1250 yen."""

from __future__ import annotations

import decimal

# Source: Stripe's page *Currencies*. The króna and the Ugandan shilling have no minor unit any
# more, and are still sent as if they had one.
_DIGITS = {
    **dict.fromkeys(
        [
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "JPY",
            "KMF",
            "KRW",
            "MGA",
            "PYG",
            "RWF",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ],
        0,
    ),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
}
_CODE = 3


def major_units(amount: object, currency: object) -> decimal.Decimal | None:
    """Turn an amount in minor units into one of the currency.

    Args:
        amount: A whole number, or a text of one.
        currency: Its ISO 4217 code, in either case.

    Returns:
        The amount; None when the amount is not a number or the currency is not a code.
    """
    code = str(currency).strip().upper()
    if isinstance(amount, bool) or len(code) != _CODE or not code.isalpha():
        return None
    try:
        number = decimal.Decimal(str(amount).strip())
    except decimal.InvalidOperation:
        return None
    return number.scaleb(-_DIGITS.get(code, 2)) if number.is_finite() else None
