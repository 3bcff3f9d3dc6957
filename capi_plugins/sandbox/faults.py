"""Faults a sandbox can be told to show: what the real API, or the network before it, may do."""

from __future__ import annotations

from typing import Any, Final, Literal, Self

import attrs
import orjson

from capi_plugins.sandbox.answers import FRENCH_MESSAGES, Answer, as_answer, error_body
from capi_plugins.sandbox.case import is_integer
from capi_plugins.sandbox.refusals import Refusal

Group = Literal["delay", "verdict", "trace", "language"]

GROUPS: Final[dict[str, Group]] = {
    "latency": "delay",
    "error": "verdict",
    "html": "verdict",
    "hang": "verdict",
    "drop": "verdict",
    "drop_after_storing": "verdict",
    "late_answer": "verdict",
    "truncated_json": "verdict",
    "slow_drip": "verdict",
    "huge_body": "verdict",
    "no_trace_id": "trace",
    "translated": "language",
}
"""The kinds of fault, grouped: of each group one applies to a request, in the order injected."""
STORING: Final = frozenset(
    ["drop_after_storing", "late_answer", "truncated_json", "slow_drip", "huge_body"]
)
"""Kinds that spoil only the way the answer takes: the request is judged and its events kept."""

LONGEST: Final = 3600
LARGEST: Final = 1024 * 1024 * 1024
HTML_PAGE: Final = "<!DOCTYPE html>\n<html><head><title>Error</title></head><body>{}</body></html>"
THROTTLE_SUBCODES: Final = {4: 1504022, 17: 2446079}


@attrs.frozen(kw_only=True)
class Fault:
    """One fault; make it with the class methods.

    Attributes:
        kind: A key of `GROUPS`.
        times: To how many requests it applies; None means until removed.
        seconds: How long, for the kinds that wait.
        status: HTTP status, for the kinds that answer.
        body: The answer, for those kinds.
        headers: Headers of that answer.
        size: Bytes, for ``huge_body``.
    """

    kind: str = attrs.field(validator=attrs.validators.in_(GROUPS))
    times: int | None = 1
    seconds: float = 0.0
    status: int = 200
    body: str = attrs.field(default="", repr=False)
    headers: dict[str, str] = attrs.field(factory=dict)
    size: int = 0

    def __attrs_post_init__(self) -> None:
        """Refuse values no answer can be made of; faults also come in over HTTP."""
        if self.times is not None and (not is_integer(self.times) or self.times < 1):
            raise ValueError("times must be 1 or more, or None")
        if not isinstance(self.seconds, int | float) or not 0 <= self.seconds <= LONGEST:
            raise ValueError(f"seconds must be between 0 and {LONGEST}")
        if not is_integer(self.status) or not 200 <= self.status <= 599:  # noqa: PLR2004
            raise ValueError("status must be an HTTP status from 200 to 599")
        if not is_integer(self.size) or not 0 <= self.size <= LARGEST:
            raise ValueError(f"size must be between 0 and {LARGEST}")
        if not isinstance(self.headers, dict) or not all(
            isinstance(text, str) and text.isascii() and text.isprintable()
            for pair in self.headers.items()
            for text in pair
        ):
            raise ValueError("headers must be printable ASCII texts")

    @property
    def group(self) -> Group:
        """What of a request's handling it changes."""
        return GROUPS[self.kind]

    @property
    def replaces_verdict(self) -> bool:
        """Whether the request is not judged and its events are not accepted."""
        return self.group == "verdict" and self.kind not in STORING

    @property
    def title(self) -> str:
        """What it is, in a few words."""
        if self.kind == "error":
            return f"error code {self.answer().content['error']['code']}, HTTP {self.status}"
        return f"HTML, HTTP {self.status}" if self.kind == "html" else self.kind.replace("_", " ")

    def answer(self) -> Answer:
        """Return the answer of a fault that replaces the verdict."""
        media = "text/html; charset=utf-8" if self.kind == "html" else None
        made = Answer(status=self.status, body=self.body.encode(), headers=self.headers)
        return attrs.evolve(made, content_type=media) if media else made

    @classmethod
    def error(
        cls,
        code: int,
        subcode: int | None = None,
        status: int = 400,
        *,
        message: str | None = None,
        type: str = "OAuthException",  # noqa: A002 - Meta's word
        transient: bool | None = None,
        headers: dict[str, str] | None = None,
        times: int | None = 1,
    ) -> Self:
        """Answer with any of Meta's errors; nothing is stored.

        Args:
            code: ``error.code``.
            subcode: ``error.error_subcode``.
            status: HTTP status.
            message: ``error.message``; None: one that says that it was injected.
            type: ``error.type``.
            transient: ``error.is_transient``; None leaves it out.
            headers: Further headers, such as ``Retry-After``.
            times: To how many requests; None until removed.
        """
        if not is_integer(code) or not isinstance(subcode, int | None):
            raise ValueError("code and subcode must be whole numbers")
        refusal = Refusal(
            reason="injected",
            text="",
            code=code,
            subcode=subcode,
            status=status,
            type=type,
            message=message or f"(#{code}) An error was injected into the sandbox",
        )
        made = as_answer(error_body(refusal, transient=transient), status, headers)
        return cls(
            kind="error",
            times=times,
            status=status,
            body=made.body.decode(),
            headers=made.headers,
        )

    @classmethod
    def throttle(
        cls,
        code: int = 4,
        *,
        times: int | None = 1,
        status: int = 400,
        wait_minutes: int = 1,
        reset_seconds: int = 60,
        retry_after: int | None = None,
    ) -> Self:
        """Refuse as Meta does when the caller is too fast, with its usage headers.

        Args:
            code: 4, 17, 32, 613 or 80000 to 80014.
            times: To how many requests; None until removed.
            status: Meta throttles with 400.
            wait_minutes: ``estimated_time_to_regain_access`` of the business use case header.
            reset_seconds: ``reset_time_duration`` of the ad account header.
            retry_after: Seconds of a ``Retry-After`` header; Meta is not known to send one.
        """
        usage = {"call_count": 100, "total_time": 25, "total_cputime": 25}
        case = {
            "type": "ads_management",
            **usage,
            "estimated_time_to_regain_access": wait_minutes,
            "ads_api_access_tier": "standard_access",
        }
        account = {
            "acc_id_util_pct": 100,
            "reset_time_duration": reset_seconds,
            "ads_api_access_tier": "standard_access",
        }
        headers = {"X-App-Usage": orjson.dumps(usage).decode()}
        if code >= 80000:  # noqa: PLR2004 - business use case limits start here
            headers["X-Business-Use-Case-Usage"] = orjson.dumps({"100000000000": [case]}).decode()
        if code in {17, 613}:
            headers["X-Ad-Account-Usage"] = orjson.dumps(account).decode()
        if retry_after is not None:
            headers["Retry-After"] = str(retry_after)
        return cls.error(
            code,
            THROTTLE_SUBCODES.get(code),
            status,
            message=f"(#{code}) Application request limit reached",
            transient=True,
            headers=headers,
            times=times,
        )

    @classmethod
    def server_error(cls, status: int = 503, *, html: bool = False, times: int | None = 1) -> Self:
        """Answer with a server error: Meta's code 2, or a proxy's HTML page."""
        if html:
            return cls.html(status, times=times)
        return cls.error(
            2,
            None,
            status,
            message="Service temporarily unavailable",
            transient=True,
            times=times,
        )

    @classmethod
    def html(cls, status: int = 502, text: str = "Bad gateway", *, times: int | None = 1) -> Self:
        """Answer with an HTML page, as a proxy before Meta does."""
        return cls(kind="html", times=times, status=status, body=HTML_PAGE.format(text))

    @classmethod
    def latency(cls, seconds: float, *, times: int | None = 1) -> Self:
        """Wait before looking at the request; it is handled normally then."""
        return cls(kind="latency", times=times, seconds=seconds)

    @classmethod
    def hang(cls, *, times: int | None = 1) -> Self:
        """Read the request and never answer, until the sandbox stops or faults are cleared."""
        return cls(kind="hang", times=times)

    @classmethod
    def drop(cls, *, times: int | None = 1) -> Self:
        """Close the connection without an answer and store nothing."""
        return cls(kind="drop", times=times)

    @classmethod
    def drop_after_storing(cls, *, times: int | None = 1) -> Self:
        """Store the events, then close the connection without an answer."""
        return cls(kind="drop_after_storing", times=times)

    @classmethod
    def late_answer(cls, seconds: float, *, times: int | None = 1) -> Self:
        """Store the events at once and answer only after ``seconds``."""
        return cls(kind="late_answer", times=times, seconds=seconds)

    @classmethod
    def no_trace_id(cls, *, times: int | None = 1) -> Self:
        """Leave ``fbtrace_id`` out, as Meta does at times."""
        return cls(kind="no_trace_id", times=times)

    @classmethod
    def translated(cls, *, times: int | None = 1) -> Self:
        """Word errors in French, as Meta does for a French token owner."""
        return cls(kind="translated", times=times)

    @classmethod
    def truncated_json(cls, *, times: int | None = 1) -> Self:
        """Store the events and cut the answer's JSON in the middle."""
        return cls(kind="truncated_json", times=times)

    @classmethod
    def slow_drip(cls, seconds: float = 0.05, *, times: int | None = 1) -> Self:
        """Store the events and send the answer byte by byte, ``seconds`` apart."""
        return cls(kind="slow_drip", times=times, seconds=seconds)

    @classmethod
    def huge_body(cls, size: int = 64 * 1024 * 1024, *, times: int | None = 1) -> Self:
        """Store the events and answer with a body of at least ``size`` bytes."""
        return cls(kind="huge_body", times=times, size=size)


def in_french(content: dict[str, Any]) -> dict[str, Any]:
    """Return an injected error with a French message."""
    error = dict(content["error"])
    error["message"] = FRENCH_MESSAGES.get(error.get("code", 0), "Paramètre non valide")
    return {"error": error}
