"""How deliveries get along, in the words of ``capi status`` and ``capi check``."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

import attrs

from capi_plugins import Client
from capi_plugins.cli.doors import Problem
from capi_plugins.cli.health import FAILURE_PATIENCE, DestinationHealth, Health
from capi_plugins.outbox.base import OutboxStats
from capi_plugins.settings import DeliverySettings

_STEPS = ((86_400.0, "days"), (3_600.0, "hours"), (60.0, "minutes"), (1.0, "seconds"))
_SENDERS = {
    "thread": "are the web processes up, and may they have threads?",
    "external": "is capi deliver running?",
    "celery": "are a Celery worker and its beat running?",
    "tasks": "are a task worker and the sweep running?",
}


def told(client: Client, health: Health, now: float) -> Iterator[Problem]:
    """Tell all of it.

    Args:
        client: The host's client.
        health: What was found.
        now: Seconds since the epoch.
    """
    stats, delivery = health.stats, client.settings.delivery
    yield from _unusable(stats, delivery)
    yield Problem("ok", _waiting(stats, now))
    hint = "look at them: dead list" if stats.dead else ""
    yield Problem("warn" if stats.dead else "ok", f"{stats.dead:,} dead letters", hint)
    if health.sender == "missing":
        yield _nobody_sends(stats, delivery, now)
    else:
        yield Problem("ok", f"sender: {health.sender}")
    for each in health.destinations:
        yield _destination(each, health, now)


def trouble(client: Client, health: Health, now: float) -> Iterator[Problem]:
    """Tell what is wrong, and nothing else. That nobody sends just now is a warning here.

    Args:
        client: The host's client.
        health: What was found.
        now: Seconds since the epoch.
    """
    stats, delivery = health.stats, client.settings.delivery
    yield from _unusable(stats, delivery)
    if health.sender == "missing":
        yield attrs.evolve(_nobody_sends(stats, delivery, now), level="warn")
    elif health.sender == "unknown" and health.waited > FAILURE_PATIENCE:
        yield Problem("warn", _waiting(stats, now), _hint(delivery))
    for each in health.destinations:
        problem = _destination(each, health, now)
        if problem.level != "ok":
            yield problem


def _unusable(stats: OutboxStats, delivery: DeliverySettings) -> Iterator[Problem]:
    if stats.problem is not None:
        kept = f", {stats.in_memory:,} of them by this one" if stats.in_memory else ""
        yield Problem(
            "error",
            f"outbox {delivery.outbox!r} cannot be used: {stats.problem}",
            f"events are kept in the memory of the processes meanwhile{kept}",
        )


def _waiting(stats: OutboxStats, now: float) -> str:
    text = f"{stats.waiting:,} waiting"
    if stats.oldest is not None:
        text += f", the oldest for {_span(now - stats.oldest)}"
    return text


def _nobody_sends(stats: OutboxStats, delivery: DeliverySettings, now: float) -> Problem:
    return Problem("error", f"{_waiting(stats, now)}, and nobody sends", _hint(delivery))


def _hint(delivery: DeliverySettings) -> str:
    question = _SENDERS.get(delivery.worker, "see that it runs")
    return f"CAPI['DELIVERY']['WORKER'] is {delivery.worker!r}: {question}"


def _destination(each: DestinationHealth, health: Health, now: float) -> Problem:
    name = f"destination {each.name}"
    if each.state == "stopped":
        text = f"{name} is stopped, its events are kept: {each.reason}"
        left = max(0.0, (each.next_try or now) - now)
        hint = f"tried again in {_span(left)}, or at once by a process with other settings"
        return Problem("error", text, hint)
    if each.state == "failing":
        text = f"{name}: {each.reason}, {_ago(each.failed_at, now)}"
        urgent = health.stats.waiting and health.waited > FAILURE_PATIENCE
        return Problem("error" if urgent else "warn", text, "it is tried again by itself")
    if each.state == "unknown":
        return Problem("ok", f"{name}: how it answers is in the log alone")
    if each.state == "not tried":
        return Problem("ok", f"{name}: nothing was sent there with these settings yet")
    text = f"{name} accepts, last seen {_ago(each.tried_at, now)}"
    if each.reason is not None:
        text += f"; last error {_ago(each.failed_at, now)}: {each.reason}"
    return Problem("ok", text)


def _ago(at: float | None, now: float) -> str:
    if at is None:
        return "never"
    moment = datetime.datetime.fromtimestamp(at, datetime.UTC)
    return f"{_span(now - at)} ago ({moment:%Y-%m-%d %H:%M} UTC)"


def _span(seconds: float) -> str:
    """Return a length of time in words: the two or more of its largest unit that fits."""
    for size, unit in _STEPS:
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return "a moment"
