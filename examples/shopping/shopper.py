"""A person with a browser who shops."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from dataclasses import dataclass
from decimal import Decimal
from types import TracebackType
from typing import Self
from urllib.parse import urljoin

import httpx

from .page import Form, Page, ShopMisbehaved

USER_AGENT = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/142.0.0.0 Safari/537.36"
)
GOOD_CARD = "4242 4242 4242 4242"
DECLINED_CARD = "4000 0000 0000 0002"
BROKEN_CARD = "4000 0000 0000 0119"


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

    def __enter__(self) -> Self:
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
        form = Page(self.land().text).form("/cookies/")
        self.pages = 0
        self.submit(form, {"choice": choice})

    def view(self, number: int = 0) -> Product:
        """Look at one of the products on the first page, counted from 0."""
        links = [link for link in Page(self.open("/").text).links if link.startswith("/p/")]
        page = Page(self.open(links[number]).text)
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
        form = Page(self.open("/checkout/").text).form("/checkout/")
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
        form = Page(self.open("/accounts/register/").text).form("/accounts/register/")
        details = {name: self.person[name] for name in ("email", "first_name", "last_name")}
        answer = self.submit(
            form, {**details, "password1": self.password, "password2": self.password}
        )
        if answer.url.path != "/":
            raise ShopMisbehaved("the registration was not accepted")

    def write(self) -> None:
        """Send the contact form."""
        form = Page(self.open("/contact/").text).form("/contact/")
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
