"""The words by which conversions and their fields are told, best first.

Sources: the fields and routes of widely used shops (django-oscar, Saleor, django-shop, the shops
of tutorials and books) and of Flask's example applications.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping

FIELDS: Mapping[str, tuple[str, ...]] = {
    "value": (
        *("total_incl_tax", "grand_total", "order_total", "total_price", "total_amount", "total"),
        *("total_gross", "total_cost", "get_total_price", "get_total_cost", "get_total"),
        *("total_paid", "amount_total", "amount_paid", "price_total", "amount", "sum", "value"),
        *("subtotal", "sub_total"),
    ),
    "price": (
        *("price_incl_tax", "unit_price_incl_tax", "current_price", "unit_price", "price"),
        *("item_price", "get_price", "price_each", "amount", "cost", "fee"),
    ),
    "reduced": (
        *("sale_price", "discount_price", "discounted_price", "price_discount", "special_price"),
        *("offer_price", "promo_price", "promotional_price", "reduced_price"),
    ),
    "currency": ("currency", "currency_code", "price_currency", "get_currency"),
    "number": (
        *("number", "order_number", "reference", "order_ref", "order_reference", "invoice_number"),
        *("order_id", "public_id", "code", "uuid", "pk", "id"),
    ),
    "sku": ("sku", "isbn", "ean", "upc", "product_sku", "article_number", "item_sku"),
    "id": (
        *("product_id", "item_id", "variant_id", "article_id", "book_id", "course_id"),
        *("product", "item", "pid", "pk", "id"),
    ),
    "slug": ("slug", "product_slug", "handle"),
    "title": ("name", "title", "product_name", "label"),
    "category": ("category", "category_name", "genre", "department"),
    "quantity": ("quantity", "qty", "count", "num_items", "amount", "units"),
    "count": ("count", "num_items", "item_count", "total_items", "total_quantity", "get_count"),
    "lines": (
        *("lines", "all_lines", "items", "order_lines", "order_items", "line_items", "entries"),
        *("cart_items", "basket_items", "products", "positions", "contents", "cart", "basket"),
    ),
    "paid": (
        *("paid", "is_paid", "payment_received", "payment_complete", "payment_completed"),
        *("has_paid", "paid_for", "fully_paid", "completed", "is_complete", "complete"),
        *("is_completed", "ordered", "is_ordered", "confirmed", "is_confirmed", "settled"),
    ),
    "paid_at": (
        *("paid_at", "paid_on", "date_paid", "paid_date", "payment_date", "payment_received_at"),
        *("settled_at", "completed_at", "date_completed", "confirmed_at"),
    ),
    "status": ("status", "payment_status", "state", "order_status"),
    "query": ("q", "query", "search", "search_query", "s", "term", "keyword", "keywords", "text"),
    "password": ("password", "password1", "password_1", "passwd", "new_password"),
    "email": (
        *("email", "email_address", "customer_email", "billing_email", "contact_email", "mail"),
        *("e_mail", "your_email", "user_email", "guest_email", "username"),
    ),
    "phone": ("phone", "phone_number", "telephone", "tel", "mobile", "billing_phone", "cell"),
    "first_name": ("first_name", "firstname", "given_name", "forename", "billing_first_name"),
    "last_name": ("last_name", "lastname", "surname", "family_name", "billing_last_name"),
    "city": ("city", "town", "billing_city", "locality", "line4"),
    "state": ("state", "province", "region", "county", "billing_state"),
    "zip": ("zip", "postal_code", "postcode", "zip_code", "zipcode", "plz", "billing_zip"),
    "country": ("country_code", "country", "country_id", "billing_country"),
}
"""Roles of fields, and the names they have."""

PEOPLE = ("email", "phone", "first_name", "last_name", "city", "state", "zip", "country")
"""Roles that are match keys."""

HOLDERS = frozenset(
    "order cart basket bag invoice payment purchase booking checkout product item article book "
    "variant course ticket event customer user buyer owner account client person contact billing "
    "shipping billing_address shipping_address address profile total price line purchase_info "
    "stockrecord object instance".split()
)
"""Names behind which there may be more of them."""

PAID_WORDS = (
    *("paid", "completed", "complete", "confirmed", "captured", "settled", "succeeded"),
    *("success", "approved"),
)
"""What a status says when money has come; the only texts a recording keeps of a row."""

ORDERS = (
    *("order", "purchase", "sale", "booking", "reservation", "registration", "ticketorder"),
    *("invoice", "donation", "payment", "transaction"),
)
"""Names of models that stand for a purchase, best first."""

CART = frozenset("cart basket bag trolley".split())
ADD = frozenset("add added adding addition put insert inserted create created new plus".split())
GOODS = frozenset("product item article book course variant".split())
BESIDE = HOLDERS - GOODS - frozenset("ticket event object instance stockrecord".split())
"""Names behind which there is no product, beside it in the line of a cart."""
VIEWED = frozenset("viewed view seen shown visited".split())
TAKE_AWAY = frozenset(
    "remove removed removal delete deleted clear update empty minus change increase decrease "
    "apply coupon coupons voucher vouchers".split()
)
CHECKOUT = frozenset("checkout kasse caisse pay payment payments".split())
ORDERING = frozenset("order orders purchase booking".split())
DONE = frozenset(
    "thanks thank thankyou success successful done complete completed confirmation confirmed "
    "confirm receipt placed created cancel cancelled canceled failed error".split()
)
SEARCH = frozenset("search suche find".split())
CONTACT = frozenset(
    "contact lead leads enquiry inquiry quote callback demo newsletter subscribe subscription "
    "subscriber waitlist feedback message appointment".split()
)
LEAVING = frozenset("unsubscribe unsubscribed optout remove delete cancel update".split())
"""Words of forms with an address in them by which nobody is won."""
WISHLIST = frozenset("wishlist favourite favorite favourites favorites".split())
HOOKS = frozenset("webhook webhooks hook admin api dashboard".split())
LISTED = frozenset("list category categories tag tags brand brands review reviews edit".split())
"""Words of pages that are about many products, or for whoever sells them."""
REGISTER = frozenset("register registration registered signup join enrol enroll".split())
_KNOWN = (
    *(CART, ADD, TAKE_AWAY, CHECKOUT, ORDERING, DONE, SEARCH, CONTACT, WISHLIST, REGISTER),
    *(
        HOOKS,
        LISTED,
        LEAVING,
        frozenset("sign up account product products item detail user".split()),
    ),
)
KNOWN = frozenset[str]().union(*_KNOWN)
"""Every word that a route may be told by; other parts of a path are not kept."""

# ``query`` of a SQLAlchemy model asks for all its rows.
_OF_OBJECTS = tuple(role for role in FIELDS if role not in {"query", "password"})
_LINES = re.compile(r"(^|_)(line|item|position|entry)(s|_?set|lines|items)?$|^order\w*_set$")
_TOTAL = re.compile(r"(^|_)total($|_)")
_NO_TOTAL = re.compile(r"tax|discount|ship|count|quantity|items|excl|cents|number|weight|vat")
_LAST = 50


@functools.lru_cache(maxsize=4096)
def rank(role: str, name: str) -> int | None:
    """Say how well a name fits a role; lower is better, None: not at all.

    Args:
        role: A key of ``FIELDS``.
        name: The name of a field, in any case.
    """
    plain = snake(name)
    if plain in FIELDS[role]:
        return FIELDS[role].index(plain)
    if role == "email" and {"mail", "email"} & set(plain.split("_")):
        return _LAST
    if role == "value" and _TOTAL.search(plain) and not _NO_TOTAL.search(plain):
        return _LAST
    if role == "lines" and _LINES.search(plain):
        return _LAST
    return None


@functools.lru_cache(maxsize=4096)
def understood(name: str) -> bool:
    """Whether a name means anything here; fields of other names are never read."""
    return snake(name) in HOLDERS or any(rank(role, name) is not None for role in _OF_OBJECTS)


def snake(name: str) -> str:
    """Write a name in lower case with underscores."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).replace("-", "_").lower()


def words_of(*texts: str | None) -> frozenset[str]:
    """Take texts apart into lower-case words: ``cart:addItem`` is cart, add and item."""
    found: set[str] = set()
    for text in texts:
        found.update(re.findall(r"[a-z]+", snake(text or "").replace("_", " ")))
    return frozenset(found)


def known_words(texts: Iterable[str]) -> frozenset[str]:
    """Keep those words of texts that mean something here."""
    return words_of(*texts) & KNOWN
