"""How old, or how far ahead, an event may be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from capi_plugins.destinations.meta import fields
from capi_plugins.sandbox.case import Case, number_of
from capi_plugins.sandbox.refusals import Refusal

TOLERANCE: Final = 60
"""Seconds an ``event_time`` may lie ahead: clocks differ. Meta does not publish its own figure."""
MILLISECONDS_FROM: Final = 100_000_000_000
"""From here on a number is milliseconds: as seconds it would be the year 5138."""


def check(case: Case) -> Iterator[Refusal]:
    """Yield a refusal when ``event_time`` is outside what Meta takes."""
    time = number_of(case.get("event_time"))
    if time is None:
        return
    in_store = case.get("action_source") == "physical_store"
    limit = fields.MAX_AGE_PHYSICAL_STORE if in_store else fields.MAX_AGE
    if case.now - time > limit:
        yield Refusal(
            reason="event_time_too_old",
            text=f"This event happened more than {limit // 86400} days ago. Meta takes events up to"
            " 7 days old, and up to 62 days old from a physical store.",
            subcode=2804003,
            title="Event Timestamp Too Old",
            evidence="G" if in_store else "L",
            field="event_time",
        )
    elif time >= MILLISECONDS_FROM:
        yield Refusal(
            reason="event_time_in_milliseconds",
            text="This event lies in the far future: its time looks like milliseconds. Send"
            " seconds.",
            subcode=2804004,
            title="Event Timestamp In The Future",
            evidence="G",
            field="event_time",
        )
    elif time - case.now > TOLERANCE:
        yield Refusal(
            reason="event_time_in_future",
            text="This event has not happened yet. Send the time of the action, and check the"
            " clock and the time zone of the sender.",
            subcode=2804004,
            title="Event Timestamp In The Future",
            evidence="T",
            field="event_time",
        )
