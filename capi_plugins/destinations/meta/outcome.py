"""What Meta's answer means for a batch.

Decided by ``error.code`` and ``error.error_subcode``: the texts are translated for the owner of
the token, and throttles come as HTTP 400. The status counts only where the body has no code.

Source: Meta's pages *Error Codes*, *Handling Errors* and *Rate Limiting*.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from capi_plugins.destinations.base import Outcome, Response, Verdict
from capi_plugins.destinations.meta.throttling import wait
from capi_plugins.outbox.base import Delivery

_THROTTLES = frozenset([4, 17, 32, 341, 613, *range(80000, 80015)])
_DOWN = frozenset([2])
_TRANSIENT = frozenset([1, 5000, 21009])
_STOPS = frozenset([3, 10, 33, 102, 104, 190, *range(200, 300), 368, 803, 2635, 1870092])
_REFUSALS = frozenset([100, 105, 2500])
_INVALID_PARAMETER = 100
_NO_SUCH_OBJECT = 33

_MEANINGS: Mapping[tuple[int, int | None], str] = {
    (3, None): "the app may not do this",
    (10, None): "the token has no permission",
    (33, None): "the dataset does not exist or the token has no permission on it",
    (100, 33): "the dataset does not exist or the token has no permission on it",
    (102, None): "the session of the token has ended",
    (104, None): "no token, or a wrong appsecret_proof",
    (190, None): "the access token is not valid",
    (190, 463): "the access token has expired",
    (190, 467): "the access token is not valid any more",
    (200, None): "the token has no permission",
    (294, None): "the token lacks ads_management",
    (368, None): "Meta has blocked the account for a time",
    (803, None): "the dataset does not exist",
    (2635, None): "the API version is not served any more",
    (1870092, None): "the Business Tools terms are not accepted",
    (100, 2804003): "event_time is too old",
    (100, 2804004): "event_time is in the future",
    (100, 2804008): "an entry of contents has no id",
    (100, 2804009): "a Purchase has no value",
    (100, 2804010): "a Purchase has no currency",
    (100, 2804016): "a match key is not hashed",
    (100, 2804019): "the event has a wrong structure",
    (100, 2804023): "a value has no valid currency",
    (100, 2804036): "a lead_id is not valid",
    (100, 2804043): "extinfo is not valid",
    (100, 2804050): "the customer information is missing or too broad",
    (100, 2804063): "messaging_channel is missing",
    (100, 2804066): "the event name is not one for business_messaging",
    (100, 2804069): "page_id is missing",
    (100, 2804079): "ig_account_id is missing",
    (100, 2804087): "ctwa_clid is not a real click",
    (100, 2804116): "page_id or whatsapp_business_account_id is missing",
    (100, 2804117): "the dataset is not linked to the messaging account",
    (100, 2804118): "the dataset is not linked to the messaging account",
    (100, 2804131): "the dataset is not linked to the messaging account",
    (100, 2804132): "the dataset is not linked to the messaging account",
    (100, 2804133): "the dataset is not linked to the messaging account",
}
_WORDS = {
    Verdict.RETRY: "a passing fault at Meta",
    Verdict.DOWN: "Meta is out of order",
    Verdict.THROTTLED: "too many requests",
    Verdict.STOP: "the destination's settings are refused",
    Verdict.SPLIT: "an event is refused",
}
_TRACE = re.compile(r"[A-Za-z0-9_./+=-]{1,100}")

_STATUS_VERDICTS: Mapping[int, Verdict] = {
    301: Verdict.STOP,
    **dict.fromkeys((302, 303, 307), Verdict.DOWN),
    308: Verdict.STOP,
    401: Verdict.STOP,
    403: Verdict.STOP,
    404: Verdict.STOP,
    405: Verdict.STOP,
    407: Verdict.STOP,
    410: Verdict.STOP,
    413: Verdict.SPLIT,
    429: Verdict.THROTTLED,
    **dict.fromkeys((408, *range(500, 600)), Verdict.DOWN),
}


def read(response: Response, deliveries: Sequence[Delivery]) -> Outcome:
    """Read the answer to a batch. Never raises, whatever the body is.

    Args:
        response: The answer.
        deliveries: The batch.
    """
    body = _body(response.body)
    error = body.get("error") if body else None
    if isinstance(error, dict):
        return _refused(response, error)
    if 200 <= response.status < 300:  # noqa: PLR2004 - the range of success
        return _accepted(body, response, deliveries)
    otherwise = Verdict.DOWN if _is_page(response) else Verdict.RETRY
    verdict = _STATUS_VERDICTS.get(response.status, otherwise)
    return Outcome(
        verdict=verdict,
        reason=f"HTTP {response.status} without an error code",
        retry_after=_wait(verdict, response),
        trace=_trace(None, response),
    )


def _accepted(
    body: dict[str, Any] | None, response: Response, deliveries: Sequence[Delivery]
) -> Outcome:
    if body is None:
        # Half an answer may be Meta's, and then every further request makes copies. A page is that
        # of a proxy or of a network that wants somebody to sign in.
        return Outcome(
            verdict=Verdict.DOWN if _is_page(response) else Verdict.RETRY,
            reason=f"HTTP {response.status}, but the answer is not Meta's",
        )
    trace = _trace(body.get("fbtrace_id"), response)
    received = _integer(body.get("events_received"))
    if received is None or received >= len(deliveries):
        return Outcome(verdict=Verdict.DELIVERED, trace=trace)
    reason = f"Meta counted {received} of {len(deliveries)} events"
    if received == 0 or all(delivery.attempts == 0 for delivery in deliveries):
        return Outcome(verdict=Verdict.RETRY, reason=reason, trace=trace)
    # Sent twice with the same event ids and short again: a third time would change nothing.
    return Outcome(verdict=Verdict.DELIVERED, reason=reason, trace=trace)


def _refused(response: Response, error: dict[str, Any]) -> Outcome:
    code, subcode = _integer(error.get("code")), _integer(error.get("error_subcode"))
    if code is None:
        verdict = _STATUS_VERDICTS.get(response.status, Verdict.RETRY)
    else:
        verdict = _verdict(code, subcode, error)
    if verdict is Verdict.RETRY and response.status >= 500:  # noqa: PLR2004 - errors of a server
        # Meta has trouble of its own, for minutes or hours: no number of attempts tells more.
        verdict = Verdict.DOWN
    meaning = _MEANINGS.get((code or 0, subcode)) or _MEANINGS.get((code or 0, None))
    return Outcome(
        verdict=verdict,
        reason=meaning or _WORDS[verdict],
        code=_code(code, subcode),
        retry_after=_wait(verdict, response),
        trace=_trace(error.get("fbtrace_id"), response),
    )


def _verdict(code: int, subcode: int | None, error: dict[str, Any]) -> Verdict:
    if code in _THROTTLES:
        return Verdict.THROTTLED
    if code in _DOWN:
        return Verdict.DOWN
    if code in _STOPS:
        return Verdict.STOP
    if code == _INVALID_PARAMETER and (
        subcode == _NO_SUCH_OBJECT or error.get("type") == "GraphMethodException"
    ):
        # A wrong dataset, or a wrong appsecret_proof; never an event's fault.
        return Verdict.STOP
    if code in _TRANSIENT or error.get("is_transient") is True:
        return Verdict.RETRY
    if code in _REFUSALS:
        return Verdict.SPLIT
    # Attempts are limited, so what nobody knows is tried again.
    return Verdict.RETRY


def _wait(verdict: Verdict, response: Response) -> float | None:
    if verdict in (Verdict.THROTTLED, Verdict.RETRY, Verdict.DOWN):
        return wait(response.headers)
    return None


def _is_page(response: Response) -> bool:
    return response.body.lstrip()[:1] == b"<"


def _body(body: bytes) -> dict[str, Any] | None:
    try:
        value = orjson.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _integer(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:  # noqa: PLR2004
        return int(value)
    return None


def _code(code: int | None, subcode: int | None) -> str | None:
    if code is None:
        return None
    return str(code) if subcode is None else f"{code}/{subcode}"


def _trace(value: object, response: Response) -> str | None:
    for each in (value, response.headers.get("x-fb-trace-id")):
        if isinstance(each, str) and _TRACE.fullmatch(each):
            return each
    return None
