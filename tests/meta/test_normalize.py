from __future__ import annotations

import contextlib
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capi_plugins.destinations.meta import normalize
from capi_plugins.destinations.meta.scalars import Unusable

SHA = hashlib.sha256(b"john_smith@gmail.com").hexdigest()


@pytest.mark.parametrize(
    "address",
    [
        "John Smith <john@example.com>",
        "john@@example.com",
        "john@example",
        "john@.com",
        "john@example.",
        "john@exa..mple.com",
        "@example.com",
        "john smith@example.com",
        "john@exam\u00a0ple.com",
        "a@b.c, d@e.f",
        "mailto:john@example.com",
        "x" * 250 + "@example.com",
    ],
)
def test_what_is_no_address_is_refused(address):
    with pytest.raises(Unusable):
        normalize.email(address)


def test_dots_and_plus_tags_of_an_address_stay():
    assert normalize.email("\t First.Last+tag@GMail.com\n") == "first.last+tag@gmail.com"


def test_composed_and_decomposed_letters_give_one_form():
    assert normalize.name("Vale\u0301ry") == normalize.name("Val\u00e9ry") == "val\u00e9ry"


@pytest.mark.parametrize("apostrophe", ["'", "\u2019", "\u02bc", "`", "\u00b4"])
def test_every_apostrophe_goes(apostrophe):
    assert normalize.name(f"O{apostrophe}Brien") == "obrien"


def test_marks_of_indic_scripts_stay():
    assert normalize.name("अंजलि") == "अंजलि"


@pytest.mark.parametrize("word", ["null", "None", "UNDEFINED", " ", "-", "123"])
def test_a_name_that_stands_for_nothing_is_refused(word):
    with pytest.raises(Unusable):
        normalize.name(word)


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("31.12.1990", "19901231"),
        ("05.08.1990", "19900805"),
        ("12.31.1990", "19901231"),
        ("16. 2. 1997", "19970216"),
        ("1997-02-16T00:00:00Z", "19970216"),
        ("1997-02-16 12:00:00+00:00", "19970216"),
        ("29/02/2000", "20000229"),
    ],
)
def test_dates_are_read_in_the_order_the_numbers_allow(written, normal):
    assert normalize.date_of_birth(written) == normal


@pytest.mark.parametrize(
    "written", ["1899-12-31", "2999-01-01", "1997-13-13", "16-2-97", "1997-02", "today", "1/1997/2"]
)
def test_what_is_no_date_of_birth_is_refused(written):
    with pytest.raises(Unusable):
        normalize.date_of_birth(written)


def test_a_sha256_passes_in_lower_case():
    assert normalize.hashed(f" {SHA.upper()} ") == SHA


@pytest.mark.parametrize("appendix", [".AQ", ".AQQAAQIB"])
def test_the_appendix_of_the_parameter_builder_stays(appendix):
    assert normalize.hashed(SHA.upper() + appendix) == SHA + appendix


def test_an_unknown_appendix_makes_it_no_hash():
    assert normalize.hashed(SHA + ".zz") is None


@pytest.mark.parametrize("word", ["", "null", "NULL", "None", "undefined", '""'])
@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
def test_the_hash_of_nothing_is_refused(word, algorithm):
    with pytest.raises(Unusable, match="hash of an empty value"):
        normalize.hashed(hashlib.new(algorithm, word.encode()).hexdigest())


def test_parts_of_a_date_of_birth_have_their_digits():
    assert normalize.day_of_birth(" 1 ") == "01"
    assert normalize.month_of_birth("9") == "09"
    assert normalize.year_of_birth("1997") == "1997"
    for refused in (normalize.day_of_birth, normalize.month_of_birth, normalize.year_of_birth):
        with pytest.raises(Unusable):
            refused("0")


def test_the_first_five_letters_are_those_of_the_normal_form():
    assert normalize.first_five("O'Brien-Smith") == "obrie"
    assert normalize.first_letter("Élodie") == "é"


@pytest.mark.parametrize(
    "function",
    [normalize.email, normalize.name, normalize.letters, normalize.external_id],
)
@given(value=st.text())
def test_a_normal_form_is_its_own_normal_form(function, value):
    try:
        normal = function(value)
    except (Unusable, UnicodeEncodeError):
        return
    assert function(normal) == normal


@given(value=st.text())
def test_normalising_raises_nothing_but_unusable(value):
    for function in (
        normalize.email,
        normalize.name,
        normalize.date_of_birth,
        normalize.gender,
        normalize.external_id,
        normalize.day_of_birth,
        normalize.hashed,
    ):
        with contextlib.suppress(Unusable):
            function(value)
