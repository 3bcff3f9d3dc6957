"""How long Meta asks to wait.

Source: Meta's pages *Rate Limits* (Graph API) and *Rate Limiting* (Marketing API). The business
header counts minutes, the ad account header seconds.
"""

from __future__ import annotations

import email.utils
import math
import time
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

LONGEST_WAIT = 3600.0
"""Seconds; whatever a header says, a destination is tried again after an hour."""

_FULL = 100


def wait(headers: Mapping[str, str]) -> float | None:
    """Read the longest wait that the headers ask for.

    Args:
        headers: Names in lower case.

    Returns:
        Seconds, at most `LONGEST_WAIT`; None when nothing usable is said.
    """
    waits = [
        *_retry_after(headers.get("retry-after")),
        *_business(headers.get("x-business-use-case-usage")),
        *_account(headers.get("x-ad-account-usage")),
    ]
    usable = [seconds for seconds in waits if math.isfinite(seconds) and seconds > 0]
    return min(max(usable), LONGEST_WAIT) if usable else None


def _retry_after(value: str | None) -> Iterator[float]:
    if not isinstance(value, str):
        return
    try:
        yield float(value)
    except ValueError:
        try:
            yield email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError, IndexError):
            return


def _business(value: str | None) -> Iterator[float]:
    usage = _json(value)
    if not isinstance(usage, dict):
        return
    for entries in usage.values():
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict):
                yield 60 * _number(entry.get("estimated_time_to_regain_access"))


def _account(value: str | None) -> Iterator[float]:
    usage = _json(value)
    if isinstance(usage, dict) and _number(usage.get("acc_id_util_pct")) >= _FULL:
        yield _number(usage.get("reset_time_duration"))


def _number(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return 0.0


def _json(value: str | None) -> Any:
    try:
        return orjson.loads(value) if isinstance(value, str) else None
    except (ValueError, RecursionError):
        return None
