"""A scripted shopper, who visits either example shop as a person with a browser does.

    python examples/shopper.py http://127.0.0.1:8000            # every journey
    python examples/shopper.py http://127.0.0.1:8000 buy lead   # some of them

A journey is a function in JOURNEYS. It takes a fresh Shopper, shops over real HTTP and returns
what ought to arrive at the Conversions API because of it, as a list of Expectation values.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from html.parser import HTMLParser
from types import TracebackType
from urllib.parse import urljoin

import httpx

USER_AGENT = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/142.0.0.0 Safari/537.36"
)
GOOD_CARD = "4242 4242 4242 4242"
DECLINED_CARD = "4000 0000 0000 0002"
BROKEN_CARD = "4000 0000 0000 0119"

EVENT_NAMES = (
    "PageView",
    "ViewContent",
    "Search",
    "AddToCart",
    "InitiateCheckout",
    "Purchase",
    "CompleteRegistration",
    "Lead",
)
# What is known of everybody who came from an advertisement and accepted cookies.
VISITOR_KEYS = ("client_user_agent", "fbc")
NAME_KEYS = ("email", "first_name", "last_name")
BUYER_KEYS = (*VISITOR_KEYS, *NAME_KEYS, "phone", "city", "zip", "country")


class ShopMisbehaved(Exception):
    """The shop answered otherwise than a shop should; the message names the page and the status."""


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What ought to arrive of one event name because of one journey.

    Attributes:
        event_name: Meta's name of the event.
        count: How many such events, after deduplication by event_id. 0: none may arrive.
        value: custom_data.value of each, or None where the event has no value.
        currency: custom_data.currency of each, or None.
        content_ids: The product ids of each, in content_ids or contents, or empty.
        order_id: custom_data.order_id, or None.
        match_keys: Neutral names of the user_data fields that must be there (there may be more).
    """

    event_name: str
    count: int
    value: Decimal | None = None
    currency: str | None = None
    content_ids: tuple[str, ...] = ()
    order_id: str | None = None
    match_keys: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Product:
    """A product as its page describes it."""

    path: str
    sku: str
    name: str
    price: Decimal
    currency: str


@dataclass(frozen=True, kw_only=True)
class Order:
    """A placed order, as the shopper knows it."""

    number: str
    total: Decimal
    currency: str


@dataclass
class Form:
    """An HTML form with the fields it was delivered with."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    choices: dict[str, set[str]] = field(default_factory=dict)


class _Page(HTMLParser):
    """The parts of a page that a shopper uses: links, forms and schema.org properties."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.forms: list[Form] = []
        self.properties: dict[str, str] = {}
        self._form: Form | None = None
        self._select: str | None = None
        self._text_of: str | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if name := given.get("itemprop"):
            if (value := given.get("content", given.get("value"))) is not None:
                self.properties[name] = value
            else:
                self._text_of = name
        if tag == "form":
            self._form = Form(given.get("action", ""), given.get("method", "get").lower())
            self.forms.append(self._form)
        if self._form is not None:
            self._read_control(tag, given)

    def _read_control(self, tag: str, given: dict[str, str]) -> None:
        assert self._form is not None
        name = given.get("name", "")
        if tag == "select":
            self._select = name
        elif tag == "option" and self._select:
            self._form.choices.setdefault(self._select, set()).add(given["value"])
            if "selected" in given or self._select not in self._form.fields:
                self._form.fields[self._select] = given["value"]
        elif tag in {"input", "textarea"} and name:
            self._form.fields[name] = given.get("value", "")
        elif tag == "button" and name:
            self._form.choices.setdefault(name, set()).add(given.get("value", ""))

    def handle_data(self, data: str) -> None:
        if self._text_of and data.strip():
            self.properties.setdefault(self._text_of, data.strip())
            self._text_of = None

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = None

    def form(self, action: str) -> Form:
        """The form that posts to the given path, or whose path begins with it if it ends in '*'."""
        for form in self.forms:
            if form.action == action or (action[-1] == "*" and form.action.startswith(action[:-1])):
                return form
        raise ShopMisbehaved(
            f"no form posts to {action}; there are {[f.action for f in self.forms]}"
        )


class Shopper:
    """One person with one browser: a cookie jar, a name, and an advertisement that was clicked.

    Args:
        base_url: Where the shop is, without a path.
        client_ip: Sent as X-Forwarded-For, for a shop that runs with SHOP_TRUSTED_PROXIES=1.
        webhook_secret: With what the shop's payment provider signs.
        timeout: Seconds to wait for one answer.

    Attributes:
        pages: How many pages were seen: GET, 200, HTML, since the last answer to the banner.
        fbclid: The click id this shopper arrives with; it ends the fbc of all of their events.
    """

    def __init__(
        self,
        base_url: str,
        *,
        client_ip: str | None = None,
        webhook_secret: str = os.environ.get("PAYMENT_WEBHOOK_SECRET", "example-webhook-secret"),
        timeout: float = 10.0,
    ) -> None:
        headers = {"User-Agent": USER_AGENT, "Accept": "text/html", "Accept-Language": "en"}
        if client_ip:
            headers["X-Forwarded-For"] = client_ip
        self.base_url = base_url
        self.browser = httpx.Client(
            base_url=base_url, headers=headers, follow_redirects=True, timeout=timeout
        )
        self.pages = 0
        self.fbclid = f"IwAR{secrets.token_urlsafe(24)}"
        self.email = f"ada.{secrets.token_hex(4)}@example.com"
        self.person = {
            "email": self.email,
            "phone": "+49 30 23125 014",
            "first_name": "Ada",
            "last_name": "Lindqvist",
        }
        self.address = {
            "address": "Gartenstr. 12",
            "zip": "10115",
            "city": "Berlin",
            "state": "Berlin",
            "country": "DE",
        }
        self.password = secrets.token_urlsafe(12)
        self._cart_forms: dict[str, Form] = {}
        self._webhook_secret = webhook_secret.encode()
        self._timeout = timeout

    def __enter__(self) -> Shopper:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the browser."""
        self.browser.close()

    # -- browsing

    def open(self, path: str, *, expect: int = 200) -> httpx.Response:
        """Go to a page, following redirects, and insist on the status at the end."""
        return self._seen(self.browser.get(path), expect)

    def submit(self, form: Form, fields: dict[str, str], *, expect: int = 200) -> httpx.Response:
        """Fill in a form and send it, keeping its hidden fields, the CSRF token among them."""
        unknown = fields.keys() - form.fields.keys() - form.choices.keys()
        wrong = [n for n, v in fields.items() if n in form.choices and v not in form.choices[n]]
        if unknown or wrong:
            raise ShopMisbehaved(f"{form.action} does not offer {sorted(unknown) or wrong}")
        answer = self.browser.post(form.action, data={**form.fields, **fields})
        return self._seen(answer, expect)

    def _seen(self, answer: httpx.Response, expect: int) -> httpx.Response:
        if answer.status_code != expect:
            request = answer.request
            raise ShopMisbehaved(
                f"{request.method} {request.url.path} answered {answer.status_code}, not {expect}"
            )
        html = answer.headers.get("content-type", "").startswith("text/html")
        if answer.request.method == "GET" and answer.status_code == 200 and html:
            self.pages += 1
        return answer

    # -- what people do in a shop

    def land(self) -> httpx.Response:
        """Arrive from an advertisement."""
        return self.open(f"/?fbclid={self.fbclid}&utm_source=fb&utm_medium=paid")

    def answer_banner(self, choice: str) -> None:
        """Arrive, and answer the cookie banner: 'accept' or 'refuse'; the same page comes again."""
        form = _Page(self.land().text).form("/cookies/")
        self.pages = 0
        self.submit(form, {"choice": choice})

    def view(self, number: int = 0) -> Product:
        """Look at one of the products on the first page, counted from 0."""
        links = [link for link in _Page(self.open("/").text).links if link.startswith("/p/")]
        page = _Page(self.open(links[number]).text)
        self._cart_forms[page.properties["sku"]] = page.form("/cart/add/*")
        return Product(
            path=links[number],
            sku=page.properties["sku"],
            name=page.properties["name"],
            price=Decimal(page.properties["price"]),
            currency=page.properties["priceCurrency"],
        )

    def search(self, query: str) -> None:
        """Use the search box."""
        self.open(f"/search/?q={query}")

    def add_to_cart(self, product: Product, quantity: int = 1) -> None:
        """Use the form of the product's page, seen before; it takes the shopper to the cart."""
        self.submit(self._cart_forms[product.sku], {"quantity": str(quantity)})

    def check_out(
        self, *, payment: str = "card", card: str = GOOD_CARD, expect: int = 200
    ) -> httpx.Response:
        """Open the checkout and send its form: payment is 'card' or 'invoice'."""
        form = _Page(self.open("/checkout/").text).form("/checkout/")
        details = {**self.person, **self.address, "payment": payment}
        if payment == "card":
            details["card_number"] = card
        return self.submit(form, details, expect=expect)

    def order(self, product: Product, quantity: int = 1, *, payment: str = "card") -> Order:
        """Put a product into the cart and buy it."""
        self.add_to_cart(product, quantity)
        thanks = self.check_out(payment=payment)
        return Order(
            number=order_number(thanks), total=product.price * quantity, currency=product.currency
        )

    def register(self) -> None:
        """Open an account, which signs the shopper in."""
        form = _Page(self.open("/accounts/register/").text).form("/accounts/register/")
        details = {name: self.person[name] for name in NAME_KEYS}
        answer = self.submit(
            form, {**details, "password1": self.password, "password2": self.password}
        )
        if answer.url.path != "/":
            raise ShopMisbehaved("the registration was not accepted")

    def write(self) -> None:
        """Send the contact form."""
        form = _Page(self.open("/contact/").text).form("/contact/")
        message = {
            "name": f"{self.person['first_name']} {self.person['last_name']}",
            "email": self.email,
            "phone": self.person["phone"],
            "message": "Do you deliver to the islands?",
        }
        if self.submit(form, message).url.path != "/contact/thanks/":
            raise ShopMisbehaved("the contact form was not accepted")

    def settle_invoice(self, number: str, *, times: int = 1) -> None:
        """What the payment provider's server does, without any of the shopper's cookies."""
        body = json.dumps({"order": number, "status": "paid"}).encode()
        signature = hmac.new(self._webhook_secret, body, hashlib.sha256).hexdigest()
        headers = {
            "User-Agent": "PaymentProvider/1.0",
            "Content-Type": "application/json",
            "X-Payment-Signature": signature,
        }
        for _ in range(times):
            answer = httpx.post(
                urljoin(self.base_url, "/webhooks/payment/"),
                content=body,
                headers=headers,
                timeout=self._timeout,
            )
            if answer.status_code != 204:
                raise ShopMisbehaved(f"the payment webhook answered {answer.status_code}")


def order_number(answer: httpx.Response) -> str:
    """The number of the order that a thank-you page is about."""
    parts = answer.url.path.strip("/").split("/")
    if parts[0] != "thanks":
        raise ShopMisbehaved(f"the order was not accepted; the shopper is at {answer.url.path}")
    return parts[1]


# -- what to expect


def _views(shopper: Shopper) -> Expectation:
    return Expectation(event_name="PageView", count=shopper.pages, match_keys=VISITOR_KEYS)


def _viewed(product: Product, keys: tuple[str, ...] = VISITOR_KEYS) -> Expectation:
    return Expectation(
        event_name="ViewContent",
        count=1,
        value=product.price,
        currency=product.currency,
        content_ids=(product.sku,),
        match_keys=keys,
    )


def _added(product: Product, keys: tuple[str, ...] = VISITOR_KEYS) -> Expectation:
    return Expectation(event_name="AddToCart", count=1, content_ids=(product.sku,), match_keys=keys)


def _checkout(
    product: Product, quantity: int = 1, keys: tuple[str, ...] = VISITOR_KEYS
) -> Expectation:
    return Expectation(
        event_name="InitiateCheckout",
        count=1,
        value=product.price * quantity,
        currency=product.currency,
        content_ids=(product.sku,),
        match_keys=keys,
    )


def _purchase(order: Order, product: Product, *more_keys: str) -> Expectation:
    return Expectation(
        event_name="Purchase",
        count=1,
        value=order.total,
        currency=order.currency,
        content_ids=(product.sku,),
        order_id=order.number,
        match_keys=(*BUYER_KEYS, *more_keys),
    )


def _nothing_else(expected: list[Expectation]) -> list[Expectation]:
    """The same, and none of the events that were not named."""
    named = {expectation.event_name for expectation in expected}
    others = (name for name in EVENT_NAMES if name not in named)
    return expected + [Expectation(event_name=name, count=0) for name in others]


# -- journeys


def buy(shopper: Shopper) -> list[Expectation]:
    """A guest arrives from an advertisement, looks around, searches and buys two of a thing."""
    shopper.answer_banner("accept")
    shopper.search("garden")
    product = shopper.view(1)
    order = shopper.order(product, 2)
    return _nothing_else(
        [
            _views(shopper),
            Expectation(event_name="Search", count=1, match_keys=VISITOR_KEYS),
            _viewed(product),
            _added(product),
            _checkout(product, 2),
            _purchase(order, product),
        ]
    )


def register_and_buy(shopper: Shopper) -> list[Expectation]:
    """Somebody opens an account and buys signed in."""
    shopper.answer_banner("accept")
    shopper.register()
    product = shopper.view(2)
    order = shopper.order(product)
    signed_in = (*VISITOR_KEYS, *NAME_KEYS, "external_id")
    return _nothing_else(
        [
            _views(shopper),
            Expectation(event_name="CompleteRegistration", count=1, match_keys=signed_in),
            _viewed(product, signed_in),
            _added(product, signed_in),
            _checkout(product, keys=signed_in),
            _purchase(order, product, "external_id"),
        ]
    )


def refuse(shopper: Shopper) -> list[Expectation]:
    """Somebody refuses, then does everything there is to do. Nothing may arrive, then or later."""
    shopper.answer_banner("refuse")
    shopper.search("garden")
    shopper.write()
    shopper.register()
    product = shopper.view(0)
    shopper.order(product)
    later = shopper.order(product, payment="invoice")
    shopper.settle_invoice(later.number)
    return _nothing_else([])


def rolls_back(shopper: Shopper) -> list[Expectation]:
    """The card is declined after the order was saved: the shop takes it back, politely."""
    shopper.answer_banner("accept")
    product = shopper.view(3)
    shopper.add_to_cart(product)
    shopper.check_out(card=DECLINED_CARD, expect=402)
    return _nothing_else([_views(shopper), _viewed(product), _added(product), _checkout(product)])


def crashes(shopper: Shopper) -> list[Expectation]:
    """The payment breaks after the order was saved, and the shop answers with an error."""
    shopper.answer_banner("accept")
    product = shopper.view(4)
    shopper.add_to_cart(product)
    shopper.check_out(card=BROKEN_CARD, expect=500)
    return _nothing_else([_views(shopper), _viewed(product), _added(product), _checkout(product)])


def pays_later(shopper: Shopper) -> list[Expectation]:
    """Bought on invoice; the payment provider reports the money, three times as providers do.

    The purchase happens in the provider's request. It is the shopper's all the same: with the
    browser, the click and the consent of the request that placed the order.
    """
    shopper.answer_banner("accept")
    product = shopper.view(5)
    order = shopper.order(product, payment="invoice")
    shopper.settle_invoice(order.number, times=3)
    return _nothing_else(
        [
            _views(shopper),
            _viewed(product),
            _added(product),
            _checkout(product),
            _purchase(order, product),
        ]
    )


def lead(shopper: Shopper) -> list[Expectation]:
    """Somebody writes to the shop."""
    shopper.answer_banner("accept")
    shopper.write()
    keys = (*VISITOR_KEYS, "email", "phone")
    return _nothing_else(
        [_views(shopper), Expectation(event_name="Lead", count=1, match_keys=keys)]
    )


def reload_thanks(shopper: Shopper) -> list[Expectation]:
    """The thank-you page is reloaded twice: it is still one purchase."""
    shopper.answer_banner("accept")
    product = shopper.view(6)
    order = shopper.order(product)
    for _ in range(2):
        shopper.open(f"/thanks/{order.number}/")
    return _nothing_else(
        [
            _views(shopper),
            _viewed(product),
            _added(product),
            _checkout(product),
            _purchase(order, product),
        ]
    )


JOURNEYS: dict[str, Callable[[Shopper], list[Expectation]]] = {
    "buy": buy,
    "register_and_buy": register_and_buy,
    "refuse": refuse,
    "rolls_back": rolls_back,
    "crashes": crashes,
    "pays_later": pays_later,
    "lead": lead,
    "reload_thanks": reload_thanks,
}


def main(arguments: list[str]) -> None:
    """Go on the named journeys, or on all of them, and say what ought to have arrived."""
    base_url, *names = arguments
    for name in names or JOURNEYS:
        with Shopper(base_url) as shopper:
            expected = JOURNEYS[name](shopper)
        print(f"{name} ({shopper.email})")
        for expectation in expected:
            if expectation.count:
                of = f"{expectation.value} {expectation.currency}" if expectation.value else ""
                print(f"  {expectation.count:>2} x {expectation.event_name:<21} {of}".rstrip())
        if not any(expectation.count for expectation in expected):
            print("  nothing")


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    main(sys.argv[1:])
