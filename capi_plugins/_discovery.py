"""Finding plugins: what settings name, what is installed, and which of these are loaded."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from capi_plugins.exceptions import PluginError
from capi_plugins.hookspecs import PROJECT
from capi_plugins.settings import Settings, suggest


class Found(NamedTuple):
    """A plugin that was found.

    Attributes:
        name: Its name.
        plugin: A module or an object.
        source: ``settings``, ``installed`` or ``built-in``.
        version: Version of its distribution, where there is one.
    """

    name: str
    plugin: object
    source: str
    version: str | None = None


def find(settings: Settings, builtins: Mapping[str, object]) -> list[Found]:
    """Find the plugins to be loaded, each once and under a name of its own, in their order.

    Args:
        settings: What to load.
        builtins: The built-in plugins, by name, in order.

    Raises:
        PluginError: One cannot be imported, two have one name that nobody chose, or a name that is
            disabled is none.
    """
    every = [
        Found(*_from_settings(item, f"CAPI['PLUGINS'][{number}]"), "settings")
        for number, item in enumerate(settings.plugins)
    ]
    if settings.autoload:
        every += _installed(settings.disabled_plugins)
    every += [Found(name, plugin, "built-in") for name, plugin in builtins.items()]
    _check_disabled(settings.disabled_plugins, every)
    found: dict[str, Found] = {}
    for each in every:
        name = each.name
        if name in settings.disabled_plugins:
            continue
        if any(each.plugin is other.plugin for other in found.values()):
            continue
        if name in found:
            if each.source != "settings":
                raise PluginError(
                    f"two plugins are called {name!r} ({found[name].source} and {each.source}): "
                    "rename one"
                )
            # Objects are called by their class, and two of one class are two plugins.
            name = f"{name}#{len(found) + 1}"
        found[name] = each._replace(name=name)
    return list(found.values())


def _check_disabled(disabled: frozenset[str], found: Sequence[Found]) -> None:
    names = {each.name for each in found}
    unknown = disabled - names - {entry.name for entry in _entry_points()}
    if unknown:
        name = min(unknown)
        raise PluginError(
            f"CAPI['DISABLED_PLUGINS'] names {name!r}, which is not a plugin; "
            f"{suggest(name, (names | disabled) - unknown)}"
        )


def _from_settings(item: object, path: str) -> tuple[str, object]:
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


def _installed(disabled: frozenset[str]) -> list[Found]:
    """Load the installed plugins by name.

    Args:
        disabled: Names of those that are not loaded.

    Raises:
        PluginError: One cannot be imported.
    """
    found: list[Found] = []
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
        version = entry.dist.version if entry.dist else None
        found.append(Found(entry.name, plugin, "installed", version))
    return found
