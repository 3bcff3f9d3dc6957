"""What a source is: it turns somebody's request into events."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Mapping
from typing import ClassVar

import attrs

from capi_plugins.events import Event


@attrs.frozen(kw_only=True)
class SourceRequest:
    """A request to a source, as the adapter received it.

    Attributes:
        path: What follows the source's own place in the URL, without the query.
        headers: Header names in lower case and their values.
        query: First value of each query parameter.
        body: The raw bytes, for signatures.
    """

    path: str = ""
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    query: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    body: bytes = attrs.field(default=b"", repr=False)


class Source(abc.ABC):
    """Where events come in other than through the host app. Offered by ``capi_sources``.

    Attributes:
        NAME: How URLs and settings call it.
    """

    NAME: ClassVar[str]

    @abc.abstractmethod
    def events(self, request: SourceRequest) -> Iterable[Event]:
        """Verify a request and return its events.

        Args:
            request: What arrived.

        Raises:
            WebhookError: The request cannot be used; its ``status`` is the answer.
        """
