from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capi_plugins.destinations.meta import places
from capi_plugins.destinations.meta.scalars import Unusable


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("The Netherlands", "nl"),
        ("Allemagne", "de"),
        ("Osterreich", "at"),
        ("Österreich", "at"),
        ("Turkey", "tr"),
        ("Türkiye", "tr"),
        ("South Korea", "kr"),
        ("C\u00f4te d\u2019Ivoire", "ci"),
        ("中国", "cn"),
        ("Россия", "ru"),
        ("EL", "gr"),
        ("England", "gb"),
        ("NGA", "ng"),
        ("Niger", "ne"),
        ("Kosovo", "xk"),
    ],
)
def test_a_country_is_found_by_code_or_name(written, code):
    assert places.country(written) == code


@pytest.mark.parametrize("written", ["zz", "Atlantis", "123", "", "Eur", "West Virginia"])
def test_an_unknown_country_is_refused_and_never_cut(written):
    with pytest.raises(Unusable):
        places.country(written)


def test_every_name_of_a_country_leads_to_a_code():
    assert set(places._names().values()) <= places.COUNTRIES
    assert len(places._names()) > 5000


@pytest.mark.parametrize(
    ("written", "country", "normal"),
    [
        ("State of West Virginia", None, "wv"),
        ("US-NY", None, "ny"),
        ("CA-ON", None, "on"),
        ("DE-BY", "de", "by"),
        ("Québec", "ca", "qc"),
        ("New South Wales", "au", "newsouthwales"),
        ("Georgia", "ge", "georgia"),
        ("AE", "us", "ae"),
    ],
)
def test_states_are_codes_in_the_usa_and_canada_and_bare_letters_elsewhere(
    written, country, normal
):
    assert places.state(written, country) == normal


@pytest.mark.parametrize(("written", "country"), [("zz", "us"), ("Bayern", "us"), ("Texas", "ca")])
def test_a_state_that_its_country_does_not_have_is_refused(written, country):
    with pytest.raises(Unusable):
        places.state(written, country)


@pytest.mark.parametrize(
    ("written", "country", "normal"),
    [
        ("372213312", "us", "37221"),
        ("37221 3312", "us", "37221"),
        ("2108", "us", "02108"),
        ("01310-100", "br", "01310100"),
        ("12345-6789", "sa", "123456789"),
        ("D02 X285", "ie", "d02x285"),
        ("LV-1010", "lv", "lv1010"),
    ],
)
def test_post_codes_follow_their_country(written, country, normal):
    assert places.zip_code(written, country) == normal


@pytest.mark.parametrize(
    ("written", "country"), [("N/A", None), ("none", "gb"), ("12", "us"), ("1" * 40, None)]
)
def test_what_is_no_post_code_is_refused(written, country):
    with pytest.raises(Unusable):
        places.zip_code(written, country)


@given(value=st.text(), country=st.sampled_from([None, "us", "ca", "de"]))
def test_any_text_is_a_place_or_refused(value, country):
    for function in (places.state, places.zip_code):
        with contextlib.suppress(Unusable):
            function(value, country)
    for single in (places.city, places.country):
        with contextlib.suppress(Unusable):
            single(value)
