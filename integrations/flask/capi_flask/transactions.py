"""Follows SQLAlchemy's transactions, so that an event counts when its changes are committed.

Listeners stand on SQLAlchemy's ``Session`` class, once per process: they see every session of the
host, Flask-SQLAlchemy's and those below ``AsyncSession`` among them. SQLAlchemy is used only where
the host has loaded it.

A transaction has a frame for itself and one for each savepoint. What was noted goes up with the
savepoint that is released, is confirmed when the outermost transaction has ended with a commit,
and is forgotten otherwise.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import logging
import sys
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from flask import current_app, has_app_context

from capi_plugins.leaving import pass_on

if TYPE_CHECKING:
    from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction

_log = logging.getLogger("capi_plugins.flask")
_KEY = "capi_flask"
_ABOUT_TO_WRITE = "capi_flask_about_to_write"
_last_writer: contextvars.ContextVar[weakref.ref[Session] | None] = contextvars.ContextVar(
    "capi_flask_last_writer", default=None
)


class _Frame:
    def __init__(self) -> None:
        self.confirm: list[Callable[[], None]] = []
        self.wrote = False
        self.committed = False


def fenced(listener: Callable[..., None]) -> Callable[..., None]:
    """Wrap a listener so that nothing it raises reaches the host's transaction."""

    @functools.wraps(listener)
    def safe(*arguments: Any) -> None:
        try:
            listener(*arguments)
        except Exception as error:
            pass_on(error)
            _log.error("%s failed with %s", listener.__name__, type(error).__name__)

    return safe


def watch() -> None:
    """Listen to SQLAlchemy's sessions, if the host has loaded it; calling it again is cheap."""
    if "sqlalchemy.orm" not in sys.modules or _watching:
        return
    from sqlalchemy import event  # noqa: PLC0415 - only where the host has it
    from sqlalchemy.orm import Session  # noqa: PLC0415

    for name, listener in (
        ("after_flush", _after_flush),
        ("do_orm_execute", _do_orm_execute),
        ("after_commit", _after_commit),
        ("after_transaction_end", _after_transaction_end),
    ):
        # The same function twice on the same class counts once, should two threads meet here.
        event.listen(Session, name, listener)
    _watching.append(True)


_watching: list[bool] = []


def changed(objects: Iterable[object]) -> Session | None:
    """Return the session whose open transaction has changes that an event belongs to.

    Args:
        objects: What the event is about: the session of a mapped object among them is asked
            first, then Flask-SQLAlchemy's, then the one that wrote last in this context.
    """
    if not _watching:
        return None
    from sqlalchemy.orm import object_session  # noqa: PLC0415 - only where the host has it

    for candidate in objects:
        with contextlib.suppress(Exception):  # not a mapped object
            session = object_session(candidate)
            if session is not None and _has_changes(session):
                return session
    session = _flask_sqlalchemy()
    if session is not None and _has_changes(session):
        return session
    writer = _last_writer.get()
    session = writer() if writer else None
    return session if session is not None and _has_written(session) else None


def on_commit(session: Session) -> Callable[[Callable[[], None]], None]:
    """Return what registers a function for the end of a session's transaction, if it commits."""

    def register(confirm: Callable[[], None]) -> None:
        frame = _frame(session)
        if frame is None:
            confirm()
        else:
            frame.confirm.append(confirm)

    return register


@contextlib.contextmanager
def no_autoflush() -> Iterator[None]:
    """Keep reading from writing: what the host left unflushed stays so."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(Exception):  # a session that cannot be had writes nothing
            session = _flask_sqlalchemy() if _watching else None
            if session is not None:
                stack.enter_context(session.no_autoflush)
        yield


def _flask_sqlalchemy() -> Session | None:
    """Return Flask-SQLAlchemy's session of this context, without making one."""
    extension = current_app.extensions.get("sqlalchemy") if has_app_context() else None
    scoped = getattr(extension, "session", None)
    registry = getattr(scoped, "registry", None)
    if scoped is None or registry is None or not registry.has():
        return None
    session: Session = scoped()
    return session


def _has_changes(session: Session) -> bool:
    return _has_written(session) or bool(session.new or session.deleted or session.dirty)


def _has_written(session: Session) -> bool:
    _frame(session)
    return any(frame.wrote for frame in _frames(session).values())


def _frame(session: Session) -> _Frame | None:
    transaction = session.get_nested_transaction() or session.get_transaction()
    if transaction is None:
        return None
    frame = _frames(session).setdefault(transaction, _Frame())
    frame.wrote = session.info.pop(_ABOUT_TO_WRITE, False) or frame.wrote
    return frame


def _frames(session: Session) -> dict[SessionTransaction, _Frame]:
    frames: dict[SessionTransaction, _Frame] = session.info.setdefault(_KEY, {})
    return frames


def _wrote(session: Session) -> None:
    frame = _frame(session)
    if frame is None:
        # A statement is announced before it begins its transaction.
        session.info[_ABOUT_TO_WRITE] = True
    else:
        frame.wrote = True
    _last_writer.set(weakref.ref(session))


@fenced
def _after_flush(session: Session, _: object) -> None:
    _wrote(session)


@fenced
def _do_orm_execute(state: ORMExecuteState) -> None:
    if state.is_insert or state.is_update or state.is_delete:
        _wrote(state.session)


@fenced
def _after_commit(session: Session) -> None:
    # Also called when a savepoint is released; then the savepoint is the innermost one still.
    frame = _frame(session)
    if frame is not None:
        frame.committed = True


@fenced
def _after_transaction_end(session: Session, transaction: SessionTransaction) -> None:
    frames = _frames(session)
    frame = frames.pop(transaction, None)
    if frame is None or not frame.committed:
        return
    parent = transaction.parent
    while parent is not None and not parent.nested and parent.parent is not None:
        parent = parent.parent
    if parent is not None:
        above = frames.setdefault(parent, _Frame())
        above.confirm += frame.confirm
        above.wrote = above.wrote or frame.wrote
        return
    for confirm in frame.confirm:
        fenced(confirm)()
