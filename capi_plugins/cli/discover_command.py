"""``capi discover``: the conversions of a project, and the triggers that would see them."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Collection, Sequence
from typing import Any

import click
import orjson
from rich.console import Console

from capi_plugins import Client
from capi_plugins.cli.discovering.comparing import Comparison, compare
from capi_plugins.cli.discovering.funnel import is_telling
from capi_plugins.cli.discovering.proposing import ORDER, propose
from capi_plugins.cli.discovering.recorder import Recorder
from capi_plugins.cli.discovering.survey import Moment
from capi_plugins.cli.doors import Door, NotConfigured, current_door

_STATES = {
    "new": "new",
    "covered": "in force: {where}",
    "fuller": "in force with less: {where}",
    "other": "in force from another moment: {where}",
}
_WIDTH = 88
_CLICK = """\
Recording at http://{host}:{port}/ and sending nothing. Be a shopper: look at a product, search, \
put it in the cart, go to the checkout, buy, register. {stop} ends it and shows what was found."""


@click.command()
@click.option("--record", is_flag=True, help="Run the project, watch what happens until Ctrl-C.")
@click.option("--host", default="127.0.0.1", show_default=True, help="With --record.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--currency", metavar="EUR", help="Where nothing of the project names one.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of Python.")
def discover(record: bool, host: str, port: int, currency: str | None, as_json: bool) -> None:
    """Find this project's conversions, and propose TRIGGERS for them.

    Reads the project's signals, models and routes. With --record it runs the development server
    itself and proposes from what really happens while you click. No value of a field is kept or
    shown, only names and kinds.
    """
    door = current_door()
    if door.project is None:
        raise click.UsageError(
            "there is no project behind 'capi': call 'manage.py capi discover' or "
            "'flask capi discover'"
        )
    # Service managers end a program so; it is the same as Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    client = _client(door)
    survey = door.project.survey()
    moments, fired = survey.moments, None
    if record:
        recorder = Recorder(client)
        click.echo(_CLICK.format(host=host, port=port, stop=_stop()), err=True)
        door.project.record(recorder, host, port)
        moments, fired = recorder.moments, recorder.fired
    triggers = () if client is None else client.triggers.all
    found = compare(propose(moments, currency or survey.currency), triggers)
    silent = [t.where for t in triggers if fired is not None and t.where not in fired]
    if as_json:
        click.echo(orjson.dumps(_described(found, moments, silent), option=orjson.OPT_INDENT_2))
    else:
        _show(found, silent, recorded=record)
        _list(moments, {trigger.signal or trigger.route for trigger in triggers})


def _stop() -> str:
    # Shells let what a script starts in the background ignore Ctrl-C.
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    return f"'kill {os.getpid()}'" if ignored else "Ctrl-C"


def _client(door: Door) -> Client | None:
    try:
        return door.client()
    except NotConfigured:
        # This command is how one comes to settings.
        return None


def _described(
    found: Sequence[Comparison], moments: Sequence[Moment], silent: Sequence[str]
) -> dict[str, Any]:
    return {
        "triggers": [item.proposal.trigger for item in found if item.state == "new"],
        "proposals": [
            {
                "event": item.proposal.event,
                "state": item.state,
                "where": item.where,
                "adds": item.adds,
                "times": item.proposal.times,
                "notes": item.proposal.notes,
                "trigger": item.proposal.trigger,
            }
            for item in found
        ],
        "not_fired": silent,
        "moments": [
            {"on": moment.on, "name": moment.name, "method": moment.method, "times": moment.times}
            for moment in moments
        ],
    }


def _show(found: Sequence[Comparison], silent: Sequence[str], *, recorded: bool) -> None:
    click.echo("TRIGGERS = [")
    for item in found:
        if item.state != "covered":
            click.echo(_python(item, recorded=recorded))
    click.echo("]")
    out = Console(highlight=False, stderr=True)
    for item in found:
        if item.state == "covered":
            out.print(f"{item.proposal.event}: {_state(item)}", markup=False)
    missing = [event for event in ORDER if event not in {item.proposal.event for item in found}]
    if missing:
        out.print(f"Not found: {', '.join(missing)}.", markup=False)
    for where in silent:
        out.print(f"In force, and did not fire: {where}", markup=False)
    if not recorded:
        out.print("Read from code alone. 'discover --record' proposes from what really happens.")


def _list(moments: Sequence[Moment], in_force: Collection[str | None]) -> None:
    out = Console(highlight=False, stderr=True)
    for on, title in (("signal", "Signals"), ("model", "Models"), ("request", "Routes")):
        telling = [m.name for m in moments if m.on == on and is_telling(m)]
        names = dict.fromkeys(name for name in telling if name not in in_force)
        if names:
            said = f"{title} that sound like conversions: {', '.join(names)}."
            out.print(said, markup=False)


def _python(item: Comparison, *, recorded: bool) -> str:
    lines = [f"# {item.proposal.event}: {_state(item)}"]
    if recorded:
        lines[0] += f"; seen {item.proposal.times} x"
    lines += [f"#   + {added}" for added in item.adds]
    lines += [f"# Mind: {note}." for note in item.proposal.notes]
    shown = f"{_literal(item.proposal.trigger, '')},".splitlines()
    # Beside the trigger in force it would make every event twice.
    lines += shown if item.state == "new" else [f"# {line}" for line in shown]
    return "\n".join(f"    {line}" for line in lines)


def _literal(value: Any, indent: str) -> str:
    """Write a value as Python, the way formatters do."""
    if isinstance(value, list):
        return f"[{', '.join(_literal(item, indent) for item in value)}]"
    if not isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
    inside = indent + "    "
    pairs = [f"{_literal(key, '')}: {_literal(item, inside)}" for key, item in value.items()]
    line = f"{{{', '.join(pairs)}}}"
    if "\n" not in line and len(indent) + len(line) <= _WIDTH and "ON" not in value:
        return line
    return "{\n" + "".join(f"{inside}{pair},\n" for pair in pairs) + indent + "}"


def _state(item: Comparison) -> str:
    return _STATES[item.state].format(where=item.where)
