"""Accounts with django-allauth, django-registration and django-registration-redux."""

from __future__ import annotations

import pytest

from tests.hosts.visitors import sha256

PASSWORD = "a-long-secret-1"


def sign_up(visitor, email):
    visitor.get("/accounts/signup/")
    fields = {"email": email, "password1": PASSWORD, "password2": PASSWORD}
    return visitor.post("/accounts/signup/", **fields)


def confirm(visitor, email):
    """Follow the link of the mail and press the button."""
    link = visitor.host.mailed(email, r"http://[^/]+(/accounts/confirm-email/\S+)")
    visitor.get(link)
    return visitor.post(link)


@pytest.fixture
def verified(serve):
    return serve("allauth")


def test_allauth_counts_a_user_when_the_address_is_verified(verified, visit):
    jane = visit(verified)
    jane.follow(sign_up(jane, "jane@example.com"))
    assert jane.counts() == {}
    jane.follow(confirm(jane, "jane@example.com"))
    assert jane.counts() == {"CompleteRegistration": 1, "Login": 1}
    (event,) = jane.events("CompleteRegistration")
    assert event["user_data"]["em"] == [sha256("jane@example.com")]
    assert event["custom_data"] == {"status": "completed"}
    assert event["user_data"]["client_ip_address"] == jane.ip
    number = verified.manage(
        "from django.contrib.auth.models import User;"
        "print(User.objects.get(email='jane@example.com').pk)"
    ).strip()
    assert event["event_id"] == f"CompleteRegistration.{number}"
    assert event["user_data"]["external_id"] == [sha256(number)]


def test_allauth_does_not_count_a_further_address(verified, visit):
    joe = visit(verified)
    sign_up(joe, "joe@example.com")
    joe.follow(confirm(joe, "joe@example.com"))
    joe.post("/accounts/email/", action_add="", email="joe@work.example")
    confirm(joe, "joe@work.example")
    assert joe.counts() == {"CompleteRegistration": 1, "Login": 1}


def test_allauth_answers_a_second_sign_up_as_the_first_and_it_is_none(verified, visit):
    ann, again = visit(verified), visit(verified)
    first = sign_up(ann, "ann@example.com")
    second = sign_up(again, "ann@example.com")
    assert first.headers["Location"] == second.headers["Location"]
    ann.follow(confirm(ann, "ann@example.com"))
    assert again.counts() == {}
    assert ann.counts()["CompleteRegistration"] == 1


def test_allauth_signs_in_once(verified, visit):
    sue, back = visit(verified), visit(verified)
    sign_up(sue, "sue@example.com")
    sue.follow(confirm(sue, "sue@example.com"))
    back.get("/accounts/login/")
    back.follow(back.post("/accounts/login/", login="sue@example.com", password=PASSWORD))
    assert back.counts() == {"Login": 1}


def test_allauth_counts_a_user_at_once_where_addresses_need_no_verification(serve, visit):
    jane = visit(serve("allauth", variant="optional"))
    jane.follow(sign_up(jane, "jane@example.com"))
    confirm(jane, "jane@example.com")
    assert jane.counts() == {"CompleteRegistration": 1, "Login": 1}


def test_allauth_counts_a_user_when_the_code_of_the_mail_is_given(serve, visit):
    jane = visit(serve("allauth", variant="code"))
    jane.follow(sign_up(jane, "jane@example.com"))
    assert jane.counts() == {}
    code = jane.host.mailed("jane@example.com", r"\n([A-Z0-9-]{6,9})\r?\n")
    jane.follow(jane.post("/accounts/confirm-email/", code=code))
    assert jane.counts() == {"CompleteRegistration": 1, "Login": 1}
    (event,) = jane.events("CompleteRegistration")
    assert event["user_data"]["em"] == [sha256("jane@example.com")]


def come_from_provider(visitor, number, email, *, verified):
    visitor.get("/accounts/dummy/login/")
    page = visitor.post("/accounts/dummy/login/").headers["Location"]
    fields = {"id": number, "email": email, **({"email_verified": "on"} if verified else {})}
    visitor.get(page)
    return visitor.follow(visitor.post(page, **fields))


def test_allauth_counts_who_comes_from_a_provider_that_vouches_for_the_address(verified, visit):
    for number in (1, 2):
        ida = visit(verified)
        come_from_provider(ida, 17, "ida@example.com", verified=True)
        registered = {"CompleteRegistration": 1} if number == 1 else {}
        assert ida.counts() == {**registered, "Login": 1}
    em = [sha256("ida@example.com")]
    mine = [event for event in verified.settled() if event["user_data"].get("em") == em]
    (event,) = [event for event in mine if event["event_name"] == "CompleteRegistration"]
    assert event["custom_data"] == {"status": "completed", "registration_method": "dummy"}


def test_allauth_counts_who_comes_from_a_provider_once_the_address_is_verified(verified, visit):
    eve = visit(verified)
    come_from_provider(eve, 18, "eve@example.com", verified=False)
    assert eve.counts() == {}
    eve.follow(confirm(eve, "eve@example.com"))
    assert eve.counts() == {"CompleteRegistration": 1, "Login": 1}


@pytest.mark.parametrize("email", ["tom@example.com", ""], ids=["an address", "none"])
def test_allauth_counts_who_comes_from_a_provider_and_needs_no_verification(serve, visit, email):
    tom = visit(serve("allauth", variant="trusting"))
    come_from_provider(tom, 19 if email else 20, email, verified=False)
    assert tom.counts() == {"CompleteRegistration": 1, "Login": 1}


def test_allauth_still_waits_for_the_address_of_who_does_not_come_from_a_provider(serve, visit):
    kim = visit(serve("allauth", variant="trusting"))
    kim.follow(sign_up(kim, "kim@example.com"))
    assert kim.counts() == {}
    kim.follow(confirm(kim, "kim@example.com"))
    assert kim.counts() == {"CompleteRegistration": 1, "Login": 1}


@pytest.fixture
def registration(serve):
    return serve("registration")


def register(visitor, path, name):
    visitor.get(path)
    fields = {"username": name, "email": f"{name}@example.com"}
    return visitor.post(path, **fields, password1=PASSWORD, password2=PASSWORD)


@pytest.mark.parametrize("path", ["/one-step/register/", "/redux-simple/register/"])
def test_a_registration_of_one_step_counts_at_once(registration, visit, path):
    visitor = visit(registration)
    name = path.split("/")[1].replace("-", "")
    register(visitor, path, name)
    assert visitor.counts() == {"CompleteRegistration": 1, "Login": 1}
    (event,) = visitor.events("CompleteRegistration")
    assert event["user_data"]["em"] == [sha256(f"{name}@example.com")]


def test_a_registration_with_activation_counts_when_it_is_activated(registration, visit):
    visitor = visit(registration)
    register(visitor, "/activation/register/", "activated")
    assert visitor.counts() == {}
    key = registration.mailed("activated@example.com", r"activation_key=(\S+)")
    visitor.get(f"/activation/activate/?activation_key={key}")
    visitor.post("/activation/activate/", activation_key=key.replace("%3A", ":"))
    assert visitor.counts() == {"CompleteRegistration": 1}


def test_a_registration_of_redux_counts_when_it_is_activated(registration, visit):
    visitor = visit(registration)
    register(visitor, "/redux/register/", "redux")
    assert visitor.counts() == {}
    link = registration.mailed("redux@example.com", r"http://[^/]+(/redux\S*/activate/\S+)")
    visitor.follow(visitor.get(link, expect=302))
    visitor.get(link, expect=302)
    assert visitor.counts() == {"CompleteRegistration": 1}


def walk_allauth(visitor):
    sign_up(visitor, "jane@example.com")
    visitor.follow(confirm(visitor, "jane@example.com"))
    return visitor.answers[-2][1].rstrip("/").rpartition("/")[2]


def walk_registration(visitor):
    register(visitor, "/one-step/register/", "jane")
    visitor.get("/one-step/register/", expect=None)


@pytest.mark.parametrize("capi", ["hooks", "store"])
@pytest.mark.parametrize(
    ("name", "walk"), [("allauth", walk_allauth), ("registration", walk_registration)]
)
def test_the_answers_are_those_of_the_host_alone(unchanged, name, walk, capi):
    unchanged(name, walk, capi)
