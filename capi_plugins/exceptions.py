"""Everything this package raises.

::

    CapiError
      ConfigurationError     settings are wrong           start-up only
      PluginError            a plugin cannot be used      start-up only
      InvalidEvent           an event cannot be built or would be refused
      WebhookError
        InvalidSignature     400
        UnknownSource        404
      TransportError         no answer from the wire
    DropEvent                not an error: a plugin decided
"""

from __future__ import annotations

from collections.abc import Iterable


class CapiError(Exception):
    """Base of every error of this package."""


class ConfigurationError(CapiError):
    """Settings are wrong. Raised at start-up only, with every mistake found.

    Attributes:
        problems: One sentence for each mistake, each naming the path of the setting.
    """

    def __init__(self, problems: str | Iterable[str]) -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


class PluginError(CapiError):
    """A plugin cannot be imported or used. Raised at start-up only, naming the plugin."""


class InvalidEvent(CapiError):
    """An event cannot be built, or its destination would refuse it.

    The text is the reason, in words that contain no match key. Inside the pipeline it becomes
    the signal ``event_dropped``.
    """


class WebhookError(CapiError):
    """A request to a source cannot be used.

    Its text is part of the answer, so it contains nothing of the request and no secret.

    Args:
        message: What is wrong, and what to do about it.
        status: HTTP status to answer with; default: that of the class.
        code: The same in one word, for programs; default: that of the class.
        retry_after: Seconds after which the sender may try again, if it may.
    """

    status: int = 400
    code: str = "invalid_request"

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = self.status if status is None else status
        self.code = code or self.code
        self.retry_after = retry_after


class InvalidSignature(WebhookError):
    """The signature of a webhook is missing or wrong."""

    code = "invalid_signature"


class UnknownSource(WebhookError):
    """No source of that name is configured."""

    status = 404
    code = "not_found"


class TransportError(CapiError):
    """No usable answer came from the wire: refused, timed out, broken off.

    Attributes:
        retry_after: Seconds the other side asked to wait, if it said so.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class DropEvent(Exception):
    """Raised by ``capi_filter`` to keep an event from a destination.

    Attributes:
        reason: Shown by ``event_dropped`` and ``capi explain``; it must not contain match keys.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
