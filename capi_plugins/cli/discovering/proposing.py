"""From moments to triggers, ready to be pasted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs

from capi_plugins.cli.discovering import fields, funnel, goods, product_data
from capi_plugins.cli.discovering.shapes import Shape
from capi_plugins.cli.discovering.survey import Moment
from capi_plugins.cli.discovering.words import CART, rank

_SHOWN_AGAIN = "the page answers 200: make sure that it does not when a form is wrong"
_NO_VALUE = (
    "nothing in it tells the value, without which Meta takes no purchase: a function may add up "
    "the lines"
)
_NO_CART_VALUE = "nothing on the page was found to tell the value of the cart"
_CARTS = ("cart", "basket", "bag", "order")
ORDER = (
    *("ViewContent", "Search", "AddToWishlist", "AddToCart", "InitiateCheckout", "Purchase"),
    *("CompleteRegistration", "Lead"),
)
"""The events that are looked for, in the order of a shopper's way."""


@attrs.frozen(kw_only=True)
class Proposal:
    """A trigger that a project may want.

    Attributes:
        event: The event's name.
        trigger: The trigger, in the shape of ``CAPI["TRIGGERS"]``.
        times: How often its moment was seen; 0: it was not.
        notes: What a person has to know about it.
    """

    event: str
    trigger: dict[str, Any]
    times: int
    notes: tuple[str, ...] = ()


def propose(moments: Sequence[Moment], currency: str | None) -> list[Proposal]:
    """Propose triggers.

    Args:
        moments: What was seen, or what there is.
        currency: Used where no object of the project names one.
    """
    return list(_Proposing(moments, currency).all())


class _Proposing:
    def __init__(self, moments: Sequence[Moment], currency: str | None) -> None:
        self._moments = moments
        self._currency = currency
        self._told_by = self._product_key()
        self._prefer = self._told_by or fields.PRODUCT_KEYS[0]

    def all(self) -> Iterator[Proposal]:
        signals = self._those(goods.is_viewed)[:1]
        pages = self._those(lambda moment: goods.viewed(moment) is not None)
        named = self._those(lambda moment: goods.asked_for(moment) is not None)
        for moment in _first_way(signals, pages, named):
            told = product_data.of_view(moment, self._told_by)
            yield self._about("ViewContent", moment, told)
        for moment in self._those(lambda moment: funnel.searched(moment) is not None):
            path = funnel.searched(moment) or ""
            # Such a page is asked for without words as well.
            when = {path: {"EMPTY": False}}
            yield self._made("Search", moment, when=when, custom_data={"search_string": path})
        for moment in self._those(goods.is_wishing):
            yield self._add("AddToWishlist", moment)
        added = self._those(goods.is_added)
        signals = [moment for moment in added if moment.on == "signal"][:1]
        rows = [moment for moment in added if moment.on == "model"][:1]
        requests = self._those(goods.is_adding)
        # An API makes a cart before anything is put into it.
        requests = [moment for moment in requests if goods.product_of(moment)] or requests
        # A page with a form is no link that does it.
        written = {moment.name for moment in requests if moment.method in goods.WRITES}
        requests = [m for m in requests if m.method in goods.WRITES or m.name not in written]
        for moment in _first_way(signals, requests, rows):
            yield self._add("AddToCart", moment)
        for moment in sorted(self._those(funnel.is_checkout), key=_fullness)[:1]:
            yield self._checkout(moment)
        bought = [(found, m) for m in self._moments if (found := funnel.bought(m))]
        if bought:
            (_, subject), moment = max(bought, key=lambda item: item[0][0])
            yield self._purchase(moment, subject)
        yield from self._registration()
        yield from self._leads()

    def _those(self, matches: Callable[[Moment], bool]) -> list[Moment]:
        """Those moments of a kind, each route once: the answer that tells most."""
        best: dict[tuple[str, str], Moment] = {}
        for moment in self._moments:
            if matches(moment):
                place = (moment.name, moment.method)
                if place not in best or _success(best[place]) < _success(moment):
                    best[place] = moment
        return list(best.values())

    def _product_key(self) -> str | None:
        """What products are told by where least is known of them: when one is put in the cart."""
        for moment in self._those(goods.is_adding):
            path = goods.product_of(moment)
            for key in fields.PRODUCT_KEYS:
                if path and rank(key, path.rpartition(".")[2]) is not None:
                    return key
        return None

    def _add(self, event: str, moment: Moment) -> Proposal:
        if moment.on == "request" and not moment.said & CART:
            moment = attrs.evolve(moment, method=moment.method or "POST")
        return self._about(event, moment, product_data.of_adding(moment, self._prefer))

    def _about(self, event: str, moment: Moment, told: product_data.ProductData) -> Proposal:
        data = self._priced(told.data, told.shape, told.path)
        when = dict(moment.actions)
        return self._made(event, moment, when=when, custom_data=data, notes=told.notes)

    def _checkout(self, moment: Moment) -> Proposal:
        found = funnel.subject(moment, _CARTS)
        moment = attrs.evolve(moment, method=moment.method or "GET")
        data: dict[str, Any] = {}
        if found is not None:
            path, shape = found
            data = self._content(shape, path)
            data["num_items"] = fields.find("count", shape, path, 1)
        page = moment.roots.get("context", goods.NOTHING)
        if data.get("value") is None and (total := fields.find("value", page, "context", 1)):
            # The cart is in the session, and what it costs is on the page alone.
            data |= self._priced({"value": total}, page, "context")
        notes = () if data.get("value") else (_NO_CART_VALUE,)
        return self._made("InitiateCheckout", moment, custom_data=data, notes=notes)

    def _purchase(self, moment: Moment, path: str) -> Proposal:
        shape = product_data.at(moment, path)
        number = fields.find("number", shape, path, 1)
        data = {"order_id": number, **self._content(shape, path)}
        user_data = {**_address_beside(moment), **fields.people(shape, path)}
        notes = []
        if moment.on == "model" and not moment.changes:
            moment = attrs.evolve(moment, changes=funnel.paid_change(moment))
            notes.append(
                f"{next(iter(moment.changes))!r} was not seen to be set"
                if moment.changes
                else "nothing says when an order is paid: every new one counts as bought"
            )
        if "value" not in data or data["value"] is None:
            notes.append(_NO_VALUE)
        if number is None:
            notes.append("EVENT_ID is missing: without a key one purchase may be counted twice")
        if "email" not in user_data:
            notes.append("no e-mail address was found")
        return self._made(
            "Purchase",
            moment,
            event_id=number,
            user_data=user_data,
            custom_data=data,
            notes=tuple(notes),
        )

    def _registration(self) -> Iterator[Proposal]:
        found = self._those(funnel.is_registration)
        ways = [[m for m in found if m.on == on] for on in ("signal", "model", "request")]
        for moment in _first_way(*(sorted(way, key=lambda m: -m.times)[:1] for way in ways)):
            if moment.on == "request":
                data = fields.form_people(moment.roots)
                yield self._posted("CompleteRegistration", moment, data)
                continue
            path = "instance" if moment.on == "model" else funnel.user_of(moment) or ""
            shape = product_data.at(moment, path)
            key = fields.find("number", shape, path, 1)
            data = fields.people(shape, path)
            if key is not None:
                data = {"external_id": key, **data}
            moment = attrs.evolve(moment, changes={})  # noqa: PLW2901 - a new row is what counts
            yield self._made("CompleteRegistration", moment, event_id=key, user_data=data)

    def _leads(self) -> Iterator[Proposal]:
        found = self._those(funnel.is_contact)
        requests = [moment for moment in found if moment.on == "request"]
        for moment in requests or found:
            if moment.on == "model":
                data = fields.people(moment.roots["instance"], "instance")
                yield self._made("Lead", moment, user_data=data)
                continue
            yield self._posted("Lead", moment, fields.form_people(moment.roots))

    def _posted(self, event: str, moment: Moment, user_data: dict[str, Any]) -> Proposal:
        notes = (_SHOWN_AGAIN,) if moment.status == 200 else ()  # noqa: PLR2004 - with its mistakes
        return self._made(event, moment, user_data=user_data, notes=notes)

    def _content(self, shape: Shape, path: str) -> dict[str, Any]:
        found: dict[str, Any] = {"value": fields.find("value", shape, path)}
        found = {**self._priced(found, shape, path), **product_data.PRODUCT}
        if contents := fields.lines(shape, path, self._prefer):
            found["contents"] = contents
        return found

    def _priced(self, data: dict[str, Any], shape: Shape, path: str) -> dict[str, Any]:
        if data.get("value") is None:
            return data
        where = fields.find("currency", shape, path)
        if where is not None:
            return {**data, "currency": where}
        return {**data, "currency": {"VALUE": self._currency}} if self._currency else data

    def _made(
        self,
        event: str,
        moment: Moment,
        *,
        when: dict[str, Any] | None = None,
        event_id: str | None = None,
        user_data: dict[str, Any] | None = None,
        custom_data: dict[str, Any] | None = None,
        notes: tuple[str, ...] = (),
    ) -> Proposal:
        custom_data = {name: path for name, path in (custom_data or {}).items() if path}
        if moment.guessed and not moment.times:
            notes += ("what the signal is sent with is guessed from its name",)
        if "value" in custom_data and "currency" not in custom_data:
            notes += ("no currency was found: name yours with --currency",)
        trigger: dict[str, Any] = {"ON": moment.on, **_anchor(moment), "EVENT": event}
        said = {"WHEN": when, "EVENT_ID": event_id}
        said |= {"USER_DATA": user_data, "CUSTOM_DATA": custom_data}
        trigger.update({key: value for key, value in said.items() if value})
        return Proposal(event=event, trigger=trigger, times=moment.times, notes=notes)


def _anchor(moment: Moment) -> dict[str, Any]:
    if moment.on == "signal":
        return {"SIGNAL": moment.name}
    if moment.on == "model":
        changes = funnel.changed(moment)
        return {"MODEL": moment.name, **({"CHANGED": changes} if changes else {"CREATED": True})}
    anchor: dict[str, Any] = {"ROUTE": moment.name}
    if moment.method:
        anchor["METHOD"] = moment.method
    if moment.status:
        anchor["STATUS"] = moment.status
    return anchor


def _success(moment: Moment) -> tuple[bool, int]:
    """Sort answers: a form that is right leads on, or something is made; then the most frequent."""
    leads_on = moment.method in goods.WRITES and moment.status not in (0, 200)
    return leads_on, moment.times


def _address_beside(moment: Moment) -> dict[str, Any]:
    """Find the shopper's address where it stands beside the order."""
    for root in ("session", "context"):
        path = fields.find("email", moment.roots.get(root, goods.NOTHING), root, 1)
        # A page may have the shop's own address.
        if path and not path.endswith(("contact_email", ".mail")):
            return {"email": path}
    return {}


def _first_way(*ways: Sequence[Moment]) -> Sequence[Moment]:
    """Choose one of several ways to see the same thing: two would make every event twice.

    Args:
        *ways: Moments that tell of it, the best first; what was seen is better than what was not.
    """
    seen = [[moment for moment in way if moment.times] for way in ways]
    return next((way for way in (*seen, *ways) if way), ())


def _fullness(moment: Moment) -> tuple[int, int]:
    """Sort by how much a page knows of the cart, what was seen before what was not."""
    return (-min(moment.times, 1), -int(funnel.subject(moment, _CARTS) is not None))
