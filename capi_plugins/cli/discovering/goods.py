"""Which moments are about one product: somebody looks at it, wishes for it, puts it in a cart."""

from __future__ import annotations

from capi_plugins.cli.discovering.fields import find, price, product_key
from capi_plugins.cli.discovering.shapes import Shape
from capi_plugins.cli.discovering.survey import Moment
from capi_plugins.cli.discovering.words import (
    ADD,
    CART,
    CHECKOUT,
    DONE,
    GOODS,
    HOOKS,
    LISTED,
    ORDERING,
    ORDERS,
    SEARCH,
    TAKE_AWAY,
    VIEWED,
    WISHLIST,
    snake,
    words_of,
)

READS = ("GET", "")
WRITES = ("POST", "PUT", "PATCH", "")
NOTHING = Shape(kind="nothing")
_SUBJECTS = ("order", "cart", "basket", "bag", "product", "purchase", "booking", "item")
_ELSEWHERE = CART | CHECKOUT | DONE | SEARCH | ORDERING
_NAMED = GOODS | {"products", "items", "articles", "books", "courses", "variants"}


def is_shown(moment: Moment) -> bool:
    """Whether a request may have shown a page."""
    return moment.on == "request" and moment.method in READS and moment.status in (0, 200)


def by_subject(name: str) -> tuple[int, str]:
    """Sort the names of a page: first what it is likely to be about."""
    plain = snake(name)
    return (_SUBJECTS.index(plain) if plain in _SUBJECTS else len(_SUBJECTS), name)


def is_viewed(moment: Moment) -> bool:
    """Whether a signal says that somebody looked at a product."""
    said = words_of(moment.name.rpartition(".")[2])
    return moment.on == "signal" and bool(said & GOODS) and bool(said & VIEWED)


def viewed(moment: Moment) -> str | None:
    """Find the one product that a page shows, or an answer to a script tells of."""
    if not is_shown(moment) or moment.said & _ELSEWHERE:
        return None
    context = moment.roots.get("context")
    args = moment.roots.get("args", NOTHING)
    if not (
        moment.roots.get("kwargs", context or NOTHING).fields or product_key(args, "args", "sku")
    ):
        return None
    shown = [] if context is None else [(f"context.{n}", s) for n, s in context.fields.items()]
    told = moment.roots.get("response", NOTHING)
    shown += [(f"response.{name}", shape) for name, shape in told.fields.items()]
    for path, shape in sorted(shown, key=lambda item: by_subject(item[0].partition(".")[2])):
        priced = shape.item is None and price(shape, "it")
        called = words_of(path.partition(".")[2], shape.type)
        if priced and product_key(shape, "it", "sku") and not called & (CART | set(ORDERS)):
            return path
    return None


def asked_for(moment: Moment, prefer: str = "sku") -> str | None:
    """Find what names the product of a page by its address alone."""
    unlike = _ELSEWHERE | WISHLIST | ADD | TAKE_AWAY | HOOKS | LISTED
    if not is_shown(moment) or not moment.said & _NAMED or moment.said & unlike:
        return None
    for root in ("kwargs", "args"):
        if path := product_key(moment.roots.get(root, NOTHING), root, prefer):
            return path
    return None


def is_wishing(moment: Moment) -> bool:
    """Whether a request puts something on a list of wishes."""
    wished = moment.on == "request" and bool(moment.said & WISHLIST)
    adds = bool(moment.said & ADD) and not moment.said & TAKE_AWAY
    return wished and moment.method in WRITES and adds


def is_adding(moment: Moment) -> bool:
    """Whether a request puts something into the cart."""
    said, product = moment.said, product_of(moment) is not None
    told = words_of(*moment.actions.values())
    if moment.on == "request" and product and told & ADD:
        return not said & (CHECKOUT | WISHLIST)
    if moment.on != "request" or (said | told) & TAKE_AWAY:
        return False
    adds = bool(said & ADD)
    into_cart = bool(said & CART) and not said & CHECKOUT
    if moment.method not in WRITES:
        # A link does it in many small shops.
        return into_cart and adds and product
    if into_cart:
        return adds or product
    # ``/products/<slug>/add/`` names no cart; how many of it are wanted says enough.
    elsewhere = said & (CHECKOUT | ORDERING | WISHLIST)
    return adds and product and not elsewhere and quantity_of(moment) is not None


def is_added(moment: Moment) -> bool:
    """Whether a signal or a new row says that something was put into the cart."""
    said = words_of(moment.name.rpartition(".")[2])
    if said & TAKE_AWAY or not said & CART:
        return False
    if moment.on == "signal":
        return bool(said & ADD)
    lines = said & {"line", "item", "entry", "product"}
    return moment.on == "model" and moment.created and bool(lines)


def goods_of(moment: Moment) -> str | None:
    """Find the product that a signal is sent with, or the line of a cart that names one."""
    if moment.on == "model":
        return "instance"
    told = [name for name in sorted(moment.roots) if name != "sender"]
    products = [name for name in told if snake(name) in GOODS]
    return next((name for name in (*products, *told) if words_of(name) & (GOODS | {"line"})), None)


def guessed_roots(path: str) -> frozenset[str]:
    """Say what a signal is likely to be sent with, by names: that is written down nowhere.

    Args:
        path: The dotted path of the signal.
    """
    said = words_of(path.rpartition(".")[2])
    if said & {"registered", "signed", "registration"}:
        return said | {"user"}
    return said | {"product"} if said & CART and said & ADD else said


def product_of(moment: Moment, prefer: str = "sku") -> str | None:
    """Find where a request says which product it is about."""
    for root in ("kwargs", "form", "json", "args"):
        if root in moment.roots and (path := product_key(moment.roots[root], root, prefer)):
            return path
    return None


def quantity_of(moment: Moment) -> str | None:
    """Find how many of a product a request is about."""
    for root in ("form", "json", "kwargs", "args"):
        if root in moment.roots and (path := find("quantity", moment.roots[root], root, 1)):
            return path
    return None
