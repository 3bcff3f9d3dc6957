"""Meta's click id ``fbc`` and browser id ``fbp``.

Both are ``fb.<subdomain index>.<creation time, ms>.<click id | random number>``, optionally with
a fifth part that Meta's parameter builder appends. They are never altered: a changed click id
matches nobody and raises alerts.

Source: Meta's page *ClickID and the fbp and fbc Parameters*; the fifth part: Meta's
capi-param-builder.
"""

from __future__ import annotations

import re

import attrs

from capi_plugins.destinations.meta.fields import CLICK_ID_MAX_AGE
from capi_plugins.events import parse_time

SERVER_INDEX = 1
"""The subdomain index of a value that a server makes without a cookie."""
APPENDIX = r"(?:AQ|Ag|Aw|BA|BQ|Bg|[A-Za-z0-9_-]{8})"
"""Pattern of what the parameter builder appends, after a dot, to cookies, hashes and addresses."""

# Meta's own script ignores longer ones.
_MAX_FBCLID = 500
_FBCLID = re.compile(rf"[A-Za-z0-9_-]{{1,{_MAX_FBCLID}}}", re.ASCII)
_FBC = re.compile(
    rf"fb\.(\d{{1,2}})\.(\d{{13}})\.([A-Za-z0-9_-]{{1,{_MAX_FBCLID}}})(?:\.({APPENDIX}))?", re.ASCII
)
_FBP = re.compile(rf"fb\.(\d{{1,2}})\.(\d{{13}})\.(\d{{1,20}})(?:\.({APPENDIX}))?", re.ASCII)
_MILLISECONDS_FROM = 100_000_000_000


@attrs.frozen(kw_only=True)
class ClickId:
    """The parts of an ``fbc``.

    Attributes:
        index: Labels of the cookie's domain minus one.
        created: When the click was first seen, milliseconds since the epoch.
        fbclid: The click id as it stood in the URL.
        appendix: What the parameter builder added; None for four-part values.
    """

    index: int
    created: int
    fbclid: str = attrs.field(repr=False)
    appendix: str | None = None


def parse_fbc(value: str) -> ClickId | None:
    """Take an ``fbc`` apart; None when it is not one."""
    match = _FBC.fullmatch(value)
    if match is None:
        return None
    index, created, fbclid, appendix = match.groups()
    return ClickId(index=int(index), created=int(created), fbclid=fbclid, appendix=appendix)


def is_fbc(value: str) -> bool:
    """Whether a text is an ``fbc`` that Meta can read."""
    return _FBC.fullmatch(value) is not None


def is_fbp(value: str) -> bool:
    """Whether a text is an ``fbp`` that Meta can read."""
    return _FBP.fullmatch(value) is not None


def is_fbclid(value: str) -> bool:
    """Whether a text can be the click id of a landing URL (percent-decoded once)."""
    return _FBCLID.fullmatch(value) is not None


def make_fbc(fbclid: str, *, seen: int, index: int = SERVER_INDEX) -> str:
    """Build an ``fbc`` from the click id of a landing URL.

    Args:
        fbclid: As it stood in the URL, percent-decoded once.
        seen: When it was first seen, milliseconds since the epoch.
        index: Labels of the cookie's domain minus one.

    Raises:
        ValueError: ``fbclid`` cannot be a click id.
    """
    if not is_fbclid(fbclid):
        raise ValueError("fbclid has characters that no click id has, or is too long")
    return f"fb.{index}.{seen}.{fbclid}"


def is_expired(seen: int, *, now: float) -> bool:
    """Whether a click is too old to count.

    Args:
        seen: When it was first seen, milliseconds since the epoch.
        now: Seconds since the epoch.
    """
    return now - seen / 1000 > CLICK_ID_MAX_AGE


def click_time(value: object) -> int | None:
    """Read when a click was seen: seconds, milliseconds, ISO 8601 text or a ``datetime``.

    Returns:
        Milliseconds since the epoch, or None when it cannot be read.
    """
    try:
        seconds = parse_time(value)
        if seconds is None:
            return None
        if isinstance(value, int | float) and abs(value) >= _MILLISECONDS_FROM:
            return int(value)
    except Exception:
        # The values of a host may raise anything when they are looked at.
        return None
    return seconds * 1000
