"""What is kept of shoppers, for how long, and at what cost."""

from __future__ import annotations

import logging

import attrs
import pytest

from capi_plugins.outbox.memory import MemoryOutbox
from tests.core.paper import NOW
from tests.core.shoppers import BROWSER, PROGRAM, SHOPPER, WEBHOOK, Order


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
