"""Events that belong to an earlier one: ``original_event_data`` and ``attribution_data``.

Source: Meta's pages *Original Event Data Parameters* and *AppendAttribution*; further members of
``attribution_data``: Meta's Business SDK.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from capi_plugins.destinations.meta.fields import ATTRIBUTION_ENUMS, ATTRIBUTION_TYPES
from capi_plugins.destinations.meta.json_values import Cleaner
from capi_plugins.destinations.meta.members import Readers, known, read_members, reason
from capi_plugins.destinations.meta.scalars import Unusable, number, one_of, sendable
from capi_plugins.events import Event, FieldNote, parse_time

_LONGEST = 500


def _string(value: object) -> str:
    return sendable(value, _LONGEST)


def _time(value: object) -> int:
    seconds = parse_time(value)
    if seconds is None:
        raise Unusable("is not a time")
    return int(number(seconds))


def _whole(value: object) -> int:
    return int(number(value))


def _share(value: object) -> int | float:
    result = number(value)
    if not 0 <= result <= 1:
        raise Unusable("is not between 0 and 1")
    return result


def _settings(value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise Unusable("is not an object")
    return Cleaner().mapping(value)


_ORIGINAL: Readers = {
    "event_name": _string,
    "event_time": _time,
    "order_id": _string,
    "event_id": _string,
}
_BY_TYPE: Readers = {
    "string": _string,
    "number": number,
    "integer": _whole,
    "object": _settings,
}
_ATTRIBUTION: Readers = {
    **{name: _BY_TYPE[kind] for name, kind in ATTRIBUTION_TYPES.items() if kind in _BY_TYPE},
    **{name: functools.partial(one_of, words) for name, words in ATTRIBUTION_ENUMS.items()},
    "attribution_share": _share,
    "touchpoint_ts": _time,
    "visit_time": _time,
}


def put(wire: dict[str, Any], event: Event, notes: list[FieldNote]) -> None:
    """Add both groups of fields, as far as they can be used."""
    for name, readers in (
        ("original_event_data", _ORIGINAL),
        ("attribution_data", _ATTRIBUTION),
    ):
        value = getattr(event, name)
        if value is not None:
            try:
                group = _read(name, value, readers, notes)
            except Exception as problem:
                notes.append(FieldNote(name, reason(problem)))
                continue
            if group:
                wire[name] = group


def _read(
    name: str,
    value: object,
    readers: Readers,
    notes: list[FieldNote],
) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise Unusable("is not an object")
    if any(key not in readers for key in value):
        notes.append(FieldNote(name, "has members Meta does not know"))
    group: dict[str, Any] = {}
    read_members(group, known(value, readers), readers, notes, name)
    return group
