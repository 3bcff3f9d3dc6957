"""``custom_data``: value, currency, contents, the travel, property and car fields, and the rest."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Mapping
from typing import Any

from capi_plugins.destinations.meta.contents import MAX_CONTENTS, read_contents
from capi_plugins.destinations.meta.custom_fields import CUSTOM_DATA_ENUMS, CUSTOM_DATA_TYPES
from capi_plugins.destinations.meta.fields import CURRENCIES
from capi_plugins.destinations.meta.json_values import MAX_KEY, Cleaner, scalar
from capi_plugins.destinations.meta.members import (
    Readers,
    known,
    leave_out,
    read_members,
    reason,
)
from capi_plugins.destinations.meta.scalars import (
    Unusable,
    flag,
    integer,
    items,
    moment,
    number,
    one_of,
    sendable,
    text,
)
from capi_plugins.events import CustomData, FieldNote

MAX_PROPERTIES = 200
"""Most custom properties of one event."""

_LONGEST_STORE_CODE = 64
_SINGLE = frozenset([str, int, float, bool])
_PLAIN_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")

Notes = list[FieldNote]


def currency(value: object) -> str:
    """Read an ISO 4217 code, in capitals.

    Raises:
        Unusable: There is no such currency.
    """
    code = value if type(value) is str else text(value)
    if code in CURRENCIES:
        return code
    code = code.strip().upper()
    if code not in CURRENCIES:
        raise Unusable("is not an ISO 4217 currency code such as 'EUR'")
    return code


def _status(value: object) -> str:
    # Of CompleteRegistration; in the pixel it is a truth value.
    return str(value).lower() if isinstance(value, bool) else sendable(value)


def _count(value: object) -> int:
    result = integer(value)
    if result < 0:
        raise Unusable("is negative")
    return result


def _flag(value: object) -> int:
    return int(flag(value))


_SIMPLE: Readers = {
    "number": number,
    "string": sendable,
    "integer": _count,
    "flag": _flag,
    "date": moment,
}


_SPECIAL: Mapping[str, Callable[[object], str]] = {"currency": currency, "status": _status}


def _read_strings(value: object, path: str, notes: Notes) -> list[str]:
    members = items(value)
    result = []
    for each in list((value,) if members is None else members)[: MAX_CONTENTS + 1]:
        if each is None:
            continue
        try:
            result.append(sendable(each))
        except Exception as problem:
            notes.append(FieldNote(path, f"an entry {reason(problem)}"))
    if len(result) > MAX_CONTENTS:
        notes.append(FieldNote(path, f"has more than {MAX_CONTENTS} entries"))
    if not result:
        raise Unusable("has no usable entry")
    return result[:MAX_CONTENTS]


def _read_json(value: object, path: str, notes: Notes) -> Any:
    cleaner = Cleaner()
    try:
        return cleaner.clean(value)
    finally:
        notes.extend(FieldNote(path, f"a part of it {why}") for why in cleaner.lost)


def _read_object(value: object, path: str, notes: Notes) -> Any:
    if not isinstance(value, Mapping):
        raise Unusable("is not an object")
    if not path.endswith(".store_data"):
        return _read_json(value, path, notes)
    result: dict[str, Any] = {}
    read_members(result, known(value, _STORE_DATA), _STORE_DATA, notes, path)
    if not result:
        raise Unusable("has no usable member")
    return result


_STORE_DATA: Readers = {
    "store_page_id": _count,
    "brand_page_id": _count,
    "store_code": lambda value: sendable(value, _LONGEST_STORE_CODE),
}


def _simple(name: str, kind: str) -> Callable[[object], Any] | None:
    if name in _SPECIAL:
        return _SPECIAL[name]
    if kind == "enum":
        return functools.partial(one_of, CUSTOM_DATA_ENUMS[name])
    return _SIMPLE.get(kind)


_DEEP: Mapping[str, Callable[[object, str, Notes], Any]] = {
    "strings": _read_strings,
    "contents": read_contents,
    "object": _read_object,
    "list": _read_json,
}
_READERS: Readers = {
    name: read for name, kind in CUSTOM_DATA_TYPES.items() if (read := _simple(name, kind))
}
_DEEP_READERS = {
    name: _DEEP[kind] for name, kind in CUSTOM_DATA_TYPES.items() if name not in _READERS
}
_NO_PROPERTIES = CustomData().properties


def build(data: CustomData, notes: Notes, *, customer_segmentation: object) -> dict[str, Any]:
    """Turn neutral custom data into Meta's.

    Args:
        data: The fields and custom properties.
        notes: Receives what was left out.
        customer_segmentation: The event's; Meta's table has it beside ``custom_data``, Meta's
            sample inside, and only inside nothing unknown is refused.
    """
    wire: dict[str, Any] = {}
    _put(wire, data.__dict__, notes)
    if data.properties is not _NO_PROPERTIES and data.properties is not None:
        _put_properties(wire, data.properties, notes)
    if customer_segmentation is not None:
        _put(wire, {"customer_segmentation": customer_segmentation}, notes)
    if "value" in wire and "currency" not in wire:
        # Refused as 2804023, and an amount without a currency is none.
        del wire["value"]
        notes.append(FieldNote("custom_data.value", "has no valid currency beside it"))
    return wire


def _put(wire: dict[str, Any], values: Mapping[str, Any], notes: Notes) -> None:
    """Put the fields that Meta documents; what else there is waits for the custom properties."""
    for name, value in values.items():
        if value is None:
            continue
        try:
            if name in _READERS:
                wire[name] = _READERS[name](value)
            elif name in _DEEP_READERS and (type(value) is not str or value):
                wire[name] = _DEEP_READERS[name](value, f"custom_data.{name}", notes)
        except Exception as problem:
            leave_out(notes, f"custom_data.{name}", value, problem)


def _put_properties(wire: dict[str, Any], properties: object, notes: Notes) -> None:
    try:
        pairs = list(itertools.islice(properties.items(), MAX_PROPERTIES + 1))  # type: ignore[attr-defined]
    except Exception:
        notes.append(FieldNote("custom_data.properties", "is not an object"))
        return
    if len(pairs) > MAX_PROPERTIES:
        notes.append(FieldNote("custom_data.properties", f"has more than {MAX_PROPERTIES} keys"))
    for key, value in pairs[:MAX_PROPERTIES]:
        if value is None:
            continue
        try:
            name = sendable(key, MAX_KEY)
        except Exception as problem:
            notes.append(FieldNote("custom_data.properties", f"a key {reason(problem)}"))
            continue
        if name in wire:
            continue
        if name in CUSTOM_DATA_TYPES:
            _put(wire, {name: value}, notes)
            continue
        try:
            single = type(value) in _SINGLE
            wire[name] = scalar(value) if single else _read_json(value, _path(name), notes)
        except Exception as problem:
            notes.append(FieldNote(_path(name), reason(problem)))


def _path(name: str) -> str:
    # A key can be anything, an address too; only what looks like a name is repeated.
    return f"custom_data.{name}" if _PLAIN_KEY.fullmatch(name) else "custom_data.properties"
