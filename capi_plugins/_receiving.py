"""From a request to a source to the outbox, and what is answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from capi_plugins.context import RequestContext
from capi_plugins.events import Event
from capi_plugins.exceptions import UnknownSource, WebhookError
from capi_plugins.sources.base import (
    Received,
    Source,
    SourceRequest,
    SourceResponse,
    error_response,
)

if TYPE_CHECKING:
    from capi_plugins._client import Client

_STORE_AGAIN = 5
Store = Callable[[Sequence[Event], RequestContext, Sequence[str]], bool]


class Receiving:
    """Hands requests to sources, and their events to the outbox.

    Args:
        client: Whose sources they are.
        store: Takes events to the outbox, with the context they happened in and the reasons of
            those there are not, and says whether it has them. None: nothing is to be sent.
    """

    def __init__(self, client: Client, store: Store | None) -> None:
        self._client = client
        self._store = store

    def receive(self, name: str, request: SourceRequest) -> Received:
        """Take the events of a request; raises ``WebhookError`` when it cannot be used."""
        received = self._source(name).receive(request)
        if self._store and not self._store(received.events, received.context, received.reasons):
            raise WebhookError(
                "the events cannot be stored now, send them again later",
                status=503,
                code="unavailable",
                retry_after=_STORE_AGAIN,
            )
        return received

    def answer(
        self, name: str, request: SourceRequest, problem: WebhookError | None
    ) -> SourceResponse:
        """Take the events of a request and return what it is answered; never raises."""
        if problem is None:
            try:
                return self.receive(name, request).response
            except WebhookError as error:
                problem = error
            except Exception as error:
                self._client.failed(f"source {name}", error)
                said = "something is wrong on this side, send it again later"
                problem = WebhookError(said, status=500, code="internal_error")
        try:
            return self._source(name).refusal(request, problem)
        except WebhookError:
            return error_response(problem)
        except Exception as error:
            self._client.failed(f"source {name}", error)
            return error_response(problem)

    def _source(self, name: str) -> Source:
        found = self._client.sources.get(name)
        if found is None:
            raise UnknownSource(f"there is no source {name!r}")
        return found
