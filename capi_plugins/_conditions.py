"""What a value must be: the conditions of ``WHEN`` and ``CHANGED``."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

from capi_plugins._paths import NOWHERE
from capi_plugins.events import is_empty
from capi_plugins.leaving import pass_on


def fulfilled(value: Any, wanted: Any) -> bool:
    """Whether a value is what settings want of it.

    Args:
        value: The value, or ``NOWHERE``. Whatever it raises when it is compared is a no.
        wanted: A value, a list of values of which it must be one, or ``{"EMPTY": ...}``, or
            ``{"NOT": ...}``.
    """
    if isinstance(wanted, list | tuple):
        return any(fulfilled(value, option) for option in wanted)
    if is_condition(wanted, "EMPTY"):
        return _leads_nowhere(value) is wanted["EMPTY"]
    if is_condition(wanted, "NOT"):
        return not fulfilled(value, wanted["NOT"])
    return _holds(value, wanted)


def is_condition(wanted: Any, name: str) -> bool:
    """Whether settings want a condition of a name, and not a value.

    Args:
        wanted: As it is written.
        name: ``EMPTY`` or ``NOT``.
    """
    return isinstance(wanted, Mapping) and set(wanted) == {name}


def _leads_nowhere(value: Any) -> bool:
    try:
        return value is NOWHERE or is_empty(value)
    except Exception as error:
        pass_on(error)
        return True


def _holds(value: Any, wanted: Any) -> bool:
    try:
        if value is NOWHERE:
            return False
        if isinstance(value, enum.Enum) and not isinstance(wanted, enum.Enum):
            # Settings are read before the host's classes, or are no Python at all.
            return wanted in (value.name, value.value)
        return bool(value == wanted)
    except Exception as error:
        pass_on(error)
        return False
