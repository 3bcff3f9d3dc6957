"""One plugin's function for one hook: checked when it is loaded, called with what it asks for."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from capi_plugins import hookspecs
from capi_plugins.exceptions import PluginError
from capi_plugins.leaving import is_failure


class Exited(Exception):
    """A plugin has raised what ends a process, a task or a generator."""


@attrs.frozen
class Implementation:
    """One plugin's function for one hook.

    Attributes:
        plugin: Name of the plugin.
        hook: Name of the hook.
        function: The function.
        chosen: Picks the arguments it asks for, in its own order, out of the hook's.
    """

    plugin: str
    hook: str
    function: Callable[..., Any]
    chosen: Callable[[tuple[Any, ...]], tuple[Any, ...]]

    def __call__(self, *given: Any) -> Any:
        """Call the function with those of the arguments it asks for.

        Args:
            *given: All arguments of the hook, in the order of its specification.

        Raises:
            Exception: What the function raises; a plugin that exits has failed, and ends nothing;
                see ``is_failure``.
        """
        try:
            return self.function(*self.chosen(given))
        except Exception:
            raise
        except BaseException as error:
            if not is_failure(error):
                raise
            raise Exited().with_traceback(error.__traceback__) from error


def choice(hook: str, wanted: Sequence[str]) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    """Make what picks the arguments that an implementation asks for out of those of its hook.

    Args:
        hook: Name of the hook.
        wanted: Names of the arguments.
    """
    offered = list(inspect.signature(getattr(hookspecs, hook)).parameters)
    places = [offered.index(name) for name in wanted]
    if len(places) > 1:
        return operator.itemgetter(*places)
    # Of a single place it would return what is there, and not a tuple.
    first = places[0] if places else len(offered)
    return operator.itemgetter(slice(first, first + 1))


def check(plugin: str, hook: str, impl: Any) -> None:
    """Refuse what could not be called like the others.

    Args:
        plugin: Name of the plugin.
        hook: Name of the hook.
        impl: The implementation, as pluggy has it.

    Raises:
        PluginError: It is asynchronous, a wrapper, or has keyword-only arguments.
    """
    function = inspect.unwrap(impl.function)
    where = f"plugin {plugin!r}: {hook}"
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise PluginError(f"{where} is 'async def'; hooks are plain functions")
    if (impl.hookwrapper or impl.wrapper) and hook != "capi_send":
        raise PluginError(f"{where} is a wrapper; only capi_send may be wrapped")
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            raise PluginError(
                f"{where} has the keyword-only argument {parameter.name!r}; "
                "it would never be given: remove the '*'"
            )
