from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capi_plugins.destinations.meta import phone
from capi_plugins.destinations.meta.scalars import Unusable


@pytest.mark.parametrize(
    ("written", "digits"),
    [
        ("+1 (616) 954-78 88", "16169547888"),
        ("0044 20 7946 0958", "442079460958"),
        ("+44 (0)20 7946 0958", "442079460958"),
        ("0044 (0) 20 7946 0958", "442079460958"),
        ("(+49) 30 12345678", "493012345678"),
        ("+39 (0)6 12345678", "390612345678"),
        ("+1-555-123-4567 ext. 123", "15551234567"),
        ("+1 650 555 1212 x99", "16505551212"),
        ("+1 650 555 1212 #99", "16505551212"),
        ("tel:+1-201-555-0123", "12015550123"),
        ("Tel. +49 30 12345678", "493012345678"),
        ("\u202a+1 650 555 1212\u202c", "16505551212"),
        ("\uff0b\uff11 \uff16\uff15\uff10 555 1212", "16505551212"),
        ("+4915112345678", "4915112345678"),
    ],
)
def test_an_international_number_becomes_its_digits(written, digits):
    assert phone.normalize(written) == (digits, True)


@pytest.mark.parametrize(
    ("written", "region", "digits"),
    [
        ("(650)555-1212", "US", "16505551212"),
        ("1-650-555-1212", "US", "16505551212"),
        ("020 7946 0958", "gb", "442079460958"),
        ("06 12 34 56 78", "FR", "33612345678"),
        ("06 1234567", "IT", "39061234567"),
        ("8 999 123-45-67", "RU", "79991234567"),
        ("4930123456", "DE", "4930123456"),
        ("442079460958", "US", "442079460958"),
    ],
)
def test_a_national_number_gets_the_country_code_of_its_region(written, region, digits):
    assert phone.normalize(written, region) == (digits, True)


def test_a_national_number_without_a_region_is_marked_as_a_guess():
    assert phone.normalize("01(650)123-4567") == ("16501234567", False)


@pytest.mark.parametrize(
    "written", ["", "null", "0000", "1-800-FLOWERS", "12345", "+1", "1" * 16, "+" + "9" * 1000]
)
@pytest.mark.parametrize("region", [None, "US"])
def test_what_is_no_number_is_refused(written, region):
    with pytest.raises(Unusable):
        phone.normalize(written, region)


@given(value=st.text(alphabet="+0123456789 ()-./x#extE\u202a٣", max_size=30))
def test_a_number_is_digits_without_leading_zero_or_refused(value):
    for region in (None, "GB"):
        try:
            digits, _ = phone.normalize(value, region)
        except Unusable:
            continue
        assert digits.isascii()
        assert digits.isdigit()
        assert digits[0] != "0"
        assert 7 <= len(digits) <= 15


@given(value=st.text())
def test_any_text_is_a_number_or_refused(value):
    with contextlib.suppress(Unusable):
        phone.normalize(value, "US")
