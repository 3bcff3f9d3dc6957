"""``--from``: what the lines of the input are, and what reads them."""

from __future__ import annotations

from typing import Any

import click

from capi_plugins import Client
from capi_plugins._paths import parse_lookup
from capi_plugins.cli.lines import Read, Reader, neutral
from capi_plugins.segment import Converter, read_options


def from_option(function: Any) -> Any:
    """Add ``--from``."""
    return click.option(
        "--from",
        "form",
        type=click.Choice(["neutral", "segment"]),
        default="neutral",
        show_default=True,
        help="What the lines are: events, or Segment messages, read as CAPI['SEGMENT'] says.",
    )(function)


def reader(form: str, client: Client) -> Reader:
    """Return what reads the lines.

    Args:
        form: The value of ``--from``.
        client: Whose settings hold.
    """
    if form == "neutral":
        return neutral
    # The settings were checked when the client was made.
    converter = Converter(read_options(client.settings.segment, [], parse_lookup))

    def segment(message: Any, now: float | None) -> Read:
        result = converter.convert(message, now=now)
        return Read(events=result.events, reason=result.reason, event_id=result.message_id)

    return segment
