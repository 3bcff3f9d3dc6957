"""Every event of the browser has a twin from the server, and nothing happens without consent."""

from __future__ import annotations

import re

import pytest

from tests.browser.journey import FBCLID, arrive, buy, names, settled


@pytest.mark.parametrize("shop", ["django", "django, ASGI", "flask"], indirect=True)
def test_the_browser_sends_what_the_server_sends_with_the_same_ids(shop, pixel, page, until):
    arrive(page, shop, "accept")
    buy(page, shop)
    assert "thank" in page.inner_text("main").lower()
    until(lambda: "Purchase" in names(shop.events) and "Purchase" in names(pixel.events))
    until(lambda: sorted(pixel.events) == sorted(shop.events))
    found = set(names(pixel.events))
    assert found == {
        "PageView", "Search", "ViewContent", "AddToCart", "InitiateCheckout", "Purchase"
    }  # fmt: skip
    before = len(pixel.events)
    page.reload()
    until(lambda: len(pixel.events) > before)
    until(lambda: sorted(pixel.events) == sorted(shop.events))
    assert names(pixel.events).count("Purchase") == 1


def test_the_values_are_the_servers(shop, pixel, page, until):
    arrive(page, shop, "accept")
    buy(page, shop)
    until(lambda: "Purchase" in names(shop.events) and "Purchase" in names(pixel.events))
    (call,) = [call for call in pixel.calls if call[1] == "Purchase"]
    (event,) = [each for each in shop.sandbox.accepted() if each.name == "Purchase"]
    assert call[2] == event.payload["custom_data"]
    assert call[2]["value"] > 0


def test_who_consents_gets_the_cookies_that_every_event_has(shop, pixel, page, until):
    arrive(page, shop, "accept")
    page.click("main a")
    until(lambda: len(shop.events) >= 2)
    cookies = {cookie["name"]: cookie for cookie in page.context.cookies()}
    assert re.fullmatch(rf"fb\.1\.\d{{13}}\.{FBCLID}", cookies["_fbc"]["value"])
    assert re.fullmatch(r"fb\.1\.\d{13}\.\d{1,10}", cookies["_fbp"]["value"])
    for name in ("_fbc", "_fbp"):
        assert cookies[name]["sameSite"] == "Lax"
        assert {each[name[1:]] for each in shop.user_data()} == {cookies[name]["value"]}
    until(lambda: sorted(pixel.events) == sorted(shop.events))


def test_who_refuses_gets_no_cookie_no_script_and_no_event(shop, pixel, page, until):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    arrive(page, shop, "refuse")
    buy(page, shop)
    assert "thank" in page.inner_text("main").lower()
    kept = {cookie["name"] for cookie in page.context.cookies()}
    assert not kept & {"_fbc", "_fbp", "capi_events"}
    assert not [url for url in asked if url.startswith(pixel.url)]
    assert "fbq" not in page.content()
    assert shop.events == []


def test_who_has_not_decided_gets_nothing_either(shop, pixel, page):
    page.goto(f"{shop.url}/?fbclid={FBCLID}")
    page.goto(f"{shop.url}/")
    kept = {cookie["name"] for cookie in page.context.cookies()}
    assert not kept & {"_fbc", "_fbp", "capi_events"}
    assert "fbq" not in page.content()


def test_a_signed_in_visitor_has_the_same_id_in_browser_and_server(shop, pixel, page, until):
    arrive(page, shop, "accept")
    page.goto(f"{shop.url}/register/")
    if page.locator("main form").count() == 0:
        page.goto(f"{shop.url}/accounts/register/")
    for field in page.locator("main form input:not([type=hidden])").all():
        kind, name = field.get_attribute("type"), field.get_attribute("name")
        value = {"email": "ada@example.com", "password": "Sesame-Street-42"}.get(kind, "Ada")
        field.fill(f"ada@{name}.example" if kind == "text" and "email" in name else value)
    settled(page)
    page.click("main button:not(.link)")
    settled(page)
    page.goto(f"{shop.url}/")
    until(lambda: "CompleteRegistration" in names(pixel.events))
    until(lambda: sorted(pixel.events) == sorted(shop.events))
    last = [call for call in pixel.calls if call[0] == "init"][-1]
    assert last[2]["external_id"] in [
        value for each in shop.user_data() for value in each.get("external_id", [])
    ]


@pytest.mark.parametrize("name", ["django", "flask"])
def test_a_policy_that_wants_a_nonce_lets_the_pixel_run(run_shop, name, pixel, page, until):
    shop = run_shop(name, SHOP_CSP=pixel.url)
    complaints = []
    page.on("console", lambda message: complaints.append(message.text))
    answers = []
    page.on("response", lambda answer: answers.append(answer.headers))
    arrive(page, shop, "accept")
    page.click("main a")
    settled(page)
    until(lambda: "ViewContent" in names(pixel.events))
    until(lambda: sorted(pixel.events) == sorted(shop.events))
    policies = [headers.get("content-security-policy", "") for headers in answers]
    assert any("'nonce-" in policy for policy in policies)
    assert not any("unsafe-inline" in policy for policy in policies)
    assert not [text for text in complaints if "Content Security Policy" in text]


def test_pages_with_the_pixel_are_kept_by_no_shared_cache(shop, pixel, page, until):
    answers = {}
    page.on("response", lambda answer: answers.update({answer.url: answer.headers}))
    arrive(page, shop, "accept")
    page.goto(f"{shop.url}/search/?q=garden")
    settled(page)
    kept = answers[f"{shop.url}/search/?q=garden"]
    assert "fbq(" in page.content()
    assert "private" in kept["cache-control"]
    until(lambda: sorted(pixel.events) == sorted(shop.events))
