"""Which moments are which events: the rules of thumb for a shop's funnel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from capi_plugins.cli.discovering.fields import find, lines, product_key
from capi_plugins.cli.discovering.shapes import Shape
from capi_plugins.cli.discovering.survey import Moment
from capi_plugins.cli.discovering.words import (
    ADD,
    CART,
    CHECKOUT,
    CONTACT,
    DONE,
    GOODS,
    ORDERING,
    ORDERS,
    REGISTER,
    SEARCH,
    TAKE_AWAY,
    VIEWED,
    WISHLIST,
    rank,
    snake,
    words_of,
)

_HOOKS = frozenset("webhook webhooks hook admin api dashboard".split())
# ``q``, ``query``, ``search`` and ``search_query`` are used for nothing else, on a list too.
_SURELY_SEARCHED = 3
_READS = ("GET", "")
_WRITES = ("POST", "PUT", "PATCH", "")
_NOTHING = Shape(kind="nothing")
_SUBJECTS = ("order", "cart", "basket", "bag", "product", "purchase", "booking", "item")


def words(moment: Moment) -> frozenset[str]:
    """Everything that tells what a moment is."""
    return moment.words | words_of(moment.name)


def is_telling(moment: Moment) -> bool:
    """Whether the name of a moment sounds like a conversion, whatever can be made of it."""
    said = words(moment)
    if moment.on == "model":
        return moment.is_user or bool(said & (set(ORDERS) | CONTACT) - {"registration"})
    if said & _HOOKS:
        return False
    bought = set(ORDERS) | CART | CHECKOUT | ORDERING
    return bool(said & (bought | SEARCH | CONTACT | WISHLIST | REGISTER | {"product"}))


def is_adding(moment: Moment) -> bool:
    """Whether a request puts something into the cart."""
    said = words(moment)
    if moment.on != "request" or moment.method not in _WRITES or said & TAKE_AWAY:
        return False
    adds, product = bool(said & ADD), product_of(moment) is not None
    if said & CART and not said & CHECKOUT:
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


def is_viewed(moment: Moment) -> bool:
    """Whether a signal says that somebody looked at a product."""
    said = words_of(moment.name.rpartition(".")[2])
    return moment.on == "signal" and bool(said & GOODS) and bool(said & VIEWED)


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


def is_wishing(moment: Moment) -> bool:
    """Whether a request puts something on a list of wishes."""
    said = words(moment)
    wished = moment.on == "request" and bool(said & WISHLIST)
    return wished and moment.method in _WRITES and not said & TAKE_AWAY and bool(said & ADD)


def is_checkout(moment: Moment) -> bool:
    """Whether a request shows the form in which an order is placed."""
    said = words(moment)
    asked = bool(said & CHECKOUT) or (bool(said & ORDERING) and bool(said & {"create", "new"}))
    shown = moment.on == "request" and moment.method in _READS and moment.status in (0, 200)
    return asked and shown and not said & (DONE | _HOOKS)


def viewed(moment: Moment) -> str | None:
    """Find the one product that a page shows, or an answer to a script tells of."""
    context = moment.roots.get("context")
    if moment.on != "request" or moment.method not in _READS or moment.status not in (0, 200):
        return None
    if words(moment) & (CART | CHECKOUT | DONE | SEARCH | ORDERING):
        return None
    if not moment.roots.get("kwargs", context or _NOTHING).fields:
        return None
    shown = [] if context is None else [(f"context.{n}", s) for n, s in context.fields.items()]
    told = moment.roots.get("response", _NOTHING)
    shown += [(f"response.{name}", shape) for name, shape in told.fields.items()]
    for path, shape in sorted(shown, key=lambda item: _subject(item[0].partition(".")[2])):
        priced = shape.item is None and find("price", shape, "it")
        named = snake(path.partition(".")[2]) not in CART
        if named and priced and product_key(shape, "it", "sku"):
            return path
    return None


def searched(moment: Moment) -> str | None:
    """Find what was searched for."""
    if moment.on != "request" or moment.method not in _READS or moment.status not in (0, 200):
        return None
    if not moment.times and words(moment) & SEARCH:
        return "args.q"
    args = moment.roots.get("args")
    names = [] if args is None else [(rank("query", name), name) for name in args.fields]
    found = sorted((place, name) for place, name in names if place is not None)
    if not found or not (words(moment) & SEARCH or found[0][0] <= _SURELY_SEARCHED):
        return None
    return f"args.{found[0][1]}"


def is_contact(moment: Moment) -> bool:
    """Whether somebody has left an address without opening an account or buying."""
    said = words(moment)
    if moment.on == "model":
        wanted = moment.created and bool(words_of(moment.name.rpartition(".")[2]) & CONTACT)
        return wanted and find("email", moment.roots["instance"], "instance", 1) is not None
    if moment.on != "request" or moment.method not in _WRITES[:-1]:
        return False
    if said & (CART | CHECKOUT | REGISTER | _HOOKS) or {"sign", "up"} <= said:
        return False
    form = moment.roots.get("form", _NOTHING)
    return bool(said & CONTACT) and find("email", form, "form", 1) is not None


def is_registration(moment: Moment) -> bool:
    """Whether an account was opened."""
    if moment.on == "model":
        return moment.is_user and moment.created
    said = words_of(moment.name.rpartition(".")[2])
    joined = bool(said & REGISTER) or {"signed", "up"} <= said
    return moment.on == "signal" and joined and user_of(moment) is not None


def user_of(moment: Moment) -> str | None:
    """Find the account that a signal is about."""
    return next((name for name in ("user", "account") if name in moment.roots), None)


def bought(moment: Moment) -> tuple[int, str] | None:
    """Say how surely a moment is a purchase, and where its order is; higher is surer."""
    if moment.on == "model":
        return _bought_row(moment)
    if moment.on == "signal":
        return _bought_signal(moment)
    context = moment.roots.get("context")
    shown = moment.method in _READS and moment.status in (0, 200)
    if context is None or not shown or not words(moment) & (DONE - {"cancel", "failed", "error"}):
        return None
    for name, shape in sorted(context.fields.items(), key=lambda item: _subject(item[0])):
        if shape.fields and snake(name) not in CART and find("value", shape, name):
            return 40, f"context.{name}"
    return None


def _bought_signal(moment: Moment) -> tuple[int, str] | None:
    said = words_of(moment.name.rpartition(".")[2])
    placed = said & {"placed", "paid", "purchased", "completed", "created", "received"}
    ordered = bool(placed) and bool(said & (set(ORDERS) | {"checkout"}))
    if not ordered and not (said & CART and {"checked", "out"} <= said):
        return None
    # A sender may be the order itself; where there is an argument, that is it.
    names = sorted(moment.roots, key="sender".__eq__)
    valued = [name for name in names if find("value", moment.roots[name], name)]
    if valued:
        return 75 - 5 * ("created" in said), valued[0]
    listed = [name for name in names if lines(moment.roots[name], name, "sku")]
    return (30, listed[0]) if listed else None


def _bought_row(moment: Moment) -> tuple[int, str] | None:
    said = words_of(moment.name.rpartition(".")[2])
    named = [number for number, word in enumerate(ORDERS) if word in said]
    if not named or said & {"line", "item", "items", "note", "status", "event", "log"}:
        return None
    shape = moment.roots["instance"]
    sure = 100 if moment.changes else 60 if moment.created else 0
    if not sure or find("value", shape, "instance") is None:
        return None
    sure += 5 * bool(lines(shape, "instance", "sku")) + 2 * min(moment.times, 1)
    return sure - named[0], "instance"


def subject(moment: Moment, names: Sequence[str]) -> tuple[str, Shape] | None:
    """Find the cart or the order that a request is about, in its page or its session."""
    for root in ("context", "json", "session"):
        holder = moment.roots.get(root)
        for name in names if holder else ():
            if name in (holder.fields if holder else {}):
                return f"{root}.{name}", holder.fields[name]  # type: ignore[union-attr]
    context = moment.roots.get("context")
    return ("context", context) if context is not None and find("value", context, "it") else None


def _subject(name: str) -> tuple[int, str]:
    plain = snake(name)
    return (_SUBJECTS.index(plain) if plain in _SUBJECTS else len(_SUBJECTS), name)


def changed(moment: Moment) -> dict[str, Any]:
    """Choose the one field whose change says that money has come."""
    ranked = sorted(
        moment.changes.items(),
        key=lambda item: (rank("paid", item[0]) is None, rank("paid", item[0]) or 0, item[0]),
    )
    return dict(ranked[:1])


def paid_flag(moment: Moment) -> str | None:
    """Find the field of a row that would say that money has come."""
    named = [
        (rank("paid", name), name)
        for name, shape in moment.roots["instance"].fields.items()
        if shape.kind == "flag"
    ]
    found = sorted((place, name) for place, name in named if place is not None)
    return found[0][1] if found else None
