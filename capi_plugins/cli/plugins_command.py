"""``capi plugins``: what is loaded, and the triggers in force."""

from __future__ import annotations

import click
import orjson
from rich import box
from rich.console import Console
from rich.table import Table

from capi_plugins import Client, Trigger
from capi_plugins.cli.doors import current_door


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of tables.")
def plugins(as_json: bool) -> None:
    """Show what is loaded and which triggers are in force.

    Plugins are shown in the order in which they are asked.
    """
    client = current_door().client()
    if as_json:
        click.echo(orjson.dumps(_described(client), option=orjson.OPT_INDENT_2))
        return
    out = Console(highlight=False)
    table = Table("Plugin", "From", "Version", "Hooks", box=box.SIMPLE, title_justify="left")
    for plugin in client.plugins.loaded():
        hooks = " ".join(hook.removeprefix("capi_") for hook in plugin.hooks)
        table.add_row(plugin.name, plugin.source, plugin.version or "", hooks)
    out.print(table)
    if not client.triggers.all:
        out.print("No triggers: events come from track() and from sources alone.")
        return
    table = Table("Event", "On", "What", "Defined in", box=box.SIMPLE)
    # The end of a signal's path is what tells it from others.
    table.columns[2].overflow = "fold"
    for trigger in client.triggers.all:
        table.add_row(trigger.event, trigger.on, _what(trigger), trigger.where)
    out.print(table)


def _described(client: Client) -> dict[str, object]:
    return {
        "plugins": [
            {
                "name": plugin.name,
                "source": plugin.source,
                "version": plugin.version,
                "hooks": plugin.hooks,
            }
            for plugin in client.plugins.loaded()
        ],
        "triggers": [
            {
                "event": trigger.event,
                "on": trigger.on,
                "what": _what(trigger),
                "where": trigger.where,
            }
            for trigger in client.triggers.all
        ],
    }


def _what(trigger: Trigger) -> str:
    if trigger.on == "signal":
        return trigger.signal or ""
    if trigger.on == "model":
        changes = ", ".join(f"{name} = {value!r}" for name, value in trigger.changed.items())
        if not changes:
            return f"{trigger.model} created"
        return f"{trigger.model} when {changes}"
    parts = [
        "/".join(trigger.methods),
        trigger.route or (trigger.path.pattern if trigger.path else "every page"),
        trigger.template or "",
        trigger.content_type or "",
        "/".join(map(str, trigger.statuses)),
    ]
    return " ".join(part for part in parts if part)
