"""The body of a request: unpacked, read, and taken apart into messages."""

from __future__ import annotations

import contextlib
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from capi_plugins.exceptions import WebhookError

MOST_BYTES = 512_000
"""Longest body, unpacked; Segment's 500 kB."""
MOST_MESSAGE_BYTES = 32_768
"""Longest message; Segment's 32 kB."""
MOST_MESSAGES = 2500
"""Most messages in one request; Segment's number."""

_ZLIB_OR_GZIP = zlib.MAX_WBITS | 32
_LONG_NUMBER = re.compile(rb"\d{19}")


def unpack(body: bytes, encoding: str) -> bytes:
    """Undo the content encoding; never makes more than `MOST_BYTES` of it.

    Args:
        body: As it came.
        encoding: The header ``Content-Encoding``.

    Raises:
        WebhookError: It is another encoding, broken, or too long.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "x-gzip", "deflate"):
        said = "Content-Encoding must be gzip, deflate or nothing"
        raise WebhookError(said, status=415, code="unsupported_encoding")
    stream = zlib.decompressobj(_ZLIB_OR_GZIP)
    try:
        found = stream.decompress(body, MOST_BYTES + 1)
    except zlib.error:
        raise WebhookError(f"the body is not {encoding}", code="invalid_body") from None
    if len(found) > MOST_BYTES:
        raise too_large("the body", MOST_BYTES)
    if not stream.eof:
        raise WebhookError(f"the body is not complete {encoding}", code="invalid_body")
    return found


def parse(body: bytes) -> Any:
    """Read JSON.

    Args:
        body: As it came, unpacked.

    Raises:
        WebhookError: It is none.
    """
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        # Halves of emoji, NaN and the like: one such property must not cost a batch.
        return _leniently(body)
    if _LONG_NUMBER.search(body):
        # orjson makes floats of these, and an id would lose its last digits.
        with contextlib.suppress(WebhookError):
            return _leniently(body)
    return found


def _leniently(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise WebhookError("the body is not JSON", code="invalid_json") from None


def batch_of(data: Mapping[str, Any]) -> Sequence[object]:
    """Return the messages of a batch.

    Args:
        data: The body.

    Raises:
        WebhookError: It has none, or too many.
    """
    messages = data.get("batch")
    if not isinstance(messages, list):
        raise WebhookError('a batch is {"batch": [...]}', code="invalid_body")
    if len(messages) > MOST_MESSAGES:
        said = f"a batch has {MOST_MESSAGES:,} messages at most"
        raise WebhookError(said, status=413, code="too_large")
    return messages


def is_too_long(message: object) -> bool:
    """Whether a message of a batch is longer than one may be."""
    try:
        return len(orjson.dumps(message)) > MOST_MESSAGE_BYTES
    except TypeError:
        # Numbers and halves of characters that orjson does not write.
        return len(json.dumps(message)) > MOST_MESSAGE_BYTES


def too_large(what: str, most: int) -> WebhookError:
    """Return the error for something that is too long.

    Args:
        what: Its name.
        most: Bytes it may have.
    """
    return WebhookError(f"{what} is larger than {most:,} bytes", status=413, code="too_large")
