"""A Segment message, opened: its parts under folded names, whatever JSON it is made of."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from capi_plugins.segment.spec import TYPES, fold

_NOTHING: Mapping[str, Any] = {}
_MOST_KEYS = 500
_LARGEST = 10**30
_NUMBER = re.compile(r"[0-9.,'\u2019\u00a0\u202f ]*[0-9][0-9.,'\u2019\u00a0\u202f ]*")
_AROUND_NUMBER = re.compile(
    r"[A-Za-z]{0,3}[^\w.,+-]{0,3}([+-]?)[^\w.,+-]{0,3}(.*?)[^\w]{0,3}[A-Za-z]{0,3}"
)
_LONGEST_NUMBER = 40
_GROUP = 3


def mapping(value: object) -> Mapping[str, Any]:
    """Return an object as it is, and anything else as an empty one."""
    return value if isinstance(value, Mapping) else _NOTHING


def folded(value: object) -> dict[str, Any]:
    """Return an object under folded names; of two spellings the first that says something."""
    if value is None or (type(value) is not dict and not isinstance(value, Mapping)):
        return {}
    found: dict[str, Any] = {}
    pairs = value.items() if len(value) <= _MOST_KEYS else islice(value.items(), _MOST_KEYS)
    for key, item in pairs:
        if item is not None and item != "":
            name = fold(key if type(key) is str else str(key))
            if name not in found:
                found[name] = item
    return found


def text(value: object) -> str | None:
    """Read text, or a number that is meant as one; None for anything else."""
    if type(value) is str:
        return value.strip() or None
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, int):
        return str(value) if -_LARGEST < value < _LARGEST else None
    if isinstance(value, float) and math.isfinite(value):
        return str(int(value)) if value.is_integer() and abs(value) < _LARGEST else str(value)
    return None


def texts(value: object) -> str | list[str] | None:
    """Read one text or a list of them; None when there is none."""
    if type(value) is str or value is None:
        return text(value)
    if isinstance(value, list | tuple):
        return [found for item in value[:_MOST_KEYS] if (found := text(item))] or None
    return text(value)


def flag(value: object) -> bool | None:
    """Read a truth value, also as a number or a word; None when it is none."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    if isinstance(value, str):
        return _FLAGS.get(value.strip().lower())
    return None


_FLAGS = {
    **dict.fromkeys(["true", "yes", "1", "on", "granted", "allow", "allowed"], True),
    **dict.fromkeys(["false", "no", "0", "off", "denied", "deny"], False),
}


def amount(value: object) -> float | None:
    """Read an amount: ``25``, ``"25.00"``, ``"$1,234.50"``, ``"1.234,50 EUR"``.

    Returns:
        The number; None for none, and for ``"1,234"``, which is one thing here and another there.
    """
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return value if -_LARGEST < value < _LARGEST else None
    if not isinstance(value, str) or len(value) > _LONGEST_NUMBER:
        return None
    match = _AROUND_NUMBER.fullmatch(value.strip())
    if match is None or not _NUMBER.fullmatch(match[2]) or not match[2].isascii():
        return None
    digits = _plain(re.sub(r"['\u2019\u00a0\u202f ]", "", match[2]))
    return None if digits is None else float(match[1] + digits)


def _plain(number: str) -> str | None:
    comma, point = number.rfind(","), number.rfind(".")
    if comma < 0 and number.count(".") <= 1:
        return number
    if comma >= 0 and point >= 0:
        # The later of the two is the decimal one, and stands once.
        decimal, group = (",", ".") if comma > point else (".", ",")
        whole, _, fraction = number.rpartition(decimal)
        parts = whole.split(group)
        good = decimal not in whole and all(len(part) == _GROUP for part in parts[1:])
        return "".join(parts) + "." + fraction if good else None
    mark = "," if comma >= 0 else "."
    first, *groups = number.split(mark)
    if len(groups) == 1:
        return f"{first}.{groups[0]}" if len(groups[0]) != _GROUP else None
    return first + "".join(groups) if all(len(part) == _GROUP for part in groups) else None


def first(names: Iterable[str], places: Sequence[Mapping[str, Any]]) -> Any:
    """Return what the first place has under one of the names, or None.

    Args:
        names: Folded names.
        places: Where to look, in order.
    """
    for place in places:
        for name in names:
            if name in place:
                return place[name]
    return None


class Message:
    """One message and its parts.

    Attributes:
        raw: As it came.
        type: ``track``, ``page``, ...; empty when there is none that is known.
        properties: Folded.
        context: Folded.
        page: ``context.page``, folded.
        device: ``context.device``, folded.
        os: ``context.os``, folded.
        traits: Where traits are, in order, folded.
        everywhere: Where ids and switches may be, in order: properties, context, clientIds, traits.
    """

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.raw = raw
        self.type = _type(raw)
        self.properties = properties = folded(raw.get("properties"))
        if self.type in ("page", "screen"):
            for name in ("name", "category"):
                if raw.get(name) is not None:
                    properties.setdefault(name, raw[name])
        self.context = context = folded(raw.get("context"))
        self.page = folded(context.get("page"))
        self.device = folded(context.get("device"))
        self.os = folded(context.get("os"))
        # The traits of a group are a company's.
        own = None if self.type == "group" else raw.get("traits")
        self.traits = tuple(
            found
            for place in (context.get("traits"), own, context.get("user"))
            if (found := folded(place))
        )
        ids = folded(context.get("clientids"))
        self.everywhere = (self.properties, context, *((ids,) if ids else ()), *self.traits)

    def find(self, *names: str) -> Any:
        """Return the first value under one of the folded names, wherever it is."""
        return first(names, self.everywhere)


def _type(raw: Mapping[str, Any]) -> str:
    given = raw.get("type")
    if isinstance(given, str):
        kind = given.strip().lower()
        return kind if kind in TYPES else ""
    return "track" if given is None and isinstance(raw.get("event"), str) else ""
