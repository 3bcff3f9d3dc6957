"""Taps: what the host tells Segment, RudderStack or PostHog from Python is taken as well.

A tap stands around the methods that a host calls. The library does its work first and gets
everything as before; what went wrong there is raised as before, and what goes wrong here is not.
"""

from __future__ import annotations

import functools
import importlib
import logging
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from capi_plugins.context import NO_REQUEST, RequestContext
from capi_plugins.events import Event
from capi_plugins.segment.convert import Converter
from capi_plugins.segment.message import Message
from capi_plugins.segment.posthog import posthog_message

if TYPE_CHECKING:
    from capi_plugins import Client

_log = logging.getLogger("capi_plugins.segment")

Call = Callable[[Callable[..., Any], tuple[Any, ...], Mapping[str, Any], Any], object]
"""Makes a message of a call: the method, its arguments without the object, and what it returned."""


def _returned(
    _method: Callable[..., Any], _args: tuple[Any, ...], _kwargs: Mapping[str, Any], result: Any
) -> object:
    """Segment's and RudderStack's clients return whether they took a message, and the message."""
    if isinstance(result, tuple) and len(result) > 1 and isinstance(result[1], Mapping):
        return result[1]
    return None


@attrs.frozen
class Library:
    """A library that can be tapped.

    Attributes:
        modules: Where its client may be, newest version first.
        methods: Those a host calls.
        message: Makes a message of a call.
    """

    modules: tuple[str, ...]
    methods: tuple[str, ...]
    message: Call


_CALLS = ("track", "identify", "page", "screen", "group", "alias")
LIBRARIES: Mapping[str, Library] = {
    "segment": Library(("segment.analytics.client", "analytics.client"), _CALLS, _returned),
    "rudder": Library(
        ("rudderstack.analytics.client", "rudder_analytics.client"), _CALLS, _returned
    ),
    "posthog": Library(("posthog.client",), ("capture",), posthog_message),
}

_MARK = "_capi_tapped"
_lock = threading.Lock()
_listeners: dict[str, weakref.WeakSet[Taps]] = {}


class Taps:
    """The taps of one client.

    Args:
        client: Who gets the events.
        converter: Makes them.
        names: The libraries.
    """

    def __init__(self, client: Client, converter: Converter, names: tuple[str, ...]) -> None:
        # The taps are the process's, and must not keep a client that nobody has any more.
        self._client = weakref.ref(client)
        self._converter = converter
        self._names = names

    def open(self) -> None:
        """Begin to listen; a library that is not there is said in the log."""
        for name in self._names:
            with _lock:
                _listeners.setdefault(name, weakref.WeakSet()).add(self)
                found = _open(name)
            if not found:
                _log.error("CAPI['SEGMENT']['TAP'] names %r, which is not installed", name)

    def close(self) -> None:
        """Listen no more; the library is as it was when nobody does."""
        for name in self._names:
            with _lock:
                _listeners[name].discard(self)
                if not _listeners[name]:
                    _close(name)

    def is_of_this_request(self) -> bool:
        """Whether the request being handled is one of this client's host."""
        client = self._client()
        return client is not None and client.current_scope() is not None

    def take(self, message: Mapping[str, Any]) -> None:
        """Note the event of a message, in the request in which it was sent, if there is one."""
        client = self._client()
        if client is None:
            return
        scope = client.current_scope()

        def build() -> Event | None:
            context = scope.context if scope else NO_REQUEST
            events = self._events(message, context)
            for event in events[1:]:
                client.capture(event, context)
            return events[0] if events else None

        client.note(build)

    def _events(self, message: Mapping[str, Any], context: RequestContext) -> list[Event]:
        events = self._converter.convert(message).events
        if not context.in_request or Message(message).find("actionsource") is not None:
            return list(events)
        # A message of a server does not tell where it happened; the request it is sent in does.
        return [
            attrs.evolve(event, action_source=None) if event.action_source == "other" else event
            for event in events
        ]


def _open(name: str) -> bool:
    cls = _client_class(name)
    if cls is None:
        return False
    for method in LIBRARIES[name].methods:
        original = cls.__dict__.get(method)
        if callable(original) and not hasattr(original, _MARK):
            setattr(cls, method, _tapped(name, original))
    return True


def _close(name: str) -> None:
    cls = _client_class(name)
    for method in LIBRARIES[name].methods:
        original = getattr(cls.__dict__.get(method), _MARK, None) if cls is not None else None
        if original is not None:
            setattr(cls, method, original)


def _client_class(name: str) -> type | None:
    for module in LIBRARIES[name].modules:
        try:
            found = importlib.import_module(module).Client
        except Exception:  # noqa: S112 - not there, or another library of this name
            continue
        if isinstance(found, type):
            return found
    return None


def _tapped(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def method(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        result = original(self, *args, **kwargs)
        try:
            _tell(name, original, args, kwargs, result)
        except Exception as error:
            _log.error("the tap of %s failed with %s", name, type(error).__name__)
        return result

    setattr(method, _MARK, original)
    return method


def _tell(
    name: str,
    original: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    result: Any,
) -> None:
    message = LIBRARIES[name].message(original, args, kwargs, result)
    if isinstance(message, Mapping):
        for taps in _who_listens(name):
            taps.take(message)


def _who_listens(name: str) -> Iterator[Taps]:
    """Give whose request is being handled; outside of requests all that listen."""
    listening = list(_listeners.get(name, ()))
    return iter([taps for taps in listening if taps.is_of_this_request()] or listening)
