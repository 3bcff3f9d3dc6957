"""Which moments are which events: the rules of thumb for a shop's funnel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from capi_plugins.cli.discovering.fields import find, lines
from capi_plugins.cli.discovering.goods import NOTHING, WRITES, by_subject, is_shown
from capi_plugins.cli.discovering.shapes import Shape
from capi_plugins.cli.discovering.survey import Moment
from capi_plugins.cli.discovering.words import (
    CART,
    CHECKOUT,
    CONTACT,
    DONE,
    HOOKS,
    LEAVING,
    ORDERING,
    ORDERS,
    REGISTER,
    SEARCH,
    WISHLIST,
    rank,
    snake,
    words_of,
)

# ``q``, ``query``, ``search`` and ``search_query`` are used for nothing else, on a list too.
_SURELY_SEARCHED = 3
_NOT_DONE = frozenset("cancel cancelled canceled failed error".split())


def is_telling(moment: Moment) -> bool:
    """Whether the name of a moment sounds like a conversion, whatever can be made of it."""
    said = moment.said
    if moment.on == "model":
        return moment.is_user or bool(said & (set(ORDERS) | CONTACT) - {"registration"})
    if said & HOOKS:
        return False
    bought = set(ORDERS) | CART | CHECKOUT | ORDERING
    return bool(said & (bought | SEARCH | CONTACT | WISHLIST | REGISTER | {"product"}))


def is_checkout(moment: Moment) -> bool:
    """Whether a request shows the form in which an order is placed."""
    said = moment.said
    asked = bool(said & CHECKOUT) or (bool(said & ORDERING) and bool(said & {"create", "new"}))
    return asked and is_shown(moment) and not said & (DONE | HOOKS)


def searched(moment: Moment) -> str | None:
    """Find what was searched for."""
    if not is_shown(moment):
        return None
    if not moment.times and moment.said & SEARCH:
        return "args.q"
    args = moment.roots.get("args")
    names = [] if args is None else [(rank("query", name), name) for name in args.fields]
    found = sorted((place, name) for place, name in names if place is not None)
    if not found or not (moment.said & SEARCH or found[0][0] <= _SURELY_SEARCHED):
        return None
    return f"args.{found[0][1]}"


def is_contact(moment: Moment) -> bool:
    """Whether somebody has left an address without opening an account or buying."""
    said = moment.said
    if moment.on == "model":
        wanted = moment.created and bool(words_of(moment.name.rpartition(".")[2]) & CONTACT)
        return wanted and find("email", moment.roots["instance"], "instance", 1) is not None
    if moment.on != "request" or moment.method not in WRITES[:-1]:
        return False
    if said & (CART | CHECKOUT | HOOKS | LEAVING) or _opens_account(said):
        return False
    form = moment.roots.get("form", NOTHING)
    return bool(said & CONTACT) and find("email", form, "form", 1) is not None


def is_registration(moment: Moment) -> bool:
    """Whether an account was opened."""
    if moment.on == "model":
        return moment.is_user and moment.created
    if moment.on == "request":
        sent = moment.method in WRITES[:-1] and not moment.said & HOOKS
        return sent and _opens_account(moment.said) and _asks_for_account(moment)
    said = words_of(moment.name.rpartition(".")[2])
    joined = bool(said & REGISTER) or {"signed", "up"} <= said
    return moment.on == "signal" and joined and user_of(moment) is not None


def _asks_for_account(moment: Moment) -> bool:
    bodies = [moment.roots.get(root, NOTHING) for root in ("form", "json")]
    return any(all(find(role, body, "it", 1) for role in ("email", "password")) for body in bodies)


def _opens_account(said: frozenset[str]) -> bool:
    return bool(said & REGISTER) or {"sign", "up"} <= said or {"create", "account"} <= said


def user_of(moment: Moment) -> str | None:
    """Find the account that a signal is about."""
    return next((name for name in ("user", "account") if name in moment.roots), None)


def bought(moment: Moment) -> tuple[int, str] | None:
    """Say how surely a moment is a purchase, and where its order is; higher is surer."""
    if moment.on == "model":
        return _bought_row(moment)
    if moment.on == "signal":
        return _bought_signal(moment)
    if not is_shown(moment) or not moment.said & DONE or moment.said & (_NOT_DONE | HOOKS):
        return None
    context = moment.roots.get("context", NOTHING)
    for name, shape in sorted(context.fields.items(), key=lambda item: by_subject(item[0])):
        if shape.fields and snake(name) not in CART and find("value", shape, name):
            return 40, f"context.{name}"
    # ``/thanks/<number>``: which order it is, and no more.
    named = [
        root
        for root in ("kwargs", "args")
        if find("number", moment.roots.get(root, NOTHING), root, 1)
    ]
    return (10, named[0]) if named and moment.times else None


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


def changed(moment: Moment) -> dict[str, Any]:
    """Choose the one field whose change says that money has come."""
    return dict(sorted(moment.changes.items(), key=lambda item: _telling_most(item[0]))[:1])


def _telling_most(name: str) -> tuple[int, int, str]:
    for sure, role in enumerate(("paid", "paid_at")):
        place = rank(role, name)
        if place is not None:
            return sure, place, name
    return 2, 0, name


def paid_change(moment: Moment) -> dict[str, Any]:
    """Say which field of a row would tell that money has come, as ``CHANGED`` does."""
    # ``completed`` may be a date as well.
    roles = {"flag": ("paid",), "moment": ("paid_at", "paid")}
    found = [
        (shape.kind == "moment", place, name)
        for name, shape in moment.roots["instance"].fields.items()
        for role in roles.get(shape.kind, ())
        if (place := rank(role, name)) is not None
    ]
    if not found:
        return {}
    is_date, _, name = min(found)
    return {name: {"EMPTY": False} if is_date else True}
