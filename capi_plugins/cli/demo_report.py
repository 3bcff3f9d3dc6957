"""What ``capi demo`` shows of what arrived."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from capi_plugins.cli.journeys import Journey
from capi_plugins.sandbox import ReceivedEvent

_OF_A_VISIT = re.compile(r"[0-9a-f]{32}")


def show_events(out: Console, accepted: Sequence[ReceivedEvent]) -> None:
    """Show what arrived, a row for each event name."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("Event", no_wrap=True)
    table.add_column("Count", justify="right")
    table.add_column("Value", justify="right", no_wrap=True)
    table.add_column("Match keys", min_width=18)
    table.add_column("Dedup key", overflow="ellipsis", no_wrap=True)
    table.add_column("Verdict", no_wrap=True)
    by_name: dict[str, list[ReceivedEvent]] = {}
    for event in accepted:
        by_name.setdefault(event.name, []).append(event)
    for name, events in by_name.items():
        table.add_row(
            name,
            str(len(events)),
            _value(events),
            _keys(events),
            _dedup_key(events[-1]),
            Text("accepted", style="green"),
        )
    out.print(table)


def show_journeys(out: Console, journeys: Sequence[Journey]) -> None:
    """Show each journey, and whether everything of it is as expected."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("Journey")
    table.add_column("Arrived", justify="right")
    table.add_column("Rightly not")
    table.add_column("Check", no_wrap=True)
    for journey in journeys:
        verdict = Text("WRONG", style="bold red") if journey.wrong else Text("ok", style="green")
        table.add_row(journey.story, str(len(journey.arrived)), journey.withheld, verdict)
    out.print(table)


def _dedup_key(event: ReceivedEvent) -> str:
    """Return the business key in an event id: ``Purchase.<order number>``."""
    name, _, key = str(event.payload.get("event_id", "")).partition(".")
    if name != event.name:
        return "random"
    return "the visit" if _OF_A_VISIT.fullmatch(key) else key


def _value(events: Sequence[ReceivedEvent]) -> str:
    totals: dict[str, Decimal] = {}
    for event in events:
        custom = event.payload.get("custom_data") or {}
        if (currency := custom.get("currency")) and "value" in custom:
            totals[currency] = totals.get(currency, Decimal(0)) + Decimal(str(custom["value"]))
    return ", ".join(f"{total:.2f} {currency}" for currency, total in totals.items())


def _keys(events: Sequence[ReceivedEvent]) -> str:
    """Name the match keys that every one of the events has."""
    names: list[list[str]] = [list(event.payload.get("user_data") or ()) for event in events]
    shared = [key for key in names[0] if all(key in each for each in names)]
    short = {"client_user_agent": "ua", "client_ip_address": "ip", "external_id": "xid"}
    return " ".join(short.get(key, key) for key in shared)
