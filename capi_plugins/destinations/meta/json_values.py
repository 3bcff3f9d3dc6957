"""Custom properties: values of any shape cut down to bounded, valid JSON."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from capi_plugins.destinations.meta.members import reason
from capi_plugins.destinations.meta.scalars import MAX_NUMBER, Unusable, items, number, sendable

MAX_DEPTH = 5
"""Deepest nesting kept."""
MAX_TEXT = 2000
"""Longest text of a custom property, in characters."""
MAX_KEY = 100
"""Longest name of a custom property, in characters."""
_MAX_VALUES = 1000


class Cleaner:
    """Cleans the values below one field; everything it leaves out is counted.

    Attributes:
        lost: Why values were left out, each reason once.
    """

    def __init__(self) -> None:
        self.lost: dict[str, None] = {}
        self._left = _MAX_VALUES

    def clean(self, value: object, depth: int = MAX_DEPTH) -> Any:
        """Return a value that JSON can hold, without what it cannot.

        Raises:
            Unusable: Nothing of the value can be sent.
        """
        self._left -= 1
        if self._left < 0:
            raise Unusable(f"has more than {_MAX_VALUES} values")
        if isinstance(value, Mapping):
            return self.mapping(value, depth - 1)
        members = items(value)
        if members is not None:
            return self._list(list(members), depth - 1)
        return scalar(value)

    def mapping(self, value: Mapping[Any, Any], depth: int = MAX_DEPTH - 1) -> dict[str, Any]:
        """Clean the members of a mapping, each on its own."""
        self._check(depth)
        result: dict[str, Any] = {}
        for key, member in list(value.items()):
            if member is None:
                continue
            try:
                result[sendable(key, MAX_KEY)] = self.clean(member, depth)
            except Exception as problem:
                self._lose(problem)
        return result

    def _list(self, members: list[object], depth: int) -> list[Any]:
        self._check(depth)
        result = []
        for member in members:
            if member is None:
                continue
            try:
                result.append(self.clean(member, depth))
            except Exception as problem:
                self._lose(problem)
        return result

    def _check(self, depth: int) -> None:
        if depth < 0:
            raise Unusable(f"is nested deeper than {MAX_DEPTH} levels")

    def _lose(self, problem: Exception) -> None:
        self.lost[reason(problem)] = None


def scalar(value: object) -> str | int | float | bool:
    """Return a single value as JSON holds it; dates become ISO 8601.

    Raises:
        Unusable: JSON cannot hold it.
    """
    if isinstance(value, bool):
        return value
    if type(value) is float:
        return number(value)
    if type(value) is int and abs(value) >= MAX_NUMBER:
        # An id, not an amount: as text it stays exact.
        return sendable(value, MAX_TEXT)
    if isinstance(value, str):
        # An empty text is an answer, too.
        return sendable(value, MAX_TEXT) if value.strip() else ""
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, bytes | bytearray | memoryview):
        raise Unusable("is bytes")
    if _is_number(value):
        return number(value)
    return sendable(value, MAX_TEXT)


def _is_number(value: object) -> bool:
    # Decimal, Fraction and the numbers of numpy all have it; text and UUID do not.
    return hasattr(type(value), "__float__")
