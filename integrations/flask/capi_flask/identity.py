"""Which row of SQLAlchemy's an object is, for the context store."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

from capi_flask.rows import plain
from capi_plugins.context_store import Row

if TYPE_CHECKING:
    from sqlalchemy.orm import InstanceState


def identify(value: object) -> Row | None:
    """Tell which row a value is; see ``capi_plugins.context_store.Identify``.

    Its user is what its relationship ``user`` leads to.

    Args:
        value: Anything.
    """
    if "sqlalchemy.orm" not in sys.modules:
        return None
    from sqlalchemy import inspect  # noqa: PLC0415 - only where the host has it
    from sqlalchemy.orm import InstanceState  # noqa: PLC0415

    with contextlib.suppress(Exception):  # an object that cannot even be looked at is no row
        row = plain(value)
        state = inspect(row, raiseerr=False)
        if isinstance(state, InstanceState) and state.identity is not None:
            return Row(_model(state), _key(state), lambda: getattr(row, "user", None))
    return None


def _model(state: InstanceState[Any]) -> str:
    # A child of single-table or joined inheritance is the row its base is.
    return (
        f"{state.mapper.base_mapper.class_.__module__}.{state.mapper.base_mapper.class_.__name__}"
    )


def _key(state: InstanceState[Any]) -> object:
    identity = state.identity or ()
    return identity[0] if len(identity) == 1 else tuple(map(str, identity))
