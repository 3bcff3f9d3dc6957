"""A shop with django-oscar that holds what visitors do until they answer its banner."""

from __future__ import annotations

import pytest

from tests.hosts.hosting import SERVERS
from tests.hosts.test_oscar import DUNE, EMMA, buy_as_guest


@pytest.fixture(params=SERVERS)
def guest(request, serve, visit):
    """Somebody who has bought without having answered."""
    made = visit(serve("oscar", server=request.param, capi="hold"), consent=None)
    number = buy_as_guest(made)
    assert (made.events(), made.twins()) == ([], [])
    return made, number


def test_before_consent_nothing_and_after_it_every_event_has_its_twin(guest):
    guest, number = guest
    guest.decide(True)
    guest.get(EMMA)
    sent = sorted((event["event_name"], event["event_id"]) for event in guest.events())
    assert sorted(guest.twins()) == sent
    assert guest.counts() == {
        "ViewContent": 2,
        "AddToCart": 2,
        "InitiateCheckout": 1,
        "AddPaymentInfo": 1,
        "Purchase": 1,
    }
    assert ("Purchase", f"Purchase.{number}") in sent


def test_who_refuses_in_the_end_leaves_nothing(guest):
    guest, _ = guest
    guest.decide(False)
    guest.get(DUNE)
    guest.get(EMMA)
    assert (guest.events(), guest.twins()) == ([], [])
