"""``capi status``: is what waits getting through?"""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator

import attrs
import click
import orjson

from capi_plugins import Client
from capi_plugins.cli.doors import Problem, current_door
from capi_plugins.cli.health import DestinationHealth, Health, look
from capi_plugins.cli.report import print_problems
from capi_plugins.cli.shared_outbox import shared_outbox

_STEPS = ((86_400.0, "days"), (3_600.0, "hours"), (60.0, "minutes"), (1.0, "seconds"))


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a report.")
def status(as_json: bool) -> None:
    """Show what waits, what died, and how the destinations get along.

    The exit status is 1 when somebody should look at it: a destination is stopped or has accepted
    nothing for five minutes, nobody sends, or the outbox cannot be used.
    """
    now = time.time()
    client, outbox = shared_outbox(current_door())
    health = look(client, outbox, now)
    if as_json:
        click.echo(orjson.dumps(_described(client, health), option=orjson.OPT_INDENT_2))
    else:
        print_problems(list(_problems(client, health, now)))
    if health.degraded:
        raise click.exceptions.Exit(1)


def _described(client: Client, health: Health) -> dict[str, object]:
    delivery = client.settings.delivery
    return {
        "ok": not health.degraded,
        "degraded": health.degraded,
        "outbox": delivery.outbox,
        "worker": delivery.worker,
        **attrs.asdict(health.stats),
        "sender": health.sender,
        "destinations": [attrs.asdict(each) for each in health.destinations],
    }


def _problems(client: Client, health: Health, now: float) -> Iterator[Problem]:
    stats, delivery = health.stats, client.settings.delivery
    if stats.problem is not None:
        text = f"outbox {delivery.outbox!r} cannot be used: {stats.problem}"
        yield Problem("error", text, "events are kept in the memory of the processes meanwhile")
    text = f"{stats.waiting:,} waiting"
    if stats.oldest is not None:
        text += f", the oldest for {_span(now - stats.oldest)}"
    yield Problem("ok", text)
    hint = "look at them: dead list" if stats.dead else ""
    yield Problem("warn" if stats.dead else "ok", f"{stats.dead:,} dead letters", hint)
    if health.sender == "missing":
        yield Problem(
            "error",
            "nobody sends, and something is due",
            f"CAPI['DELIVERY']['WORKER'] is {delivery.worker!r}: "
            + _SENDERS.get(delivery.worker, "see that it runs"),
        )
    else:
        yield Problem("ok", f"sender: {health.sender}")
    for each in health.destinations:
        yield _destination(each, now, urgent=f"destination {each.name} " in _text(health))


_SENDERS = {
    "thread": "are the web processes up, and may they have threads?",
    "external": "is capi deliver running?",
    "celery": "are a Celery worker and its beat running?",
}


def _text(health: Health) -> str:
    return "\n".join(health.degraded)


def _destination(each: DestinationHealth, now: float, *, urgent: bool) -> Problem:
    name = f"destination {each.name}"
    if each.state == "stopped":
        text = f"{name} is stopped, its events are kept: {each.reason}"
        left = max(0.0, (each.next_try or now) - now)
        hint = f"tried again in {_span(left)}, or at once by a process with other settings"
        return Problem("error", text, hint)
    if each.state == "failing":
        text = f"{name}: {each.reason}, {_ago(each.failed_at, now)}"
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
