"""What is held until the visitor agrees is then sent by browser and server, by nobody before."""

from __future__ import annotations

import pytest

from tests.browser.journey import FBCLID, arrive, buy, choose, names, settled

SHOPS = ["django", "django, ASGI", "flask"]
PIXEL_COOKIES = {"_fbc", "_fbp", "capi_events"}
JOURNEY = ["AddToCart", "InitiateCheckout", "PageView", "Purchase", "Search", "ViewContent"]


@pytest.fixture(params=SHOPS)
def shop(request, run_shop, pixel):
    return run_shop(request.param, SHOP_CONSENT="hold", SHOP_TRUSTED_PROXIES="1")


@pytest.fixture
def page(page):
    """Somebody with an address: before consent there is no cookie that tells who it is."""
    page.context.set_extra_http_headers({"X-Forwarded-For": "81.2.69.142"})
    return page


def kept(page):
    return {cookie["name"] for cookie in page.context.cookies()}


def test_before_consent_nothing_and_after_it_every_event_has_its_twin(shop, pixel, page, until):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    arrive(page, shop)
    buy(page, shop)
    assert "thank" in page.inner_text("main").lower()
    assert (shop.events, pixel.events) == ([], [])
    assert not [url for url in asked if url.startswith(pixel.url)]
    assert not kept(page) & PIXEL_COOKIES
    assert "fbq" not in page.content()
    choose(page, "accept")
    until(lambda: set(names(shop.events)) == set(JOURNEY))
    until(lambda: sorted(pixel.events) == sorted(shop.events))
    (purchase,) = shop.sandbox.accepted("Purchase")
    assert purchase.payload["user_data"]["fbc"].endswith(FBCLID)
    page.goto(f"{shop.url}/search/?q=garden")
    settled(page)
    until(lambda: names(pixel.events).count("Search") == 2)
    until(lambda: sorted(pixel.events) == sorted(shop.events))
    # Each of them once.
    assert len(set(pixel.events)) == len(pixel.events)
    assert "capi_visit" not in kept(page)


def test_who_refuses_in_the_end_leaves_nothing(shop, pixel, page):
    arrive(page, shop)
    buy(page, shop)
    choose(page, "refuse")
    page.goto(f"{shop.url}/search/?q=garden")
    settled(page)
    page.goto(f"{shop.url}/")
    settled(page)
    assert (shop.events, pixel.events) == ([], [])
    assert not kept(page) & {*PIXEL_COOKIES, "capi_visit"}
    assert "fbq" not in page.content()


def test_another_visitor_releases_nothing(shop, pixel, page, browser, until):
    arrive(page, shop)
    context = browser.new_context(
        user_agent=page.evaluate("navigator.userAgent"),
        extra_http_headers={"X-Forwarded-For": "81.2.69.142"},
    )
    other = context.new_page()
    try:
        arrive(other, shop)
        choose(other, "accept")
        other.goto(f"{shop.url}/search/?q=kitchen")
        settled(other)
        until(lambda: "Search" in names(shop.events))
        until(lambda: sorted(pixel.events) == sorted(shop.events))
        # The landing page of the one who agreed, the page after the answer, and the search.
        assert names(shop.events).count("PageView") == 3
    finally:
        context.close()
