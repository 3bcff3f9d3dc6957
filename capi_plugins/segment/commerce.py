"""What: products, amounts and currency of a message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from capi_plugins.events import Content, FieldNote
from capi_plugins.segment.message import amount, first, folded, text
from capi_plugins.segment.options import Options
from capi_plugins.segment.private import Person, has_email
from capi_plugins.segment.spec import COUNTED, Rule

_LISTS = ("products", "items", "contents", "lineitems")
_PRICES = ("price", "itemprice", "unitprice")
_QUANTITIES = ("quantity", "qty")
_MOST_PRODUCTS = 1000
_MOST_QUANTITY = 1_000_000_000
_SYMBOLS = {"€": "EUR", "£": "GBP", "₹": "INR", "₽": "RUB", "₺": "TRY", "₩": "KRW"}
_DECIMALS = 4
_CONTENT_TYPES = ("product", "product_group")
LISTED_UNDER = frozenset(_LISTS)
"""Folded names of properties that hold products."""


def read_commerce(
    properties: Mapping[str, Any],
    rule: Rule,
    options: Options,
    person: Person,
    notes: list[FieldNote],
) -> dict[str, Any]:
    """Read the fields of ``custom_data`` that are about products and money.

    Args:
        properties: Folded.
        rule: Where this event keeps them.
        options: Which property is the amount, which the product's id, and so on.
        person: Whose name must not get into the texts.
        notes: Receives what was left out.
    """
    products = _products(properties)
    contents = _contents(products, properties, rule, options, notes)
    fields: dict[str, Any] = {
        "contents": contents or None,
        "content_ids": _ids(properties, contents, person),
        "content_name": _title(properties, rule, person),
        "content_category": _category(properties, products, rule, person),
        "currency": _currency(properties, products),
        "order_id": _seen(first(("orderid", "transactionid"), (properties,)), person),
    }
    if fields["contents"] or fields["content_ids"]:
        fields["content_type"] = "product"
    given = text(properties.get("contenttype"))
    if given is not None and given.lower() in _CONTENT_TYPES:
        fields["content_type"] = given.lower()
    if rule.shape != "no amount":
        fields["value"] = _value(properties, contents, rule, options)
    fields["num_items"] = _num_items(properties, contents, rule, options)
    if rule.shape == "search":
        query = first(("query", "searchstring", "searchterm", "search"), (properties,))
        fields["search_string"] = _seen(query, person)
        if query is not None and fields["search_string"] is None:
            notes.append(FieldNote("custom_data.search_string", "is not text, or names a person"))
    for name in ("predictedltv", "netrevenue"):
        if name in properties:
            fields[_AMOUNTS[name]] = amount(properties[name])
    if fields["currency"] is None and any(fields.get(name) is not None for name in _MONEY):
        fields["currency"] = options.currency
    return {name: value for name, value in fields.items() if value is not None}


_MONEY = ("value", "predicted_ltv", "net_revenue")
_AMOUNTS = {"predictedltv": "predicted_ltv", "netrevenue": "net_revenue"}


def _products(properties: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    for place in (properties, folded(properties.get("ecommerce"))):
        for name in _LISTS:
            given = place.get(name)
            if isinstance(given, Mapping):
                given = [given]
            if isinstance(given, list | tuple) and any(isinstance(item, Mapping) for item in given):
                return [folded(item) for item in given[:_MOST_PRODUCTS]]
    return ()


def _contents(
    products: Sequence[Mapping[str, Any]],
    properties: Mapping[str, Any],
    rule: Rule,
    options: Options,
    notes: list[FieldNote],
) -> list[Content]:
    if not products and rule.shape in ("product", "search"):
        # The event is about one product, which is described by the properties themselves.
        names = [name for name in options.product_id if rule.shape == "product" or name != "id"]
        if first(names, (properties,)) is not None:
            products = (properties,)
    found = []
    for product in products:
        content = _content(product, options)
        if content is None:
            notes.append(FieldNote("custom_data.contents", "a product without id or quantity"))
        else:
            found.append(content)
    return found


def _content(product: Mapping[str, Any], options: Options) -> Content | None:
    quantity = _quantity(product)
    for name in options.product_id:
        identifier = text(product.get(name))
        if identifier is not None and not has_email(identifier):
            return (
                Content(
                    id=identifier,
                    quantity=quantity,
                    item_price=amount(first(_PRICES, (product,))),
                    delivery_category=text(product.get("deliverycategory")),
                )
                if quantity > 0
                else None
            )
    return None


def _quantity(product: Mapping[str, Any]) -> int:
    given = first(_QUANTITIES, (product,))
    if given is None:
        return 1
    number = amount(given)
    if number is None or number != int(number) or abs(number) > _MOST_QUANTITY:
        return 1
    return int(number)


def _ids(
    properties: Mapping[str, Any], contents: Sequence[Content], person: Person
) -> list[str] | None:
    given = first(("contentids",), (properties,))
    if given is not None:
        members = given if isinstance(given, list | tuple) else [given]
        found = [each for item in members[:_MOST_PRODUCTS] if (each := _seen(item, person))]
        if found:
            return found
    return list(dict.fromkeys(str(content.id) for content in contents)) or None


def _seen(value: object, person: Person) -> str | None:
    """Read a text that is shown as it is; None when it names the person."""
    found = text(value)
    return None if found is None or person.is_named_by(found) else found


def _title(properties: Mapping[str, Any], rule: Rule, person: Person) -> str | None:
    given = _seen(properties.get("contentname"), person)
    if given is None and rule.shape == "named":
        return _seen(properties.get("name"), person)
    if given is None and rule.shape == "product":
        return _seen(first(("name", "productname", "title"), (properties,)), person)
    return given


def _category(
    properties: Mapping[str, Any],
    products: Sequence[Mapping[str, Any]],
    rule: Rule,
    person: Person,
) -> str | None:
    given = properties.get("contentcategory")
    if given is None and rule.shape in ("product", "list", "named", "search"):
        given = properties.get("category")
    if given is None and rule.shape == "order":
        categories = {text(product.get("category")) for product in products}
        given = categories.pop() if len(categories) == 1 else None
    if isinstance(given, list | tuple):
        given = ", ".join(found for item in given[:20] if (found := text(item)))
    return _seen(given, person)


def _currency(properties: Mapping[str, Any], products: Sequence[Mapping[str, Any]]) -> str | None:
    given = first(("currency", "currencycode"), (properties, *products[:1]))
    found = text(given)
    return None if found is None else _SYMBOLS.get(found, found)


def _value(
    properties: Mapping[str, Any], contents: Sequence[Content], rule: Rule, options: Options
) -> float | None:
    one = rule.shape == "product" and len(contents) <= 1
    names = options.product_value if one else options.value
    if rule.event is None:
        # Of an event that Meta does not know, only what says of itself that it is the amount.
        names = ("value",)
    elif rule.shape == "plain":
        names = ("value", *options.value)
    for name in names:
        found = amount(properties.get(name))
        if found is not None:
            if one and options.times_quantity and name in _PRICES and contents:
                return round(found * (contents[0].quantity or 1), _DECIMALS)
            return found
    if rule.shape in ("order", "product") and rule.event is not None:
        return _sum(contents)
    return None


def _sum(contents: Sequence[Content]) -> float | None:
    """What the products cost together, when the price of each is known."""
    prices = [content.item_price for content in contents]
    if not prices or not all(isinstance(price, int | float) for price in prices):
        return None
    total = sum(float(content.item_price or 0) * (content.quantity or 1) for content in contents)
    return round(total, _DECIMALS)


def _num_items(
    properties: Mapping[str, Any], contents: Sequence[Content], rule: Rule, options: Options
) -> int | None:
    given = amount(properties.get("numitems"))
    if given is not None and 0 <= given <= _MOST_QUANTITY and given == int(given):
        return int(given)
    if not contents or rule.event not in COUNTED or options.num_items == "none":
        return None
    if options.num_items == "lines":
        return len(contents)
    return sum(content.quantity or 1 for content in contents)
