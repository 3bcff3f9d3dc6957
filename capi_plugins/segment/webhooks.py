"""The sources ``segment`` and ``rudderstack``: their webhook destinations.

Whoever may send conversions decides what is spent on advertising, so nothing is read before the
request has proved where it comes from. A message that comes twice counts once, by its id.

Source: Segment's *Webhooks* and *Webhooks (Actions) Destination*; RudderStack's *Webhook* and
*HTTP Webhook*, which sign nothing and send headers that one writes oneself.
"""

from __future__ import annotations

import abc
import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import orjson

from capi_plugins.events import Event
from capi_plugins.exceptions import InvalidSignature, WebhookError
from capi_plugins.segment.body import batch_of, parse
from capi_plugins.segment.convert import Converter
from capi_plugins.sources.base import Received, Source, SourceRequest


class Webhook(Source):
    """A webhook whose messages are Segment's.

    Args:
        converter: Turns messages into events.
        secrets: What requests are proved with; several while one takes the place of another.
    """

    METHODS: ClassVar[tuple[str, ...]] = ("POST", "PUT", "PATCH")

    def __init__(self, converter: Converter, secrets: Sequence[str]) -> None:
        self._converter = converter
        self._secrets = [secret.encode() for secret in secrets]

    def events(self, request: SourceRequest) -> Iterable[Event]:
        """Return the events of a request."""
        return self.receive(request).events

    def receive(self, request: SourceRequest) -> Received:
        """Verify a request and convert its messages."""
        # All of them, so that the time it takes does not tell which one it was.
        if not any([self.proves(request, secret) for secret in self._secrets]):  # noqa: C419
            raise InvalidSignature("the request is not signed with a secret that is known here")
        events: list[Event] = []
        reasons: list[str] = []
        for message in _messages(parse(request.body)):
            result = self._converter.convert(_named(message))
            events += result.events
            if result.reason:
                reasons.append(result.reason)
        return Received(events=tuple(events), reasons=tuple(reasons))

    @abc.abstractmethod
    def proves(self, request: SourceRequest, secret: bytes) -> bool:
        """Whether a request was made by somebody who knows a secret."""


class SegmentWebhook(Webhook):
    """Segment's: ``X-Signature`` is the HMAC of the body, SHA-1, in hexadecimal digits."""

    NAME: ClassVar[str] = "segment"

    def proves(self, request: SourceRequest, secret: bytes) -> bool:
        """Compare the signatures."""
        given = request.headers.get("x-signature", "").strip().lower()
        wanted = hmac.new(secret, request.body, hashlib.sha1).hexdigest()
        return hmac.compare_digest(given.encode(errors="replace"), wanted.encode())


class RudderStackWebhook(Webhook):
    """RudderStack's: the secret is a bearer token, or the password of Basic authentication."""

    NAME: ClassVar[str] = "rudderstack"

    def proves(self, request: SourceRequest, secret: bytes) -> bool:
        """Compare the secrets."""
        scheme, _, given = request.headers.get("authorization", "").strip().partition(" ")
        found = given.strip().encode(errors="replace")
        if scheme.lower() == "basic":
            try:
                found = base64.b64decode(found, validate=True).partition(b":")[2]
            except binascii.Error:
                found = b""
        elif scheme.lower() != "bearer":
            found = b""
        return hmac.compare_digest(found, secret)


WEBHOOKS: Mapping[str, type[Webhook]] = {
    source.NAME: source for source in (SegmentWebhook, RudderStackWebhook)
}


def _messages(data: Any) -> Sequence[object]:
    if isinstance(data, list):
        return batch_of({"batch": data})
    if isinstance(data, Mapping):
        return batch_of(data) if "batch" in data else [data]
    raise WebhookError("the body must be a JSON object, or a list of them", code="invalid_body")


def _named(message: object) -> object:
    """Give a message without an id one that is the same whenever it comes."""
    if not isinstance(message, Mapping) or message.get("messageId"):
        return message
    try:
        whole = orjson.dumps(message, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        whole = repr(message).encode(errors="replace")
    return {**message, "messageId": hashlib.sha256(whole).hexdigest()}
