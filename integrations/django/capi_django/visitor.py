"""Looking at a request without leaving a trace.

Reading ``request.session`` or ``request.user`` marks the session as accessed, which adds
``Vary: Cookie`` to the answer, and may load, renew, empty or delete it, which sets cookies. Reading
``request.POST`` may take the body away from whoever reads it later. So paths and plugins get a
copy of the request whose session, user and body are safe to read.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

from django.contrib import auth
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest, QueryDict
from django.utils.datastructures import MultiValueDict
from django.utils.functional import LazyObject, SimpleLazyObject, empty


class SessionCopy(SessionBase):
    """A session with the data of another one, which nothing done to it can change.

    Args:
        original: The host's session.
    """

    def __init__(self, original: SessionBase) -> None:
        super().__init__(original.session_key)
        self._store = type(original)
        if "_session_cache" in original.__dict__:
            self._session_cache = dict(original.__dict__["_session_cache"])

    def load(self) -> dict[str, Any]:
        """Load the data through a store of our own: loading can change the store."""
        return dict(self._store(self.session_key).load())

    def exists(self, session_key: str) -> bool:  # noqa: ARG002 - Django's signature
        """Answer as a store that has nothing."""
        return False

    def create(self) -> None:
        """Keep nothing."""

    def save(self, must_create: bool = False) -> None:
        """Keep nothing."""

    def delete(self, session_key: str | None = None) -> None:
        """Delete nothing."""


def copy_of(request: HttpRequest) -> HttpRequest:
    """Return a copy of a request that can be read without a trace, once its view is done.

    It is of the same class and has the host's own attributes. Its session is a `SessionCopy`, its
    user is the one the view has seen, or is looked up without the host's session; its body is what
    the view has read of it.

    Args:
        request: The host's request.
    """
    # Any: the stubs know nothing of a body that is read in steps.
    copy: Any = HttpRequest.__new__(type(request))
    copy.__dict__.update(request.__dict__)
    session: Any = request.__dict__.get("session")
    if issubclass(type(session), SessionBase):
        copy.session = SessionCopy(session)
    if "user" in request.__dict__:
        user = _seen_user(request)
        copy.user = SimpleLazyObject(lambda: auth.get_user(copy)) if user is None else user
    copy.__dict__.pop("auser", None)
    _seal_body(copy)
    sealed: HttpRequest = copy
    return sealed


@contextlib.contextmanager
def keeping_session(request: HttpRequest) -> Iterator[None]:
    """Put the host's session back as it was: a path may reach it by a way of its own.

    ``sender.request.user`` and ``context.view.request.user`` lead to the host's request itself.

    Args:
        request: The host's request.
    """
    session = request.__dict__.get("session")
    if not issubclass(type(session), SessionBase):
        yield
        return
    before = dict(session.__dict__)
    try:
        yield
    finally:
        session.__dict__.clear()
        session.__dict__.update(before)


def _seen_user(request: HttpRequest) -> Any:
    """Return the user of a request if somebody has looked already, else None."""
    user = request.__dict__["user"]
    # type() and not isinstance(): a lazy object would be evaluated to answer that.
    if not issubclass(type(user), LazyObject):
        return user
    if user._wrapped is not empty:
        return user._wrapped
    # What request.auser() found.
    return request.__dict__.get("_acached_user")


@functools.lru_cache(maxsize=16)
def _nothing_posted(encoding: str | None) -> QueryDict:
    # Immutable, so that all requests may share it.
    return QueryDict(encoding=encoding)


def _seal_body(copy: Any) -> None:
    """Make reading the body give what was read of it, and never read more from the wire."""
    read = "_body" in copy.__dict__
    if not read:
        copy._read_started = True
    if "_post" not in copy.__dict__ and (not read or copy.content_type == "multipart/form-data"):
        # Upload handlers are the host's own and may do anything.
        copy._post = _nothing_posted(copy.encoding)
        copy._files = MultiValueDict()
