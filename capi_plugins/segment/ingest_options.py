"""``CAPI["SEGMENT"]``: who may send messages here, and which libraries are tapped."""

from __future__ import annotations

import re
from collections.abc import Mapping

import attrs

from capi_plugins.section import Section, suggest

WEBHOOKS = ("segment", "rudderstack")
TAPS = ("segment", "rudder", "posthog")
SHORTEST_SECRET = 8
EVERYONE = "*"

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/?#@,]+", re.IGNORECASE)
_KEY = re.compile(r"[\x21-\x39\x3b-\x7e]{1,200}")


@attrs.frozen(kw_only=True)
class IngestOptions:
    """Where messages come from besides files.

    Attributes:
        write_keys: The keys of the tracking API; none: it is not there.
        origins: Of whose pages browsers may send, besides the host's own; ``*``: any.
        rate: Most events a second from one sender; 0: any number.
        webhooks: By the name of a webhook the secrets it may be signed with.
        tap: The libraries of this process whose events are taken as well.
    """

    write_keys: tuple[str, ...] = attrs.field(default=(), repr=False)
    origins: frozenset[str] = frozenset()
    rate: float = 500
    webhooks: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict, repr=False)
    tap: tuple[str, ...] = ()


def read_ingest_options(section: Section) -> IngestOptions:
    """Read these settings.

    Args:
        section: ``CAPI["SEGMENT"]``; it receives one sentence for each mistake.
    """
    return IngestOptions(
        write_keys=_write_keys(section),
        origins=_origins(section),
        rate=_rate(section),
        webhooks=_webhooks(section),
        tap=_tap(section),
    )


def _listed(section: Section, key: str) -> tuple[str, ...]:
    value = section.take(key, (str, list, tuple, set, frozenset), ())
    items = (value,) if isinstance(value, str) else tuple(value)
    if not all(isinstance(item, str) and item for item in items):
        section.wrong(key, "must be a text or a list of texts")
        return ()
    return items


def _write_keys(section: Section) -> tuple[str, ...]:
    keys = _listed(section, "WRITE_KEYS")
    if not all(_KEY.fullmatch(key) for key in keys):
        section.wrong("WRITE_KEYS", "must be made of ASCII characters, without spaces and colons")
        return ()
    return keys


def _origins(section: Section) -> frozenset[str]:
    origins = _listed(section, "ORIGINS")
    for origin in origins:
        if origin != EVERYONE and not _ORIGIN.fullmatch(origin):
            section.wrong(
                "ORIGINS", f"{origin!r} is not an origin such as 'https://www.shop.example' or '*'"
            )
    return frozenset(origin.lower() for origin in origins)


def _rate(section: Section) -> float:
    default = IngestOptions().rate
    rate: float = section.take("RATE", (int, float), default)
    if not rate >= 0:
        section.wrong("RATE", "must be a number of events a second, or 0 for no limit")
        return default
    return rate


def _webhooks(section: Section) -> dict[str, tuple[str, ...]]:
    inner = Section(section.at("WEBHOOKS"), section.take("WEBHOOKS", Mapping), section.problems)
    found = {}
    for name in inner.data:
        if name not in WEBHOOKS:
            inner.wrong(name, f"is not a webhook; {suggest(str(name), WEBHOOKS).lower()}")
            continue
        secrets = _listed(inner, name)
        if not secrets or any(len(secret) < SHORTEST_SECRET for secret in secrets):
            inner.wrong(name, f"must be secrets of {SHORTEST_SECRET} characters or more")
            continue
        found[name] = secrets
    return found


def _tap(section: Section) -> tuple[str, ...]:
    names = _listed(section, "TAP")
    for name in names:
        if name not in TAPS:
            section.wrong("TAP", f"{name!r} is not a library; {suggest(name, TAPS).lower()}")
    return tuple(name for name in TAPS if name in names)
