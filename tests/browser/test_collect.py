"""Events that happen in a page alone, in a real browser: sent once by each side, with one id."""

from __future__ import annotations

import pytest

from tests.browser.journey import arrive, names, settled

TRACK = "capi.track('AddToWishlist', {content_ids: ['tea'], value: 12.5, currency: 'EUR'})"


@pytest.fixture(params=["django", "django, ASGI", "flask"])
def shop(request, run_shop, pixel):
    return run_shop(request.param, SHOP_COLLECT="1")


def ready(page, shop):
    page.add_script_tag(url=f"{shop.url}/capi/bridge.js")
    return page


def answered(page):
    """Track an event and return what it was answered."""
    with page.expect_response("**/capi/collect") as answer:
        page.evaluate(TRACK)
    return answer.value


def test_the_page_sends_the_event_that_the_server_sends(shop, pixel, page, until):
    arrive(page, shop, "accept")
    page.click("main a")
    settled(page)
    where = page.url
    assert answered(ready(page, shop)).status == 204
    until(lambda: "AddToWishlist" in names(pixel.events))
    until(lambda: sorted(pixel.events) == sorted(shop.events))
    [event] = [each for each in shop.sandbox.accepted() if each.name == "AddToWishlist"]
    assert event.payload["event_source_url"] == where
    assert event.payload["custom_data"]["value"] == 12.5
    assert "fbp" in event.payload["user_data"]
    # The next page does not have it again.
    page.goto(f"{shop.url}/search/?q=garden")
    settled(page)
    until(lambda: "Search" in names(pixel.events))
    assert names(pixel.events).count("AddToWishlist") == 1


def test_an_event_of_a_page_that_is_left_arrives(shop, pixel, page, until):
    arrive(page, shop, "accept")
    ready(page, shop)
    page.evaluate(f"{TRACK}; location.href = '{shop.url}/search/?q=garden'")
    page.wait_for_url("**/search/**")
    until(lambda: "AddToWishlist" in names(shop.events))


@pytest.mark.parametrize("choice", [None, "refuse"])
def test_without_consent_nobody_sends_anything(shop, pixel, page, choice):
    arrive(page, shop, choice)
    ready(page, shop)
    page.evaluate("() => { window.told = []; window.fbq = () => told.push(1); }")
    answer = answered(page)
    assert answer.status == 204
    assert "capi-twin" not in answer.headers
    assert page.evaluate("told") == []
    page.goto(f"{shop.url}/search/?q=garden")
    settled(page)
    assert (shop.events, pixel.events) == ([], [])


def test_who_refuses_while_the_pixel_is_in_the_page_is_heard(shop, pixel, page, until):
    arrive(page, shop, "accept")
    until(lambda: sorted(pixel.events) == sorted(shop.events) and shop.events)
    ready(page, shop)
    refused = "consentid:a,consent:no,action:yes,necessary:yes,advertisement:no"
    page.context.add_cookies([{"name": "cookieyes-consent", "value": refused, "url": shop.url}])
    assert answered(page).status == 204
    settled(page)
    assert "AddToWishlist" not in names([*shop.events, *pixel.events])


def test_a_page_of_another_site_is_refused(shop, pixel, page, until):
    arrive(page, shop, "accept")
    until(lambda: sorted(pixel.events) == sorted(shop.events) and shop.events)
    before = shop.events
    # The same machine under another name is another site.
    page.goto(shop.url.replace("127.0.0.1", "localhost"))
    settled(page)
    with page.expect_response("**/capi/collect") as answer:
        page.evaluate(
            """url => fetch(url, {method: "POST", mode: "no-cors", credentials: "include",
               body: '{"event_name": "AddToWishlist"}'})""",
            f"{shop.url}/capi/collect",
        )
    assert answer.value.status == 403
    assert "AddToWishlist" not in names(shop.events)
    assert len(shop.events) == len(before)
