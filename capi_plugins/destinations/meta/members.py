"""Reading the members of an object, each on its own: a bad one costs itself alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from capi_plugins.destinations.meta.scalars import Unusable
from capi_plugins.events import FieldNote

Readers = Mapping[str, Callable[[object], Any]]
"""By name, what reads a value; it raises for one that cannot be sent, and for an empty text."""


def read_members(
    wire: dict[str, Any],
    values: Mapping[str, Any],
    readers: Readers,
    notes: list[FieldNote],
    path: str = "",
) -> None:
    """Put the values that can be sent under their names.

    Args:
        wire: Receives the values.
        values: Any values by name; what has no reader is passed over.
        readers: By name.
        notes: Receives what was left out.
        path: The path of the object, for notes; empty: the event itself.
    """
    for name, value in values.items():
        if value is not None and name in readers:
            try:
                wire[name] = readers[name](value)
            except Exception as problem:
                leave_out(notes, f"{path}.{name}" if path else name, value, problem)


def known(value: Mapping[Any, Any], readers: Readers) -> dict[str, Any]:
    """Return the members of a host's mapping that have a reader, however many others it has."""
    return {name: value.get(name) for name in readers}


def leave_out(notes: list[FieldNote], path: str, value: object, problem: Exception) -> None:
    """Note why a value was left out; of an empty text there is nothing to say."""
    if type(value) is not str or value:
        notes.append(FieldNote(path, reason(problem)))


def reason(problem: Exception) -> str:
    """Say why a value was left out, never what it was."""
    return str(problem) if isinstance(problem, Unusable) else "cannot be read"
