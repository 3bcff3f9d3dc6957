"""What a source is: it turns somebody's request into events."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Mapping
from typing import ClassVar

import attrs
import orjson

from capi_plugins.context import NO_REQUEST, RequestContext
from capi_plugins.events import Event
from capi_plugins.exceptions import WebhookError


@attrs.frozen(kw_only=True)
class SourceRequest:
    """A request to a source, as the adapter received it.

    Attributes:
        method: HTTP method, upper case.
        path: What follows the source's own place in the URL, without the query.
        headers: Header names in lower case and their values.
        query: First value of each query parameter.
        body: The raw bytes, for signatures.
        context: The whole request in neutral words. Whether it is the visitor's own, only the
            source knows.
    """

    method: str = "POST"
    path: str = ""
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    query: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    body: bytes = attrs.field(default=b"", repr=False)
    context: RequestContext = attrs.field(default=NO_REQUEST, repr=False)


@attrs.frozen(kw_only=True)
class SourceResponse:
    """What is answered.

    Attributes:
        status: HTTP status.
        headers: Header names and values.
        body: The raw bytes.
    """

    status: int = 200
    headers: Mapping[str, str] = attrs.field(factory=dict)
    body: bytes = b""


@attrs.frozen(kw_only=True)
class Received:
    """What a source makes of a request.

    Attributes:
        events: The events.
        context: The request in which they happened: ``NO_REQUEST``, unless the request to the
            source is the visitor's own.
        reasons: Why parts of the request made no event, without anything personal.
        response: What is answered once the events are stored.
    """

    events: tuple[Event, ...] = ()
    context: RequestContext = NO_REQUEST
    reasons: tuple[str, ...] = ()
    response: SourceResponse = attrs.field(factory=lambda: json_response({"success": True}))


class Source(abc.ABC):
    """Where events come in other than through the host app. Offered by ``capi_sources``.

    Attributes:
        NAME: How URLs and settings call it.
        METHODS: The HTTP methods it takes.
        MOST_BYTES: Longest body it takes.
    """

    NAME: ClassVar[str]
    METHODS: ClassVar[tuple[str, ...]] = ("POST",)
    MOST_BYTES: ClassVar[int] = 1_000_000

    @abc.abstractmethod
    def events(self, request: SourceRequest) -> Iterable[Event]:
        """Verify a request and return its events.

        Args:
            request: What arrived.

        Raises:
            WebhookError: The request cannot be used; its ``status`` is the answer.
        """

    def receive(self, request: SourceRequest) -> Received:
        """Verify a request and say what it means; for sources whose answers are their own.

        Args:
            request: What arrived.

        Raises:
            WebhookError: The request cannot be used; ``refusal`` makes the answer.
        """
        return Received(events=tuple(self.events(request)))

    def refusal(self, request: SourceRequest, error: WebhookError) -> SourceResponse:
        """Return the answer to a request that cannot be used.

        Args:
            request: What arrived; without its body when that was the problem.
            error: What is wrong with it.
        """
        del request
        return error_response(error)


def json_response(
    data: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> SourceResponse:
    """Make an answer of JSON.

    Args:
        data: What it says.
        status: HTTP status.
        headers: More headers.
    """
    return SourceResponse(
        status=status,
        headers={"Content-Type": "application/json", **(headers or {})},
        body=orjson.dumps(data),
    )


def error_response(error: WebhookError) -> SourceResponse:
    """Make the usual answer to a request that cannot be used.

    Args:
        error: What is wrong with it.
    """
    wait = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    said = {"success": False, "code": error.code, "message": str(error)}
    return json_response(said, status=error.status, headers=wait)
