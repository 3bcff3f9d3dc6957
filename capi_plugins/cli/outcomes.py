"""What a person can do about a destination's answer."""

from __future__ import annotations

from capi_plugins.destinations.base import Outcome, Verdict

_RENEW = "make a new access token: Events Manager > Settings > Conversions API"
_DATASET = "compare DATASET_ID with Events Manager, and give the token's user access to it"
_CODES = {
    "3": "make the token with Events Manager, or give its app the Conversions API",
    "10": _DATASET,
    "33": _DATASET,
    "100/33": _DATASET,
    "102": _RENEW,
    "104": "look at ACCESS_TOKEN and APP_SECRET",
    "190": _RENEW,
    "200": _DATASET,
    "294": _RENEW,
    "803": _DATASET,
    "2635": "remove API_VERSION from the settings, or set it to a newer one",
    "1870092": "accept the Business Tools terms in Events Manager",
}
"""Meta's codes, source: Meta's page *Error Codes*."""
_VERDICTS = {
    Verdict.STOP: "look at DATASET_ID and ACCESS_TOKEN",
    Verdict.SPLIT: "the event itself is refused: see what `capi payload` makes of it",
    Verdict.THROTTLED: "wait, and send fewer requests",
    Verdict.RETRY: "try again",
    Verdict.DOWN: "try again; if it stays, look at the network and at metastatus.com",
}


def advice(outcome: Outcome) -> str:
    """Return what to do about an outcome; empty when all is well."""
    code = outcome.code or ""
    known = _CODES.get(code) or _CODES.get(code.partition("/")[0])
    return known or _VERDICTS.get(outcome.verdict, "")
