"""Events that fire in somebody else's request are the shopper's, as far as the shopper allows."""

from __future__ import annotations

import logging

import attrs
import pytest

from capi_plugins import Consent, FinishedRequest, RequestContext, UserData, hookimpl
from capi_plugins._triggers import parse_trigger
from capi_plugins.context_store import Row
from capi_plugins.outbox.memory import MemoryOutbox
from tests.core.paper import NOW

BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"
SHOPPER = RequestContext(
    url="https://shop.example/checkout/?step=2&email=ada%40shop.example",
    method="POST",
    client_ip_address="203.0.113.9",
    client_user_agent=BROWSER,
    cookies={"_fbp": "fb.1.1.7", "_fbc": "fb.1.1.click", "ads": "yes"},
    session_key="s" * 32,
)
REFUSER = attrs.evolve(SHOPPER, cookies={"_fbp": "fb.1.1.7", "ads": "no"})
WEBHOOK = RequestContext(
    url="https://shop.example/webhooks/",
    method="POST",
    client_ip_address="198.51.100.7",
    client_user_agent="Stripe/1.0 (+https://stripe.com/docs/webhooks)",
    headers={"stripe-signature": "t=1"},
)
STAFF = RequestContext(
    url="https://shop.example/admin/",
    method="POST",
    client_ip_address="198.51.100.8",
    client_user_agent=BROWSER,
    cookies={"sessionid": "x", "_fbp": "fb.1.1.staff"},
    user=UserData(external_id="1"),
    is_staff=True,
)
SELLER = attrs.evolve(STAFF, is_staff=False, user=UserData(external_id="9"))
PROGRAM = RequestContext(
    url="https://shop.example/api/", method="POST", client_user_agent="PaymentProvider/1.0"
)
TASK = RequestContext()
RECEIVER = {
    "ON": "model",
    "MODEL": "shop.Order",
    "CHANGED": {"paid": True},
    "EVENT": "Purchase",
    "EVENT_ID": "instance.number",
}


@attrs.define
class Customer:
    id: int


@attrs.define
class Order:
    pk: int
    number: str = "A1"
    user: Customer | None = None
    cart: str | None = None


def identify(value):
    if isinstance(value, Order):
        return Row("shop.order", value.pk, lambda: value.user)
    return None


class Ads:
    """Consent from a cookie, and everything that gets through."""

    def __init__(self):
        self.sent = []

    @hookimpl
    def capi_consent(self, context):
        answers = {"yes": Consent.GRANTED, "no": Consent.DENIED, "some": Consent.LIMITED}
        return answers.get(context.cookies.get("ads"))

    @hookimpl(trylast=True)
    def capi_filter(self, event, context):
        self.sent.append(event)


class Shop:
    """A shop in which orders are made and paid, each in any request."""

    def __init__(self, client, ads, trigger):
        self.client = client
        self.ads = ads
        self.trigger = trigger

    def creates(self, order, context):
        offer = {"instance": order}
        with self.client.request(lambda: context):
            self.client.created(lambda: self.client.subject(self.trigger, offer, fresh=True))

    def pays(self, order, context):
        offer = {"instance": order}
        with self.client.request(lambda: context):
            self.client.note(
                lambda: self.trigger.build(offer),
                about=lambda: self.client.subject(self.trigger, offer),
            )

    def looks(self, context):
        with self.client.request(lambda: context):
            self.client.track("ViewContent")

    @property
    def event(self):
        (event,) = [event for event in self.ads.sent if event.event_name == "Purchase"]
        return event


@pytest.fixture
def shop(make, clock):
    def shop(**settings):
        ads = Ads()
        problems = []
        trigger = parse_trigger({**RECEIVER, **settings.pop("trigger", {})}, "T", problems)
        assert problems == []
        settings = {
            "CONSENT": {"DEFAULT": "denied"},
            "USER_DATA": {"external_id": "id"},
            **settings,
        }
        return Shop(
            make(ads, options={"identify": identify, "clock": clock}, **settings), ads, trigger
        )

    return shop


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


@pytest.mark.parametrize(("days", "found"), [(6.9, True), (7.1, False)])
def test_a_shopper_is_forgotten_after_seven_days(shop, clock, days, found):
    shop = shop()
    shop.creates(Order(7), SHOPPER)
    clock.advance(days * 86_400)
    shop.pays(Order(7), WEBHOOK)
    assert bool(shop.ads.sent) is found


def test_it_can_be_switched_off(shop):
    shop = shop(CONTEXT_STORE={"DAYS": 0})
    shop.creates(Order(7), SHOPPER)
    shop.pays(Order(7), WEBHOOK)
    assert shop.ads.sent == []
    assert shop.client.delivering.contexts._kept == {}


def test_a_click_id_without_a_cookie_is_kept_with_its_time(shop, clock):
    shop = shop()
    landing = attrs.evolve(
        SHOPPER, cookies={"ads": "yes"}, query={"fbclid": "IwAR1"}, received_at=NOW
    )
    shop.creates(Order(7), landing)
    clock.advance(3600)
    shop.pays(Order(7), WEBHOOK)
    assert (shop.event.user_data.fbclid, shop.event.user_data.fbclid_time) == ("IwAR1", NOW)


def test_an_own_request_that_changes_nothing_writes_nothing(shop, clock, monkeypatch):
    shop = shop()
    writes = []
    contexts = shop.client.delivering.contexts
    keep = contexts.keep
    monkeypatch.setattr(contexts, "keep", lambda *a, **k: (writes.append(k), keep(*a, **k)))
    for page in range(5):
        shop.looks(attrs.evolve(SHOPPER, url=f"https://shop.example/{page}"))
    assert len(writes) == 1
    shop.looks(attrs.evolve(SHOPPER, cookies={**SHOPPER.cookies, "_fbc": "fb.1.1.other"}))
    assert len(writes) == 2


def test_a_page_view_of_a_stranger_writes_nothing(shop, monkeypatch):
    shop = shop()
    contexts = shop.client.delivering.contexts
    monkeypatch.setattr(contexts, "keep", lambda *a, **k: pytest.fail("written"))
    shop.looks(attrs.evolve(SHOPPER, session_key=None))


class Broken:
    def keep(self, context, **_):
        raise OSError("disk")

    def find(self, keys):
        raise OSError("disk")


class BrokenOutbox(MemoryOutbox):
    inline = True
    contexts = Broken()


def test_a_store_that_fails_costs_what_it_would_have_added(shop, caplog, clock):
    def outbox(settings):
        return BrokenOutbox(max_deliveries=10, max_bytes=10_000, clock=clock)

    made = shop(CONSENT={"DEFAULT": "granted"}, DELIVERY={"OUTBOX": "memory"})
    made.client.delivering._outbox = lambda: outbox(None)
    made.creates(Order(7), SHOPPER)
    made.pays(Order(7), WEBHOOK)
    assert made.event.user_data.client_ip_address is None
    assert "keeping the context of a shopper failed with OSError" in caplog.text
    assert all(record.levelno <= logging.ERROR for record in caplog.records)
    # One failure, then a rest: a store that hangs must not cost every request.
    assert caplog.text.count("OSError") == 1


@pytest.mark.parametrize(
    "context",
    [
        attrs.evolve(PROGRAM, method="GET"),
        attrs.evolve(PROGRAM, headers={"origin": "https://shop.example"}),
        attrs.evolve(PROGRAM, headers={"sec-fetch-site": "same-origin"}),
        attrs.evolve(PROGRAM, cookies={"a": "b"}),
        attrs.evolve(PROGRAM, is_staff=False),
        attrs.evolve(PROGRAM, client_user_agent=BROWSER),
    ],
)
def test_what_makes_a_request_a_shoppers_own(shop, context):
    shop = shop(CONSENT={"DEFAULT": "granted"})
    shop.creates(Order(7), context)
    assert shop.client.delivering.contexts._kept
