"""What objects look like: the names of their fields and the kinds of their values, no values."""

from __future__ import annotations

import datetime
import decimal
import inspect
import numbers
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import attrs

from capi_plugins._paths import NOWHERE, resolve
from capi_plugins.cli.discovering.words import rank, understood

_DEPTH = 3
_MOST_NAMES = 80
_BUDGET = 400
_CURRENCY = re.compile(r"[A-Z]{3}")
_NUMBER = re.compile(r"[+-]?\d{1,12}([.,]\d{1,4})?")
_INSIDE = frozenset({"object", "list", "mapping"})
_TELLING = ("value", "price", "currency", "count", "lines")
_CODE = (type(len), type(lambda: 0), type(re), type)


@attrs.frozen(kw_only=True)
class Shape:
    """What a value looks like.

    Attributes:
        kind: ``number``, ``digits`` (a number as text), ``currency``, ``email``, ``text``,
            ``flag``, ``moment``, ``nothing``, ``list``, ``mapping`` or ``object``.
        type: Name of its class.
        fields: What can be reached from it, by name.
        item: What the first of its items looks like; None: it has none.
    """

    kind: str
    type: str = ""
    fields: Mapping[str, Shape] = attrs.field(factory=dict)
    item: Shape | None = None

    def merged(self, other: Shape) -> Shape:
        """Return what is known of a value that was seen twice."""
        if self.kind == "nothing":
            return other
        fields = dict(self.fields)
        for name, shape in other.fields.items():
            fields[name] = fields[name].merged(shape) if name in fields else shape
        item = self.item.merged(other.item) if self.item and other.item else self.item or other.item
        return attrs.evolve(self, fields=fields, item=item)


def kind_of(value: object) -> str:
    """Name the kind of a plain value; ``object`` for everything else."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "flag"
    if isinstance(value, numbers.Number | decimal.Decimal):
        return "number"
    if isinstance(value, datetime.date | datetime.time):
        return "moment"
    if isinstance(value, str):
        if "@" in value:
            return "email"
        if _CURRENCY.fullmatch(value):
            return "currency"
        return "digits" if _NUMBER.fullmatch(value) else "text"
    if isinstance(value, bytes):
        return "bytes"
    if isinstance(value, Mapping):
        return "mapping"
    is_list = isinstance(value, list | tuple | set | frozenset) and not _columns(value)
    return "list" if is_list else "object"


def look(value: Any, *, every_name: bool = False) -> Shape:
    """Look at a live value, to a small depth. Only names that mean something are read.

    Args:
        value: Anything of the host's; whatever it raises is as if it were not there.
        every_name: Whether all names of a mapping are looked at: those of a form, of a page.
    """
    return _Looking().at(value, _DEPTH, every_name=every_name)


class _Looking:
    def __init__(self) -> None:
        self.left = _BUDGET

    def at(self, value: Any, depth: int, *, every_name: bool = False) -> Shape:
        self.left -= 1
        try:
            if hasattr(type(value), "_get_current_object"):
                value = value._get_current_object()  # noqa: SLF001 - werkzeug documents it
            kind = kind_of(value)
            if kind not in _INSIDE or isinstance(value, _CODE) or self.left < 0:
                return Shape(kind=kind, type=type(value).__name__)
            fields = {} if kind == "list" else self._fields(value, depth, every_name=every_name)
            # What has names of fields by key or as columns is one thing, and not a list of many.
            single = "all" in fields or (fields and (_is_keyed(value) or _columns(value)))
            item = None if single else self._item(value, depth)
        except Exception:
            return Shape(kind="nothing")
        return Shape(kind=kind, type=type(value).__name__, fields=fields, item=item)

    def _fields(self, value: Any, depth: int, *, every_name: bool) -> dict[str, Shape]:
        if depth == 0:
            return {}
        is_mapping = _is_keyed(value)
        names: Iterable[Any] = value.keys() if is_mapping else _columns(value) or dir(value)
        chosen = [
            name
            for name in names
            if isinstance(name, str)
            and name.isidentifier()
            and name[0] != "_"
            and (every_name or understood(name))
        ]
        if not is_mapping and _is_manager(value):
            chosen.append("all")
        fields = {}
        for name in chosen[:_MOST_NAMES]:
            if not _is_harmless(value, name, is_mapping=is_mapping):
                continue
            found = resolve(f"it.{name}", {"it": value})
            if found is NOWHERE or isinstance(found, _CODE):
                continue
            # A page or a manager is no step: what counts is how deep its objects are.
            lower = depth if every_name or name == "all" else depth - 1
            fields[name] = self.at(found, lower)
        return fields

    def _item(self, value: Any, depth: int) -> Shape | None:
        cls = type(value)
        if depth == 0 or not hasattr(cls, "__iter__") or hasattr(cls, "__next__"):
            return None
        found: Any = value.values() if isinstance(value, Mapping) else value
        # One row is enough; a query set would ask for all of them.
        found = found[:1] if hasattr(cls, "query") and hasattr(cls, "__getitem__") else found
        for first in islice(iter(found), 1):
            return self.at(first, depth)
        return None


def _is_keyed(value: Any) -> bool:
    # Django's session and sqlite3's row are mappings by their methods only.
    return hasattr(type(value), "keys") and hasattr(type(value), "__getitem__")


def _columns(value: Any) -> Sequence[str]:
    """Name the columns of a row of SQL, as named tuples and SQLAlchemy have them."""
    columns = getattr(value, "_fields", ()) if isinstance(value, Sequence) else ()
    return columns if isinstance(columns, tuple) else ()


def _is_harmless(value: Any, name: str, *, is_mapping: bool) -> bool:
    """Whether a name leads to a value, or to a method that by its name only tells something.

    ``order.complete()`` and ``cart.checkout()`` do something.
    """
    if is_mapping:
        return not inspect.isroutine(value[name])
    there = getattr(value, "__dict__", {}).get(
        name, inspect.getattr_static(type(value), name, None)
    )
    if not inspect.isroutine(there) and not isinstance(there, classmethod | staticmethod):
        return True
    return name == "all" or any(rank(role, name) is not None for role in _TELLING)


def _is_manager(value: Any) -> bool:
    """Whether ``all`` of an object gives its rows: Django's related managers."""
    return callable(getattr(type(value), "all", None)) and not hasattr(type(value), "__iter__")
