"""Proposals beside the triggers that are in force already."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from capi_plugins import Trigger
from capi_plugins.cli.discovering.proposing import Proposal

_GROUPS = ("USER_DATA", "CUSTOM_DATA")


@attrs.frozen(kw_only=True)
class Comparison:
    """A proposal, and what is in force for the same.

    Attributes:
        proposal: The proposal.
        state: ``new``; ``fuller``: a trigger in force sees the same moment and says less of it;
            ``other``: one in force makes the same event from another moment; ``covered``.
        where: That trigger.
        adds: What the proposal says more: ``CUSTOM_DATA.value: context.cart.total``.
    """

    proposal: Proposal
    state: str
    where: str | None = None
    adds: tuple[str, ...] = ()


def compare(proposals: Sequence[Proposal], triggers: Sequence[Trigger]) -> list[Comparison]:
    """Put proposals beside the triggers in force.

    Args:
        proposals: What was proposed.
        triggers: Those of the settings, and those of recipes.
    """
    return [_compared(proposal, triggers) for proposal in proposals]


def _compared(proposal: Proposal, triggers: Sequence[Trigger]) -> Comparison:
    same = [trigger for trigger in triggers if trigger.event == proposal.event]
    for trigger in same:
        if _same_moment(proposal.trigger, trigger):
            adds = tuple(_adds(proposal.trigger, trigger))
            state = "fuller" if adds else "covered"
            return Comparison(proposal=proposal, state=state, where=trigger.where, adds=adds)
    if same:
        return Comparison(proposal=proposal, state="other", where=same[0].where)
    return Comparison(proposal=proposal, state="new")


def _same_moment(proposed: dict[str, Any], trigger: Trigger) -> bool:
    if proposed["ON"] != trigger.on:
        return False
    if trigger.on == "signal":
        return bool(proposed["SIGNAL"] == trigger.signal)
    if trigger.on == "model":
        names = [str(name).rpartition(".")[2] for name in (proposed["MODEL"], trigger.model)]
        return names[0] == names[1]
    method = proposed.get("METHOD")
    right = method is None or not trigger.methods or method in trigger.methods
    return right and trigger.route == proposed["ROUTE"]


def _adds(proposed: dict[str, Any], trigger: Trigger) -> Iterator[str]:
    if "EVENT_ID" in proposed and trigger.event_id is None:
        yield f"EVENT_ID: {proposed['EVENT_ID']}"
    for group in _GROUPS:
        said = getattr(trigger, group.lower())
        for name, path in proposed.get(group, {}).items():
            # A list of products with their numbers has their ids too.
            if name not in said and not (name == "content_ids" and "contents" in said):
                yield f"{group}.{name}: {path}"
