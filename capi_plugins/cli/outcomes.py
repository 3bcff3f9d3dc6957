"""What a destination's answer is in words, and what a person can do about it."""

from __future__ import annotations

from capi_plugins.destinations.base import Outcome, Verdict

_ADVICE = {
    Verdict.STOP: "look at the dataset's id and the access token: Events Manager > Settings > "
    "Conversions API > Generate access token",
    Verdict.SPLIT: "the event itself is refused: see what `capi payload` makes of it",
    Verdict.THROTTLED: "wait, and send fewer requests",
    Verdict.RETRY: "try again; if it stays, look at the network and at metastatus.com",
}


def told(outcome: Outcome) -> str:
    """Return an outcome in one clause, without secrets."""
    parts = [outcome.reason or outcome.verdict.value]
    if outcome.code:
        parts.append(f"code {outcome.code}")
    if outcome.trace:
        parts.append(f"fbtrace_id {outcome.trace}")
    return ", ".join(parts)


def advice(outcome: Outcome) -> str:
    """Return what to do about an outcome; empty when all is well."""
    return _ADVICE.get(outcome.verdict, "")
