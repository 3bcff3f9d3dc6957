"""Events that fire in somebody else's request are the shopper's, as far as the shopper allows."""

from __future__ import annotations

import attrs
import pytest

from capi_plugins import Consent, FinishedRequest, UserData
from capi_plugins._triggers import parse_trigger
from tests.core.shoppers import (
    BROWSER,
    PROGRAM,
    RECEIVER,
    REFUSER,
    SELLER,
    SHOPPER,
    STAFF,
    TASK,
    WEBHOOK,
    Ads,
    Customer,
    Order,
    Shop,
    identify,
)


@pytest.mark.parametrize(
    "paid_in",
    [WEBHOOK, STAFF, SELLER, PROGRAM, TASK],
    ids=["webhook", "staff", "seller", "program", "task"],
)
def test_an_order_paid_elsewhere_is_the_shoppers_who_made_it(shop, paid_in):
    shop = shop()
    shop.creates(Order(7), SHOPPER)
    shop.pays(Order(7), paid_in)
    user_data = shop.event.user_data
    assert user_data.fbp == "fb.1.1.7"
    assert user_data.fbc == "fb.1.1.click"
    assert user_data.client_ip_address == "203.0.113.9"
    assert user_data.client_user_agent == BROWSER
    assert shop.event.action_source == "website"
    assert shop.event.event_source_url == "https://shop.example/checkout/?step=2"


@pytest.mark.parametrize("default", ["granted", "denied"])
@pytest.mark.parametrize("paid_in", [WEBHOOK, STAFF, SELLER, PROGRAM, TASK])
def test_a_refusal_is_remembered_whoever_pays(shop, paid_in, default):
    shop = shop(CONSENT={"DEFAULT": default})
    shop.creates(Order(7), REFUSER)
    shop.pays(Order(7), paid_in)
    assert shop.ads.sent == []


def test_of_who_refuses_nothing_but_the_refusal_is_kept(shop):
    shop = shop()
    shop.creates(Order(7), REFUSER)
    kept = shop.client.delivering.contexts._kept.values()
    assert kept
    for context in kept:
        assert context.consents == {"paper": Consent.DENIED}
        assert context.fbp is context.client_ip_address is context.url is None


def test_of_who_was_not_asked_nothing_is_kept_where_that_means_no(shop):
    shop = shop()
    shop.creates(Order(7), attrs.evolve(SHOPPER, cookies={}))
    assert shop.client.delivering.contexts._kept == {}


def test_a_refusal_after_the_order_counts(shop, clock):
    shop = shop()
    shop.creates(Order(7), SHOPPER)
    clock.advance(86_400)
    shop.looks(attrs.evolve(REFUSER, session_key=None))
    shop.pays(Order(7), WEBHOOK)
    assert shop.ads.sent == []


def test_limited_stays_limited(shop, post):
    shop = shop()
    shop.creates(Order(7), attrs.evolve(SHOPPER, cookies={"ads": "some"}))
    shop.pays(Order(7), WEBHOOK)
    assert [event["consent"] for event in post.events] == ["limited"]


def test_another_order_gets_nothing_of_it(shop):
    shop = shop(CONSENT={"DEFAULT": "granted"})
    shop.creates(Order(7), SHOPPER)
    shop.pays(Order(8, "A2"), WEBHOOK)
    assert shop.event.user_data.client_ip_address is None
    assert shop.event.action_source is None


def test_the_shoppers_own_request_wins_and_its_gaps_are_filled(shop):
    shop = shop()
    shop.creates(Order(7), SHOPPER)
    here = attrs.evolve(
        SHOPPER,
        url="https://shop.example/pay/",
        client_ip_address="203.0.113.200",
        cookies={"_fbp": "fb.1.1.7", "ads": "yes"},
    )
    shop.pays(Order(7), here)
    assert shop.event.user_data.client_ip_address == "203.0.113.200"
    assert shop.event.user_data.fbc == "fb.1.1.click"
    assert shop.event.event_source_url == "https://shop.example/pay/"


def test_whoever_agrees_later_in_the_own_request_has_agreed(shop):
    shop = shop()
    shop.creates(Order(7), REFUSER)
    shop.pays(Order(7), SHOPPER)
    assert shop.event.user_data.fbc == "fb.1.1.click"


def test_a_kept_yes_is_no_answer_to_a_banner_that_asks_again(shop):
    shop = shop()
    shop.creates(Order(7), SHOPPER)
    shop.pays(Order(7), attrs.evolve(SHOPPER, cookies={"_fbp": "fb.1.1.7"}))
    assert shop.ads.sent == []


def test_a_refusal_in_a_browser_that_may_be_the_shoppers_counts(shop):
    shop = shop()
    shop.creates(Order(7), SHOPPER)
    elsewhere = attrs.evolve(
        SHOPPER, session_key=None, client_ip_address="203.0.113.77", cookies={"ads": "no"}
    )
    shop.pays(Order(7), elsewhere)
    assert shop.ads.sent == []


def test_somebody_elses_request_does_not_become_the_orders(shop):
    shop = shop()
    shop.creates(Order(7), SHOPPER)
    shop.looks(SELLER)
    shop.pays(Order(7), SELLER)
    shop.ads.sent.clear()
    shop.pays(Order(7), WEBHOOK)
    assert shop.event.user_data.client_ip_address == "203.0.113.9"


@pytest.mark.parametrize("made_in", [WEBHOOK, STAFF, PROGRAM, TASK])
def test_only_the_shoppers_own_requests_are_kept(shop, made_in):
    shop = shop(CONSENT={"DEFAULT": "granted"})
    shop.creates(Order(7), made_in)
    assert shop.client.delivering.contexts._kept == {}


def test_a_new_row_under_an_old_key_is_not_the_old_one(shop):
    shop = shop(CONSENT={"DEFAULT": "granted"})
    shop.creates(Order(7), SHOPPER)
    other = attrs.evolve(
        SHOPPER, client_ip_address="203.0.113.50", cookies={}, session_key="t" * 32
    )
    shop.creates(Order(7, "A2"), other)
    shop.pays(Order(7, "A2"), WEBHOOK)
    assert shop.event.user_data.client_ip_address == "203.0.113.50"


def test_a_row_made_and_paid_in_one_request_has_no_past(shop):
    shop = shop()
    shop.creates(Order(7), REFUSER)
    offer = {"instance": Order(7)}
    with shop.client.request(
        lambda: attrs.evolve(SHOPPER, session_key=None, client_ip_address=None)
    ):
        shop.client.created(lambda: shop.client.subject(shop.trigger, offer, fresh=True))
        shop.client.note(
            lambda: shop.trigger.build(offer),
            about=lambda: shop.client.subject(shop.trigger, offer),
        )
    assert shop.event.user_data.fbp == "fb.1.1.7"


def test_an_event_about_a_signed_in_shopper_finds_the_last_visit(shop):
    shop = shop()
    shop.looks(attrs.evolve(SHOPPER, user=UserData(external_id=5)))
    shop.ads.sent.clear()
    shop.pays(Order(7, user=Customer(5)), TASK)
    assert shop.event.user_data.fbc == "fb.1.1.click"


def test_what_is_tracked_in_a_task_is_found_by_the_external_id(shop):
    shop = shop()
    shop.looks(attrs.evolve(SHOPPER, user=UserData(external_id=5)))
    shop.ads.sent.clear()
    shop.client.track("Subscribe", user_data={"external_id": "5"})
    (event,) = shop.ads.sent
    assert event.user_data.fbc == "fb.1.1.click"


def test_a_row_made_elsewhere_for_a_shopper_was_not_made_on_the_website(shop):
    shop = shop()
    shop.looks(attrs.evolve(SHOPPER, user=UserData(external_id=5)))
    shop.ads.sent.clear()
    offer = {"instance": Order(7, user=Customer(5))}
    shop.client.note(
        lambda: shop.trigger.build(offer),
        about=lambda: shop.client.subject(shop.trigger, offer, fresh=True),
    )
    assert shop.event.action_source is None
    assert shop.event.user_data.client_ip_address is None


def test_what_is_tracked_is_found_by_its_business_id(shop):
    shop = shop()
    with shop.client.request(lambda: SHOPPER):
        shop.client.track("InitiateCheckout", custom_data={"order_id": "A1"})
    shop.ads.sent.clear()
    with shop.client.request(lambda: WEBHOOK):
        shop.client.track("Purchase", event_id="Purchase.A1", custom_data={"order_id": "A1"})
    assert shop.event.user_data.fbc == "fb.1.1.click"


def test_context_names_further_keys(shop):
    shop = shop(trigger={"CONTEXT": ["instance.cart"]})
    shop.creates(Order(7, cart="cart-77"), SHOPPER)
    shop.pays(Order(99, "B2", cart="cart-77"), WEBHOOK)
    assert shop.event.user_data.fbc == "fb.1.1.click"


def test_a_session_key_that_the_host_keeps_finds_the_shopper(shop):
    shop = shop(trigger={"CONTEXT": "instance.cart"})
    shop.looks(SHOPPER)
    shop.ads.sent.clear()
    shop.pays(Order(7, cart="s" * 32), WEBHOOK)
    assert shop.event.user_data.fbc == "fb.1.1.click"


def test_a_request_trigger_restores_by_the_row_on_its_path(make, clock):
    ads = Ads()
    trigger = {
        "ON": "request",
        "ROUTE": "hook",
        "EVENT": "Purchase",
        "EVENT_ID": "context.order.number",
    }
    client = make(
        ads,
        TRIGGERS=[trigger],
        CONSENT={"DEFAULT": "denied"},
        options={"identify": identify, "clock": clock},
    )
    shop = Shop(client, ads, parse_trigger(RECEIVER, "T", []))
    shop.creates(Order(7, "other"), SHOPPER)
    finished = FinishedRequest(
        method="POST",
        route="hook",
        path="/",
        status=204,
        offer=lambda: {"context": {"order": Order(7)}},
    )
    with client.request(lambda: WEBHOOK) as scope:
        client.finish(scope, finished)
    assert shop.event.user_data.fbc == "fb.1.1.click"
