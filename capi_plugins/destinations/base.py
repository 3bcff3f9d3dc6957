"""What a destination is: a class that turns events into requests and reads the answers."""

from __future__ import annotations

import abc
import enum
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import attrs

from capi_plugins.browser import BrowserEvent, Cookie
from capi_plugins.consent import Consent
from capi_plugins.context import RequestContext
from capi_plugins.events import Event, FieldNote, UserData
from capi_plugins.outbox.base import Delivery


@attrs.frozen(kw_only=True)
class Option:
    """One setting of a kind of destination, below ``CAPI["DESTINATIONS"][name]``.

    Attributes:
        name: Upper case, as written in the settings.
        types: What the value may be; None is always allowed unless the option is required.
        required: Whether the destination cannot work without it.
        default: Used when the setting is absent or None.
        secret: Whether the value must never be shown.
        env: Whether ``CAPI_<DESTINATION>_<OPTION>`` in the environment is read when absent.
    """

    name: str
    types: tuple[type, ...] = (str,)
    required: bool = False
    default: Any = None
    secret: bool = False
    env: bool = False


@attrs.frozen(kw_only=True)
class Payload:
    """An event as one destination wants it: encoded, contact data hashed.

    Attributes:
        body: The encoded event, one piece of a batch.
        expires_at: When the destination stops taking it, seconds since the epoch.
        notes: Fields that were left out.
    """

    body: bytes = attrs.field(repr=False)
    expires_at: float | None = None
    notes: tuple[FieldNote, ...] = ()


@attrs.frozen(kw_only=True)
class Request:
    """One HTTP request, ready to go.

    Attributes:
        method: HTTP method.
        url: Absolute URL; it never holds a secret, because URLs end up in logs.
        headers: Header names and values.
        body: The body.
        timeout: Seconds for the whole exchange.
    """

    method: str = "POST"
    url: str
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    body: bytes = attrs.field(default=b"", repr=False)
    timeout: float = 10.0


@attrs.frozen(kw_only=True)
class Response:
    """The answer to a request.

    Attributes:
        status: HTTP status.
        headers: Header names in lower case and their values.
        body: At most the first 64 KiB.
    """

    status: int
    headers: Mapping[str, str] = attrs.field(factory=dict)
    body: bytes = attrs.field(default=b"", repr=False)


class Verdict(enum.Enum):
    """What became of a batch."""

    DELIVERED = "delivered"
    RETRY = "retry"
    """Something went wrong, perhaps because of an event; try again later, but not for ever."""
    DOWN = "down"
    """Out of reach or out of order, which no event can help: as RETRY, but it costs no attempt."""
    THROTTLED = "throttled"
    """As RETRY, but the wait is the other side's wish and costs no attempt."""
    STOP = "stop"
    """The destination's own configuration is wrong: keep everything, tell a person."""
    SPLIT = "split"
    """One of the events is refused, nobody says which: halve until it is alone."""


@attrs.frozen(kw_only=True)
class Outcome:
    """What an answer means for the batch it answers.

    Attributes:
        verdict: What to do with the batch.
        reason: A short text without match keys or secrets, for logs and dead letters.
        code: The destination's own error code, ``"100/2804003"``.
        retry_after: Seconds the destination asked to wait.
        trace: The destination's support handle for the request (Meta: ``fbtrace_id``).
    """

    verdict: Verdict
    reason: str = ""
    code: str | None = None
    retry_after: float | None = None
    trace: str | None = None

    def __str__(self) -> str:
        """Tell it in one clause, without secrets: reason, code and support handle."""
        parts = [self.reason or self.verdict.value]
        if self.code:
            parts.append(f"code {self.code}")
        if self.trace:
            parts.append(f"fbtrace_id {self.trace}")
        return ", ".join(parts)


class Destination(abc.ABC):
    """A configured receiver of events. Subclasses are offered by ``capi_destination_types``.

    Attributes:
        KIND: Chosen in settings by ``KIND``, which defaults to the destination's own name.
        OPTIONS: The settings this kind takes, besides ``KIND`` and ``EVENTS``.
        MAX_BATCH: Most deliveries in one request.
        MAX_BATCH_BYTES: Most bytes of payload in one request.
        name: The destination's name in settings.
    """

    KIND: ClassVar[str]
    OPTIONS: ClassVar[tuple[Option, ...]] = ()
    MAX_BATCH: ClassVar[int] = 1000
    MAX_BATCH_BYTES: ClassVar[int] = 4_000_000

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        """Keep the options; raise ``ConfigurationError`` for values that cannot be right."""
        self.name = name
        self.options = options

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    def __getstate__(self) -> object:
        """Refuse to be pickled or copied: it holds secrets."""
        raise TypeError(f"{self!r} holds secrets: make another one from its settings")

    @abc.abstractmethod
    def payload(self, event: Event, consent: Consent, *, now: float) -> Payload:
        """Turn one event into the piece of a batch that stands for it.

        Args:
            event: The event, enriched and filtered.
            consent: GRANTED or LIMITED.
            now: Seconds since the epoch.

        Raises:
            InvalidEvent: The destination would refuse the event; the text says why.
        """

    @abc.abstractmethod
    def request(self, deliveries: Sequence[Delivery]) -> Request:
        """Join deliveries to one request. Secrets are added here, not before."""

    @abc.abstractmethod
    def outcome(self, response: Response, deliveries: Sequence[Delivery]) -> Outcome:
        """Read the answer to a request."""

    def hashes_of(self, user: UserData) -> Sequence[str]:
        """Return how a person's own match keys stand in payloads, to erase the person from them.

        Args:
            user: Keys that belong to one person alone; the others are left aside.

        Returns:
            Texts that occur in payloads of this person and in nobody else's. Empty: the
            destination cannot tell.
        """
        del user
        return ()

    def browser_cookies(self, context: RequestContext, *, now: float) -> Sequence[Cookie]:
        """Make the cookies by which the destination knows a visitor, as far as they lack.

        They are set only where the visitor may be known to the destination.

        Args:
            context: The visitor's request.
            now: Seconds since the epoch.
        """
        del context, now
        return ()

    def released_cookies(self, payload: Payload, context: RequestContext) -> Sequence[Cookie]:
        """Make the cookies that an event would have set, had its visitor agreed by then.

        Args:
            payload: An event that was held until the visitor agreed.
            context: The visitor's request now.
        """
        del payload, context
        return ()

    def released(self, payloads: Sequence[bytes]) -> Sequence[bytes]:
        """Complete events that were held until their visitor agreed by what others of them tell.

        Args:
            payloads: Events of one visitor that are released together, by their time.

        Returns:
            As many, in the same order.
        """
        return payloads

    def browser_traces(self, context: RequestContext) -> Sequence[str]:
        """Return how the cookies by which it knows a visitor stand in payloads.

        What waits and holds one of these texts is removed when the visitor withdraws consent.

        Args:
            context: The visitor's request. The cookies may hold anything: an answer that occurs in
                payloads of others removes theirs.
        """
        del context
        return ()

    def browser_event(self, payload: Payload) -> BrowserEvent | None:
        """Make the twin of an event that the browser is to send too; None: it sends none.

        Args:
            payload: What the server sends.
        """
        del payload
        return None

    def browser_script(
        self, visitor: Payload, events: Sequence[BrowserEvent], *, alone: bool
    ) -> str:
        """Write the JavaScript of a page, without its element.

        Args:
            visitor: A payload of this visitor, which says who it is.
            events: What the browser is to send.
            alone: Whether no other destination has code in the page.

        Returns:
            The code; empty: the destination has no part in the browser.
        """
        del visitor, events, alone
        return ""
