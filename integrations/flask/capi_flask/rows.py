"""Reads rows after the commit, without touching the host's session.

A session that is in a transaction is read through: it holds its connection anyway. A session that
is not would begin a transaction, and an object without one cannot load anything; so these are
read again in a short session of our own, which takes a connection that the host has given back.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


@attrs.frozen
class Late:
    """Objects that will be read later.

    Attributes:
        offered: The objects by name, mapped ones among them.
        binds: For each mapped one, where its rows are.
    """

    offered: Mapping[str, Any]
    binds: Mapping[str, Any]

    @property
    def is_async(self) -> bool:
        """Whether a database of theirs can only be read where somebody awaits."""
        return any(bind.dialect.is_async for bind in self.binds.values())

    @contextlib.contextmanager
    def readable(self) -> Iterator[dict[str, Any]]:
        """Give the objects in a state in which all their attributes can be read."""
        with contextlib.ExitStack() as stack:
            values = dict(self.offered)
            sessions: dict[Any, Session] = {}
            for name, bind in self.binds.items():
                with contextlib.suppress(Exception):  # read as it is, as far as that goes
                    values[name] = _readable(self.offered[name], bind, sessions, stack)
            yield values


def remember(offered: Mapping[str, Any]) -> Late:
    """Take note of objects, and of where their rows are while their sessions are still known.

    Args:
        offered: Anything, by name.
    """
    binds = {}
    if "sqlalchemy.orm" in sys.modules:
        from sqlalchemy.orm import object_session  # noqa: PLC0415 - only where the host has it

        for name, value in offered.items():
            with contextlib.suppress(Exception):  # not mapped, or bound to nothing
                session = object_session(plain(value))
                if session is not None:
                    binds[name] = session.get_bind(type(plain(value)))
    return Late(offered, binds)


def _readable(
    value: Any, bind: Any, sessions: dict[Any, Session], stack: contextlib.ExitStack
) -> Any:
    from sqlalchemy import inspect  # noqa: PLC0415 - only where the host has it
    from sqlalchemy.orm import Session  # noqa: PLC0415

    value = plain(value)
    state = inspect(value)
    session = state.session
    if session is not None and session.in_transaction() and session.is_active:
        stack.enter_context(session.no_autoflush)
        return value
    if state.identity is None:
        return value
    if bind not in sessions:
        sessions[bind] = stack.enter_context(Session(bind=bind))
    return sessions[bind].get(type(value), state.identity) or value


def plain(value: Any) -> Any:
    """Return what werkzeug's ``LocalProxy`` stands for, and everything else as it is."""
    if hasattr(type(value), "_get_current_object"):
        return value._get_current_object()  # noqa: SLF001 - werkzeug documents it
    return value
