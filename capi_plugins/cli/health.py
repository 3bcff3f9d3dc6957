"""What ``capi status`` knows: how deliveries get along, and whether somebody should look at it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Literal

import attrs

from capi_plugins import Client
from capi_plugins._standings import fingerprint
from capi_plugins.outbox.base import Noticeboard, Outbox, OutboxStats, Standing

_log = logging.getLogger("capi_plugins.status")
Sender = Literal["idle", "at work", "missing", "unknown"]
State = Literal["ok", "failing", "stopped", "not tried", "unknown"]
_SENDER_PATIENCE = 120.0
FAILURE_PATIENCE = 300.0
"""How long something may wait for a destination that does not accept, seconds."""


@attrs.frozen(kw_only=True)
class DestinationHealth:
    """How one destination gets along.

    Attributes:
        name: Its name.
        state: ``stopped``: its configuration is wrong; ``failing``: it did not accept last;
            ``unknown``: the outbox keeps no notes of that.
        tried_at: When something was sent there last, seconds since the epoch.
        failed_at: When it last did not accept.
        reason: What it said then, in words without match keys.
        next_try: When it is tried again, if it is stopped.
    """

    name: str
    state: State
    tried_at: float | None = None
    failed_at: float | None = None
    reason: str | None = None
    next_try: float | None = None


@attrs.frozen(kw_only=True)
class Health:
    """How all of it gets along.

    Attributes:
        stats: What the outbox holds.
        sender: ``missing``: something has been due for two minutes and nobody sends it.
        waited: How long the oldest has waited, seconds.
        destinations: Those that are configured, and those something waits for.
        degraded: What somebody should look at, one sentence each.
    """

    stats: OutboxStats
    sender: Sender
    waited: float
    destinations: tuple[DestinationHealth, ...]
    degraded: tuple[str, ...]


def look(client: Client, outbox: Outbox, now: float) -> Health:
    """Look at the outbox and at what senders have noted there.

    Args:
        client: The host's client.
        outbox: Its outbox.
        now: Seconds since the epoch.
    """
    stats = outbox.stats()
    works = stats.problem is None
    known = _known(outbox) if works else None
    names = sorted({*client.destinations, *(outbox.waiting_for() if works else ())})
    destinations = tuple(_destination(client, name, known) for name in names)
    sender = _sender(outbox, stats, destinations, known, now)
    waited = now - stats.oldest if stats.oldest is not None else 0.0
    return Health(
        stats=stats,
        sender=sender,
        waited=waited,
        destinations=destinations,
        degraded=tuple(_degraded(stats, sender, destinations, waited)),
    )


def _known(outbox: Outbox) -> Mapping[str, Standing] | None:
    """Return what senders have noted, by destination; None where nobody can know."""
    if not isinstance(outbox, Noticeboard):
        return None
    try:
        return {standing.destination: standing for standing in outbox.standings()}
    except Exception as error:
        # A host's database whose tables are those of an earlier release.
        _log.warning("the noticeboard cannot be read: %s", type(error).__name__)
        return None


def _destination(
    client: Client, name: str, known: Mapping[str, Standing] | None
) -> DestinationHealth:
    standing = (known or {}).get(name)
    if standing is None:
        return DestinationHealth(name=name, state="unknown" if known is None else "not tried")
    changed = standing.configuration != fingerprint(client.destinations.get(name))
    state: State = "ok"
    if standing.stopped_until is not None:
        # With other settings it is tried as soon as there is something to send.
        state = "not tried" if changed else "stopped"
    elif standing.failed_at is not None and standing.failed_at >= standing.tried_at:
        state = "failing"
    return DestinationHealth(
        name=name,
        state=state,
        tried_at=standing.tried_at,
        failed_at=standing.failed_at,
        reason=standing.reason,
        next_try=standing.stopped_until if state == "stopped" else None,
    )


def _sender(
    outbox: Outbox,
    stats: OutboxStats,
    destinations: tuple[DestinationHealth, ...],
    known: Mapping[str, Standing] | None,
    now: float,
) -> Sender:
    if known is None:
        return "unknown"
    if any(now - standing.tried_at < _SENDER_PATIENCE for standing in known.values()):
        return "at work"
    stopped = {each.name for each in destinations if each.state == "stopped"}
    waiting = outbox.waiting_for()
    due = {name: outbox.next_due(name) for name in waiting if name not in stopped}
    overdue = [at for at in due.values() if at and now - at > _SENDER_PATIENCE]
    # What is due from the start says not since when; the oldest does, unless it is held back.
    if stats.oldest is not None and due and not stopped:
        fresh = all(at is not None and at <= now for at in due.values())
        if fresh and now - stats.oldest > _SENDER_PATIENCE:
            overdue.append(stats.oldest)
    return "missing" if overdue else "idle"


def _degraded(
    stats: OutboxStats,
    sender: Sender,
    destinations: tuple[DestinationHealth, ...],
    waited: float,
) -> Iterator[str]:
    if stats.problem is not None:
        yield f"the outbox cannot be used: {stats.problem}"
    if sender == "missing":
        yield "something is due and nobody sends it"
    for each in destinations:
        if each.state == "stopped":
            yield f"destination {each.name} is stopped: {each.reason}"
        elif each.state == "failing" and stats.waiting and waited > FAILURE_PATIENCE:
            yield f"destination {each.name} does not accept: {each.reason}"
