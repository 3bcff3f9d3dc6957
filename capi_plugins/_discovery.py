"""Finding plugins: what settings name, and what is installed."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Iterable

from capi_plugins.exceptions import PluginError
from capi_plugins.hookspecs import PROJECT


def from_settings(item: object, path: str) -> tuple[str, object]:
    """Find what one entry of ``PLUGINS`` names.

    Args:
        item: A module, an object, or the dotted path of one.
        path: Where it stands in the settings.

    Raises:
        PluginError: It cannot be imported.
    """
    if not isinstance(item, str):
        name = getattr(item, "__name__", None) or type(item).__name__
        return str(name), item
    try:
        return item, importlib.import_module(item)
    except ModuleNotFoundError as error:
        if error.name is not None and not f"{item}.".startswith(f"{error.name}."):
            raise PluginError(f"{path} {item!r} cannot be imported: {error}") from error
    except Exception as error:
        raise PluginError(f"{path} {item!r} cannot be imported: {error}") from error
    module, _, attribute = item.rpartition(".")
    try:
        return item, getattr(importlib.import_module(module), attribute)
    except Exception as error:
        raise PluginError(
            f"{path} {item!r} cannot be imported: there is no such module, and no such name in "
            f"{module!r}"
        ) from error


def _entry_points() -> Iterable[importlib.metadata.EntryPoint]:
    return importlib.metadata.entry_points(group=PROJECT)


def entry_point_names() -> set[str]:
    """Names of all installed plugins."""
    return {entry.name for entry in _entry_points()}


def installed(disabled: frozenset[str]) -> list[tuple[str, object, str, str | None]]:
    """Load the installed plugins by name.

    Returns:
        For each its name, the plugin, where it comes from, and its version.

    Raises:
        PluginError: One cannot be imported.
    """
    found: list[tuple[str, object, str, str | None]] = []
    for entry in sorted(_entry_points(), key=lambda entry: entry.name):
        if entry.name in disabled:
            continue
        try:
            plugin = entry.load()
        except Exception as error:
            raise PluginError(
                f"installed plugin {entry.name!r} ({entry.value}) cannot be imported: {error}; "
                f"repair or uninstall it, or add it to CAPI['DISABLED_PLUGINS']"
            ) from error
        found.append((entry.name, plugin, "installed", entry.dist.version if entry.dist else None))
    return found
