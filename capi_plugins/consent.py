"""Consent: what a visitor allows a destination to receive."""

from __future__ import annotations

import enum
from collections.abc import Iterable

import attrs


class Consent(enum.Enum):
    """A decision about one event and one destination, from most to least permissive."""

    GRANTED = "granted"
    LIMITED = "limited"
    """May be sent with Limited Data Use (Meta: ``data_processing_options``)."""
    DENIED = "denied"


@attrs.frozen
class Decision:
    """A consent, and who told it: an answer to ``capi_consent`` that is better explained.

    Attributes:
        consent: The decision.
        by: Name of the banner or signal, for the reason that ``capi explain`` shows.
    """

    consent: Consent
    by: str


_SEVERITY = {Consent.GRANTED: 0, Consent.LIMITED: 1, Consent.DENIED: 2}


def strictest(answers: Iterable[Consent | None]) -> Consent | None:
    """Return the least permissive answer; None when nobody answered."""
    given = [answer for answer in answers if answer is not None]
    return max(given, key=_SEVERITY.__getitem__) if given else None
