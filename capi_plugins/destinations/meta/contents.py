"""``contents``: the lines of an order, a basket or a page."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping
from typing import Any

from capi_plugins.destinations.meta.custom_fields import CONTENT_TYPES, CUSTOM_DATA_ENUMS
from capi_plugins.destinations.meta.members import Readers, known, leave_out, reason
from capi_plugins.destinations.meta.scalars import (
    MAX_NUMBER,
    Unusable,
    integer,
    items,
    number,
    one_of,
    sendable,
)
from capi_plugins.events import Content, FieldNote

MAX_CONTENTS = 1000
"""Most entries of ``contents`` and ``content_ids``."""


def _quantity(value: object) -> int:
    result = value if type(value) is int else integer(value)
    if not 0 < result < MAX_NUMBER:
        raise Unusable("is less than one, or too large")
    return result


_READERS: Readers = {
    "id": sendable,
    "quantity": _quantity,
    "item_price": number,
    "delivery_category": functools.partial(one_of, CUSTOM_DATA_ENUMS["delivery_category"]),
    "title": sendable,
    "description": sendable,
    "brand": sendable,
    "category": sendable,
    "price": number,
}


def read_contents(value: object, path: str, notes: list[FieldNote]) -> list[dict[str, Any]]:
    """Read the lines of ``contents``.

    Args:
        value: A list of `Content` or mappings, or one of them.
        path: The field's path, for notes.
        notes: Receives what was left out.

    Raises:
        Unusable: No entry can be used.
    """
    members = value if type(value) is list else items(value)
    given = [value] if members is None else members
    if len(given) > MAX_CONTENTS:
        notes.append(FieldNote(path, f"has more than {MAX_CONTENTS} entries"))
        given = list(itertools.islice(given, MAX_CONTENTS))
    result = []
    for entry in given:
        try:
            result.append(_read_content(entry, path, notes))
        except Exception as problem:
            notes.append(FieldNote(path, f"an entry {reason(problem)}"))
    if not result:
        raise Unusable("has no usable entry")
    return result


def _read_content(entry: object, path: str, notes: list[FieldNote]) -> dict[str, Any]:
    if type(entry) is Content:
        values = entry.__dict__
    elif isinstance(entry, Mapping):
        values = known(entry, _READERS)
        if any(key not in CONTENT_TYPES for key in entry):
            notes.append(FieldNote(path, "an entry has members Meta does not know"))
    else:
        raise Unusable("is not an object with an id")
    wire: dict[str, Any] = {}
    for name, value in values.items():
        if value is not None:
            try:
                wire[name] = _READERS[name](value)
            except Exception as problem:
                leave_out(notes, f"{path}.{name}", value, problem)
    if "id" not in wire:
        raise Unusable("has no id")
    return wire
