"""The verdict over one event, in the order in which the real API looks at it.

The rules read the wire form and know nothing of this project's own payload builder, so they are
an independent check on it. ``strict`` enforces all Meta documents; ``meta`` enforces what Meta is
known to enforce and turns the rest into remarks.
"""

from __future__ import annotations

from collections.abc import Iterator

from capi_plugins.sandbox import (
    advice,
    rules_app,
    rules_custom,
    rules_messaging,
    rules_people,
    rules_structure,
    rules_time,
)
from capi_plugins.sandbox.case import Case, Dataset, Mode
from capi_plugins.sandbox.refusals import Notice, Refusal

CHECKS = (
    rules_structure.check,
    rules_time.check,
    rules_people.check_hashing,
    rules_people.check_information,
    rules_custom.check,
    rules_app.check,
    rules_messaging.check,
)
"""One function per subject, in Meta's order; only "time before customer information" is known
from a live answer."""


def _findings(case: Case) -> Iterator[Refusal]:
    if not isinstance(case.event, dict):
        yield rules_structure.not_an_object(case)
        return
    for check in CHECKS:
        yield from check(case)


def every_problem(
    event: object,
    now: float,
    mode: Mode = "strict",
    dataset: Dataset | None = None,
    *,
    index: int = 0,
) -> tuple[Refusal, ...]:
    """Return all that is wrong with one event, in the order of the checks.

    Args:
        event: One element of ``data``, as decoded from JSON.
        now: The server's clock, Unix seconds.
        mode: ``strict`` or ``meta``.
        dataset: The receiving dataset; None means one that permits everything.
        index: The place in the batch, for the JSON path in structural messages.
    """
    case = Case(event=event, now=now, mode=mode, dataset=dataset or Dataset(), index=index)
    return tuple(found for found in _findings(case) if mode == "strict" or not found.strict_only)


def remarks(event: object, now: float, mode: Mode = "strict") -> tuple[Notice, ...]:
    """Return the known misuse in an event that Meta accepts all the same.

    Args:
        event: One element of ``data``.
        now: The server's clock, Unix seconds.
        mode: In ``meta`` mode, what ``strict`` would have refused is remarked on here.
    """
    case = Case(event=event, now=now, mode=mode)
    if not isinstance(event, dict):
        return ()
    lenient = _findings(case) if mode == "meta" else ()
    return (
        *(Notice(found.reason, found.field, found.text) for found in lenient if found.strict_only),
        *advice.advise(case),
    )
