"""What the events about one product say of it."""

from __future__ import annotations

from typing import Any

import attrs

from capi_plugins.cli.discovering import fields, goods
from capi_plugins.cli.discovering.shapes import Shape
from capi_plugins.cli.discovering.survey import Moment
from capi_plugins.cli.discovering.words import GOODS, rank

PRODUCT = {"content_type": {"VALUE": "product"}}
_NO_PRODUCT = "nothing in it says which product it is"
_NO_PRICE = "nothing in it tells a price: a function may look up the 'value'"


@attrs.frozen
class ProductData:
    """What an event says of a product.

    Attributes:
        data: ``CUSTOM_DATA``.
        notes: What a person has to know about it.
        shape: Where a currency may be found.
        path: The path of that.
    """

    data: dict[str, Any]
    notes: tuple[str, ...] = ()
    shape: Shape = goods.NOTHING
    path: str = ""


def at(moment: Moment, path: str) -> Shape:
    """Return what a path of a moment leads to."""
    root, *rest = path.split(".")
    shape = moment.roots[root]
    for name in rest:
        shape = shape.fields[name]
    return shape


def of_view(moment: Moment, told_by: str | None) -> ProductData:
    """Find what tells of a product that somebody looks at.

    Args:
        moment: A signal, or a page.
        told_by: What the cart's requests tell products by: ``sku``, ``id`` or ``slug``.
    """
    prefer = told_by or fields.PRODUCT_KEYS[0]
    path = goods.goods_of(moment) if moment.on == "signal" else goods.viewed(moment)
    if path is None:
        key = None if moment.on == "signal" else goods.asked_for(moment, prefer)
        notes = (_NO_PRICE, *_other_key(key, told_by)) if key else (_NO_PRODUCT,)
        return ProductData({"content_ids": key, **PRODUCT}, notes)
    shape = at(moment, path)
    key = fields.product_key(shape, path, prefer)
    found = {
        "content_ids": key,
        **PRODUCT,
        "content_name": fields.find("title", shape, path, 1),
        "content_category": fields.find("category", shape, path),
        "value": fields.written(fields.price(shape, path)),
    }
    return ProductData(found, _other_key(key, told_by), shape, path)


def _other_key(path: str | None, told_by: str | None) -> tuple[str, ...]:
    if path is None or told_by is None or rank(told_by, path.rpartition(".")[2]) is not None:
        return ()
    return (f"the cart has the {told_by} of a product: the catalogue at Meta knows one of the two",)


def of_adding(moment: Moment, prefer: str) -> ProductData:
    """Find what tells of a product that is put into the cart or wished for.

    Args:
        moment: A signal, a new row, or a request.
        prefer: What products are told by.
    """
    if moment.on == "request":
        path, quantity = goods.product_of(moment, prefer), goods.quantity_of(moment)
        data = _contents(path, quantity, [])
        return ProductData(data, (_NO_PRICE if path else _NO_PRODUCT,))
    start = goods.goods_of(moment)
    if start is None:
        return ProductData(dict(PRODUCT), (_NO_PRODUCT,))
    shape = moment.roots[start]
    # ``item`` may be the one or the other.
    is_line = start not in GOODS or fields.is_line(shape)
    in_line = fields.find("quantity", shape, start, 1) if is_line else None
    number = moment.roots.get("quantity", goods.NOTHING)
    quantity = "quantity" if number.kind in {"number", "digits"} else in_line
    key = (fields.line_key if is_line else fields.product_key)(shape, start, prefer)
    prices = fields.price(shape, start)
    data = _contents(key, quantity, prices)
    notes: tuple[str, ...] = () if key else (_NO_PRODUCT,)
    # A line may hold more than was put into it now.
    total = fields.find("value", shape, start, 1) if quantity == in_line else None
    if total is not None and total not in {*prices, quantity}:
        data["value"] = total
    elif prices and quantity:
        each = " or ".join(f'find("{path}")' for path in prices)
        each = f"({each})" if len(prices) > 1 else each
        function = f'"value": lambda find: {each} * find("{quantity}")'
        notes += (f"a function may tell what they cost together: {function}",)
    elif prices:
        data["value"] = fields.written(prices)
    else:
        notes += (_NO_PRICE,)
    return ProductData(data, notes, shape, start)


def _contents(key: str | None, quantity: str | None, prices: list[str]) -> dict[str, Any]:
    data: dict[str, Any] = dict(PRODUCT)
    if key and quantity:
        line = {"id": key, "quantity": quantity}
        costs = {"item_price": fields.written(prices)} if prices else {}
        data["contents"] = [{**line, **costs}]
    elif key:
        data["content_ids"] = key
    return data
