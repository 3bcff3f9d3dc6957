"""A site with Wagtail and its form pages."""

from __future__ import annotations

import pytest

from tests.hosts.visitors import sha256

FORM = {
    "full_name": "Jane Doe",
    "your_e_mail": "Jane@Example.com",
    "phone_number": "+49 30 901820",
    "city": "Berlin",
}


@pytest.fixture
def site(serve):
    return serve("wagtail")


def test_a_form_that_is_handed_in_is_a_lead(site, visit):
    visitor = visit(site)
    visitor.get("/contact/")
    answer = visitor.post("/contact/", expect=200, **FORM)
    assert "Thank you" in answer.text
    assert visitor.counts() == {"Lead": 1}
    (lead,) = visitor.events("Lead")
    assert lead["custom_data"] == {"content_name": "Contact"}
    expected = {"em": "jane@example.com", "ph": "4930901820", "fn": "jane", "ct": "berlin"}
    person = {key: [sha256(text)] for key, text in expected.items()}
    assert person.items() <= lead["user_data"].items()
    assert (lead["user_data"]["fbc"], lead["user_data"]["client_ip_address"]) == (
        visitor.fbc,
        visitor.ip,
    )


def test_a_form_that_is_wrong_is_none_though_it_is_answered_with_200(site, visit):
    visitor = visit(site)
    visitor.get("/contact/")
    visitor.post("/contact/", expect=200, **{**FORM, "your_e_mail": "no address"})
    visitor.post("/contact/", expect=200, full_name="Jane Doe")
    assert visitor.counts() == {}


def test_two_forms_are_two_leads(site, visit):
    visitor = visit(site)
    visitor.get("/contact/")
    for _ in range(2):
        visitor.post("/contact/", expect=200, **FORM)
    assert visitor.counts() == {"Lead": 2}


def test_a_form_with_other_fields_is_a_lead_of_the_visitor(site, visit):
    visitor = visit(site)
    visitor.get("/survey/")
    visitor.post("/survey/", expect=200, how_do_you_do="Fine")
    (lead,) = visitor.events("Lead")
    assert set(lead["user_data"]) == {"client_ip_address", "client_user_agent", "fbc", "fbp"}


def test_the_type_of_a_field_tells_and_nothing_else_of_the_form_leaves(site, visit):
    visitor = visit(site)
    visitor.get("/application/")
    answer = visitor.post(
        "/application/",
        expect=200,
        files={"resume": ("jane.pdf", b"%PDF-")},
        referee="joe@example.com",
        where_do_we_write_to="office@example.com",
        e_mail_address="jane@example.com",
        how_do_we_call_you="+49 30 901820",
        phone="on",
        country=["Germany", "France"],
        city=["Berlin", "Paris"],
        about_you="I am Jane.\nI paint.",
    )
    assert "Thank you" in answer.text
    (lead,) = visitor.events("Lead")
    assert lead["custom_data"] == {"content_name": "Application"}
    known = {key: value for key, value in lead["user_data"].items() if isinstance(value, list)}
    assert known == {"em": [sha256("jane@example.com")], "ph": [sha256("4930901820")]}


def test_without_consent_nothing_leaves(site, visit):
    visitor = visit(site, consent=False)
    visitor.get("/contact/")
    visitor.post("/contact/", expect=200, **FORM)
    assert visitor.events() == []


def walk(visitor):
    visitor.get("/contact/")
    visitor.post("/contact/", expect=200, **FORM)
    visitor.post("/contact/", expect=200, full_name="Jane Doe")


@pytest.mark.parametrize("capi", ["hooks", "store"])
def test_the_answers_are_those_of_the_site_alone(unchanged, capi):
    unchanged("wagtail", walk, capi)
