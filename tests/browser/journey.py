"""A shopper in the example shops, with a real browser."""

from __future__ import annotations

FBCLID = "IwAR0browserTest_click-id"


def arrive(page, shop, choice=None):
    """Follow an advertisement to the shop, and answer its banner if there is a choice."""
    page.goto(f"{shop.url}/?fbclid={FBCLID}")
    settled(page)
    if choice:
        choose(page, choice)


def choose(page, choice):
    page.click(f"button[value={choice}]")
    settled(page)


def buy(page, shop):
    """Look at a thing, search, put it into the cart, and pay."""
    page.fill("input[name=q]", "garden")
    page.press("input[name=q]", "Enter")
    settled(page)
    page.click("main a")
    settled(page)
    page.click("text=Add to cart")
    settled(page)
    page.goto(f"{shop.url}/checkout/")
    person = {
        "email": "ada@example.com", "phone": "+49 30 23125 014", "first_name": "Ada",
        "last_name": "Lindqvist", "address": "Gartenstr. 12", "zip": "10115", "city": "Berlin",
        "state": "Berlin",
    }  # fmt: skip
    for name, value in person.items():
        page.fill(f"main [name={name}]", value)
    country = page.locator("main [name=country]")
    if country.evaluate("field => field.tagName") == "SELECT":
        country.select_option("DE")
    else:
        country.fill("DE")
    card = page.locator("main [name=card_number], main [name=card]")
    if card.count():
        card.first.fill("4242 4242 4242 4242")
    settled(page)
    page.click("main button:not(.link)")
    settled(page)


def settled(page):
    """A person stays until the page is there; the script of the pixel comes late."""
    page.wait_for_load_state("networkidle")


def names(events):
    return sorted(name for name, _ in events)
