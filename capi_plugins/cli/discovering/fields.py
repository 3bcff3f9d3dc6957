"""From the shape of an object to the paths of a trigger's fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from capi_plugins.cli.discovering.shapes import Shape
from capi_plugins.cli.discovering.words import BESIDE, HOLDERS, PEOPLE, rank, snake

_PER_STEP = 12
_NUMBERS = frozenset({"number", "digits"})
_TEXTS = frozenset({"text", "digits", "currency", "number"})
_KINDS: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(("value", "price", "quantity", "count"), _NUMBERS),
    "currency": frozenset({"currency"}),
    "email": frozenset({"email"}),
    # Most products have none of it.
    "reduced": _NUMBERS | {"nothing"},
}
_OWN = frozenset({"id", "pk", "uuid"})
PRODUCT_KEYS = ("sku", "id", "slug")
"""What a product may be told by, best first; the catalogue knows one of them."""


def find(role: str, shape: Shape, start: str, depth: int = 2) -> str | None:
    """Find the best path to a field.

    Args:
        role: What it is: a key of ``FIELDS``.
        shape: Where to look.
        start: The path of that.
        depth: How many steps further a field may be.
    """
    found = sorted(_ranked(role, shape, start, depth))
    return found[0][1] if found else None


def price(shape: Shape, start: str) -> list[str]:
    """Find the paths of what something costs: a reduced price comes before the regular one.

    Args:
        shape: The product, or what names one.
        start: The path of that.
    """
    found = (find(role, shape, start) for role in ("reduced", "price"))
    return [path for path in found if path]


def _ranked(role: str, shape: Shape, start: str, depth: int) -> Iterator[tuple[int, str]]:
    kinds = _KINDS.get(role, _TEXTS)
    for name, field in shape.fields.items():
        path = f"{start}.{name}"
        place = rank(role, name)
        if place is not None and field.kind in kinds:
            yield place, path
        elif depth > 1 and snake(name) in HOLDERS and "all" not in field.fields:
            # A Money object behind ``total`` has its ``amount``.
            for further, below in _ranked(role, field, path, depth - 1):
                yield further + _PER_STEP, below


def written(paths: list[str]) -> str | list[str] | None:
    """Write paths as settings do, of which the first that leads to something counts."""
    return paths[0] if len(paths) == 1 else paths or None


def people(shape: Shape, start: str) -> dict[str, Any]:
    """Find match keys below an object."""
    return {role: path for role in PEOPLE if (path := find(role, shape, start))}


def form_people(roots: Mapping[str, Shape]) -> dict[str, Any]:
    """Find match keys in what was submitted."""
    for name in ("form", "json"):
        if name in roots and (found := people(roots[name], name)):
            return found
    return {}


def product_key(shape: Shape, start: str, prefer: str) -> str | None:
    """Find what a product is told by.

    Args:
        shape: The product, or what names one: a line, a form.
        start: The path of that.
        prefer: The key that the other events have: ``sku``, ``id`` or ``slug``.
    """
    order = [prefer, *(key for key in PRODUCT_KEYS if key != prefer)]
    for key in order:
        if path := find(key, shape, start):
            return path
    return None


def lines(shape: Shape, start: str, prefer: str) -> dict[str, Any] | None:
    """Find the lines of an order or a cart, and what they say; the value of ``contents``.

    Args:
        shape: The order or the cart.
        start: The path of that.
        prefer: What products are told by.
    """
    if own := _each(shape, start, prefer):
        return own
    named = [(rank("lines", name), name) for name in shape.fields]
    for _, name in sorted((place, name) for place, name in named if place is not None):
        field = shape.fields[name]
        path = f"{start}.{name}"
        if field.fields.get("all"):
            field, path = field.fields["all"], f"{path}.all"
        if found := _each(field, path, prefer) or lines(field, path, prefer):
            return found
    return None


def _each(shape: Shape, path: str, prefer: str) -> dict[str, Any] | None:
    item = shape.item
    if item is None:
        return None
    if shape.kind == "mapping":
        if item.kind in _NUMBERS:
            return {"EACH": path, "id": "key", "quantity": "item"}
        found = {"EACH": path, "id": product_key(item, "item", prefer) or "key"}
    else:
        key = line_key(item, "item", prefer)
        if key is None:
            return None
        found = {"EACH": path, "id": key}
    quantity = find("quantity", item, "item", 1)
    if quantity is None:
        return None
    found["quantity"] = quantity
    return {**found, "item_price": costs} if (costs := written(price(item, "item"))) else found


def line_key(line: Shape, start: str, prefer: str) -> str | None:
    """Find the product of a line; the line's own key is the last that may be meant.

    Args:
        line: The line of a cart or an order.
        start: The path of that.
        prefer: What products are told by.
    """
    rest = {name: f for name, f in line.fields.items() if name not in _OWN | BESIDE}
    told = product_key(Shape(kind="object", fields=rest), start, prefer)
    return told or product_key(line, start, prefer)


def is_line(shape: Shape) -> bool:
    """Whether something is a line of a cart, and not the product: it has one, and how many."""
    names_one = any(name not in _OWN and rank("id", name) is not None for name in shape.fields)
    return names_one and find("quantity", shape, "it", 1) is not None
