"""What can be said of triggers by reading them: for the checks of adapters."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from capi_plugins._paths import Lookup
    from capi_plugins._triggers import Trigger
    from capi_plugins.settings import Settings

ONE_MOMENT = (
    {"django.contrib.auth.signals.user_logged_in", "allauth.account.signals.user_logged_in"},
    {"flask_login.signals.user_logged_in", "flask_security.signals.user_authenticated"},
    {"flask_login.user_logged_in", "flask_security.user_authenticated"},
)
"""Signals that are sent for one thing a person did."""


def lacking(trigger: Trigger) -> list[str]:
    """Return what the event lacks without which Meta refuses it.

    Args:
        trigger: The rule.
    """
    if trigger.event != "Purchase":
        return []
    return [name for name in ("value", "currency") if name not in trigger.custom_data]


def doubles(triggers: Sequence[Trigger]) -> Iterator[tuple[Trigger, Trigger]]:
    """Return the pairs that make the same event of the same moment.

    Two that give it the same id are none: it is taken once. Nor are two of recipes, which know of
    each other: one of a pair stands in settings.

    Args:
        triggers: The rules in force.
    """
    for one, other in itertools.combinations(triggers, 2):
        same = one.event == other.event and one.on == other.on and one.when == other.when
        has_id = one.event_id is not None and one.event_id == other.event_id
        own = "CAPI[" in (one.where[:5], other.where[:5])
        if own and same and not has_id and _one_moment(one, other):
            yield one, other


def counts_pages_twice(settings: Settings) -> bool:
    """Whether a page of the host makes a page view here, and its ``analytics.page()`` another.

    Args:
        settings: What the host wants. ``EVENTS`` that name ``page`` say that somebody thought of
            it.
    """
    segment = settings.segment
    return bool(settings.page_view and segment.get("WRITE_KEYS")) and "page" not in map(
        str.lower, segment.get("EVENTS", ())
    )


def _one_moment(one: Trigger, other: Trigger) -> bool:
    if one.on == "signal":
        signals = {one.signal, other.signal}
        return len(signals) == 1 or any(signals <= known for known in ONE_MOMENT)
    if one.on == "model":
        return _of_model(one) == _of_model(other)
    return one.route is not None and _of_request(one) == _of_request(other)


def _of_model(trigger: Trigger) -> tuple[Any, ...]:
    return (trigger.model, trigger.changed, trigger.created)


def _of_request(trigger: Trigger) -> tuple[Any, ...]:
    pattern = trigger.path.pattern if trigger.path else None
    kind = (trigger.template, trigger.content_type)
    return (trigger.route, trigger.methods, trigger.statuses, pattern, *kind)


def lost_attributes(trigger: Trigger, model: type) -> list[str]:
    """Return the paths of a model trigger whose first step is nothing that the model has.

    Args:
        trigger: The rule.
        model: The class whose rows it watches.
    """
    if hasattr(model, "__getattr__"):
        return []
    lost = []
    for path in dict.fromkeys(_paths(trigger)):
        first, *steps = path.split(".")
        if first in {"instance", "old"} and steps and not hasattr(model, steps[0]):
            lost.append(path)
    return lost


def read_before(trigger: Trigger) -> frozenset[str]:
    """Return the fields whose values before a row was saved a model trigger asks for.

    Args:
        trigger: The rule.
    """
    split = (path.split(".") for path in _paths(trigger))
    asked = {steps[1] for steps in split if steps[0] == "old" and len(steps) > 1}
    return frozenset(asked.union(trigger.changed))


def reads(trigger: Trigger, name: str) -> bool:
    """Whether a path of a trigger starts at a name; what its functions read nobody knows.

    Args:
        trigger: The rule.
        name: What a path may start at, such as ``context``.
    """
    return any(path.partition(".")[0] == name for path in _paths(trigger))


def _paths(trigger: Trigger) -> Iterator[str]:
    yield from trigger.when
    groups = (trigger.fields, trigger.user_data, trigger.custom_data)
    found = [trigger.event_id, trigger.context, *(each for g in groups for each in g.values())]
    for lookup in found:
        if lookup is not None:
            yield from _paths_of(lookup)


def _paths_of(lookup: Lookup) -> Iterator[str]:
    yield from lookup.paths
    if lookup.each is not None:
        yield lookup.each
    entries = (lookup.items, *lookup.entries)
    inner = [each for entry in entries for _, each in entry]
    for each in (*inner, *([lookup.currency] if lookup.currency else [])):
        yield from _paths_of(each)
