"""Values that are read as something else: amounts in minor units, telephone numbers."""

from __future__ import annotations

from decimal import Decimal

import pytest

from capi_plugins._paths import NOWHERE, parse_lookup
from tests.core.test_lookups import lookup

MINOR = {"PATH": "o.amount", "AS": "minor_units", "CURRENCY": "o.currency"}


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        (1250, "eur", "12.50"),
        ("1250", " USD ", "12.50"),
        (1250, "JPY", "1250"),
        (1250, "kwd", "1.250"),
        (500, "isk", "5.00"),
        (500, "UGX", "5.00"),
        (0, "EUR", "0.00"),
        (-1250, "EUR", "-12.50"),
        (Decimal(1250), "EUR", "12.50"),
    ],
)
def test_minor_units_become_an_amount(amount, currency, expected):
    found = lookup(MINOR).find({"o": {"amount": amount, "currency": currency}}, [])
    assert str(found) == expected


def test_an_amount_may_be_found_by_a_function():
    spec = {**MINOR, "PATH": lambda find: find("o.amount") - 250}
    assert str(lookup(spec).find({"o": {"amount": 1250, "currency": "eur"}}, [])) == "10.00"


@pytest.mark.parametrize(
    ("amount", "currency", "told"),
    [
        (True, "EUR", "o.amount"),
        ("12,50", "EUR", "o.amount"),
        ("NaN", "EUR", "o.amount"),
        (1250, "euros", "o.amount"),
        (1250, None, "o.amount"),
        (1250, NOWHERE, "o.currency"),
        (NOWHERE, "EUR", "o.amount"),
    ],
)
def test_what_is_no_amount_in_minor_units_costs_the_field(amount, currency, told):
    given = {"amount": amount, "currency": currency}
    lost = []
    offer = {"o": {name: value for name, value in given.items() if value is not NOWHERE}}
    assert lookup(MINOR).find(offer, lost) is None
    assert told in lost


def test_each_item_may_have_an_amount_in_minor_units():
    spec = {"EACH": "o", "item_price": {**MINOR, "PATH": "item", "CURRENCY": {"VALUE": "EUR"}}}
    assert lookup(spec).find({"o": [5, 10]}, []) == [
        {"item_price": Decimal("0.05")},
        {"item_price": Decimal("0.10")},
    ]


@pytest.mark.parametrize(
    "spec", [{"PATH": "o", "AS": "minor_units"}, {"PATH": "o", "CURRENCY": "o", "AS": "cents"}]
)
def test_a_cast_that_does_not_exist_is_told(spec):
    problems = []
    parse_lookup(spec, "CAPI['X']", problems)
    assert "'AS': 'minor_units'" in problems[0]


class Phone:
    as_e164 = "+493023125014"

    def __str__(self):
        return "030 23125014"


def test_a_phone_number_is_read_with_its_country():
    assert lookup("o.phone").find({"o": {"phone": Phone()}}, []) == "+493023125014"
