from __future__ import annotations

import contextlib
import datetime as dt
import decimal
import enum
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capi_plugins.destinations.meta import scalars
from capi_plugins.destinations.meta.scalars import Unusable


class Colour(str, enum.Enum):
    RED = "red"


class Size(enum.Enum):
    SMALL = 1


class Lazy:
    def __str__(self):
        return "later"


class Broken:
    def __str__(self):
        raise RuntimeError


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"),
        (7, "7"),
        (94035.0, "94035"),
        (decimal.Decimal("10.50"), "10.50"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (dt.date(1997, 2, 16), "1997-02-16"),
        (Colour.RED, "red"),
        (Size.SMALL, "1"),
        (Lazy(), "later"),
    ],
)
def test_what_has_a_text_form_is_read(value, text):
    assert scalars.text(value) == text
    assert type(scalars.text(value)) is str


@pytest.mark.parametrize(
    "value",
    [None, True, b"a", bytearray(b"a"), [], ["a"], {}, object(), float("nan"), lambda: "a", str],
)
def test_what_has_no_text_form_is_refused(value):
    with pytest.raises(Unusable):
        scalars.text(value)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1, 1),
        (1.5, 1.5),
        ("142.52", 142.52),
        (" 7 ", 7),
        (decimal.Decimal("19.99"), 19.99),
        ("1,234.50", 1234.5),
        ("1.234,50", 1234.5),
        ("1,234,567", 1234567),
        ("1.234.567", 1234567),
        ("1 234,50", 1234.5),
        ("1\u00a0234.50", 1234.5),
        ("1'234.50", 1234.5),
        ("1234,5", 1234.5),
        ("12,50", 12.5),
        ("-1,234.50", -1234.5),
        ("1E+2", 100.0),
        (".5", 0.5),
    ],
)
def test_numbers_are_read_where_only_one_reading_exists(value, number):
    assert scalars.number(value) == number


@pytest.mark.parametrize(
    "value",
    [
        "1,234",
        "1,23,4",
        "abc",
        "",
        "€5",
        "12.50 EUR",
        "0x10",
        "1_000",
        "٣",
        True,
        None,
        float("nan"),
        float("inf"),
        "inf",
        "nan",
        10**400,
        decimal.Decimal("NaN"),
        decimal.Decimal("1E+999"),
        1e15,
        "1" * 5000,
        [],
        b"1",
    ],
)
def test_what_is_no_number_is_refused(value):
    with pytest.raises(Unusable):
        scalars.number(value)


def test_whole_numbers_have_no_fraction():
    assert scalars.integer("2.0") == 2
    with pytest.raises(Unusable):
        scalars.integer(2.5)


@pytest.mark.parametrize("value", [True, 1, "true", "YES", "1", 1.0])
def test_yes_is_read(value):
    assert scalars.flag(value) is True


@pytest.mark.parametrize("value", [False, 0, "false", "no", " off "])
def test_no_is_read(value):
    assert scalars.flag(value) is False


@pytest.mark.parametrize("value", [2, "maybe", "", None, []])
def test_what_is_neither_yes_nor_no_is_refused(value):
    with pytest.raises(Unusable):
        scalars.flag(value)


def test_sendable_text_has_no_control_characters_and_no_lone_surrogates():
    assert scalars.sendable(" a\x00b\nc ", 10) == "abc"
    assert scalars.sendable("👩\u200d🚀", 10) == "👩\u200d🚀"
    for refused in ("\ud800", "   ", "\x00", "x" * 11):
        with pytest.raises(Unusable):
            scalars.sendable(refused, 10)


def test_dates_are_read_as_iso_8601():
    assert scalars.moment(dt.date(2026, 11, 22)) == "2026-11-22"
    assert scalars.moment("20261122") == "20261122"
    with pytest.raises(Unusable):
        scalars.moment("22.11.2026")


@given(value=st.text())
def test_any_text_is_a_number_or_refused(value):
    with contextlib.suppress(Unusable):
        assert -1e15 < scalars.number(value) < 1e15


@given(
    value=st.decimals(allow_nan=False, allow_infinity=False, places=2).filter(
        lambda d: abs(d) < 10**12
    )
)
def test_grouping_does_not_change_an_amount(value):
    assert scalars.number(f"{value:,.2f}") == pytest.approx(float(value))
