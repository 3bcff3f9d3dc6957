"""Loading plugins, and the one place where hooks are called.

Hooks that run for every event are compiled into tuples and called one implementation at a time:
stock pluggy loses every other answer when one implementation raises.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs
import pluggy

from capi_plugins import hookspecs
from capi_plugins._discovery import find
from capi_plugins._implementation import Exited, Implementation, check, choice
from capi_plugins._place import place
from capi_plugins.consent import Consent, Decision, strictest
from capi_plugins.context import RequestContext
from capi_plugins.destinations.base import Destination, Request, Response
from capi_plugins.events import Event
from capi_plugins.exceptions import ConfigurationError, DropEvent, PluginError, TransportError
from capi_plugins.leaving import is_failure, pass_on
from capi_plugins.settings import Settings
from capi_plugins.sources.base import Source

_log = logging.getLogger("capi_plugins.plugins")
_PER_EVENT = (
    "capi_route",
    "capi_lookup_destination",
    "capi_consent",
    "capi_enrich",
    "capi_filter",
)
Failed = Callable[[str, str, Exception], None]


@attrs.frozen
class LoadedPlugin:
    """What ``capi plugins`` shows of a plugin.

    Attributes:
        name: Its name.
        source: ``settings``, ``installed`` or ``built-in``.
        version: Version of its distribution, where there is one.
        hooks: The hooks it implements.
    """

    name: str
    source: str
    version: str | None
    hooks: tuple[str, ...]


class Plugins:
    """The plugins of one client, behind one typed method for each hook.

    Args:
        settings: What to load.
        builtins: The built-in plugins, by name, in order.
        failed: Called with plugin name, hook and error when an implementation raises.

    Raises:
        PluginError: A plugin cannot be imported or used; the text names it.
    """

    def __init__(self, settings: Settings, builtins: Mapping[str, object], failed: Failed) -> None:
        self._failed = failed
        self.clients = 0  # that use them and are not closed
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._sources: dict[str, tuple[str, str | None]] = {}
        self._load(settings, builtins)
        self._compiled = {hook: self._compile(hook) for hook in _PER_EVENT}

    def _load(self, settings: Settings, builtins: Mapping[str, object]) -> None:
        # pluggy calls the last registered first.
        for name, plugin, source, version in reversed(find(settings, builtins)):
            self._register(name, plugin)
            self._sources[name] = (source, version)
        try:
            self._manager.check_pending()
        except pluggy.PluginValidationError as error:
            raise PluginError(
                f"{error.args[0]}; the hooks are {', '.join(_hook_names())}"
            ) from None

    def _register(self, name: str, plugin: object) -> None:
        if inspect.isclass(plugin):
            raise PluginError(
                f"plugin {name!r} is a class; a plugin is a module or an object: "
                "have you forgotten the '()'?"
            )
        for hook in _hook_names():
            function = getattr(plugin, hook, None)
            if inspect.isroutine(function) and not hasattr(function, f"{hookspecs.PROJECT}_impl"):
                raise PluginError(f"plugin {name!r}: {hook} is not marked with @hookimpl")
        try:
            self._manager.register(plugin, name=name)
            callers = self._manager.get_hookcallers(plugin)
        except Exception as error:
            text = "; ".join(str(error).splitlines())
            raise PluginError(f"plugin {name!r} cannot be used: {text}") from error
        if not callers:
            raise PluginError(
                f"plugin {name!r} has no hooks; a plugin is a module or an object with functions "
                "marked with @hookimpl"
            )
        for caller in callers:
            for impl in caller.get_hookimpls():
                if impl.plugin is plugin:
                    check(name, caller.name, impl)

    def _compile(self, hook: str) -> tuple[Implementation, ...]:
        caller: pluggy.HookCaller = getattr(self._manager.hook, hook)
        return tuple(
            Implementation(impl.plugin_name, hook, impl.function, choice(hook, impl.argnames))
            for impl in reversed(caller.get_hookimpls())
        )

    def loaded(self) -> list[LoadedPlugin]:
        """List the plugins in the order in which they are asked."""
        found = []
        for name, (source, version) in reversed(self._sources.items()):
            plugin = self._manager.get_plugin(name)
            callers = (plugin and self._manager.get_hookcallers(plugin)) or ()
            hooks = tuple(sorted(caller.name for caller in callers))
            found.append(LoadedPlugin(name, source, version, hooks))
        return found

    # ------------------------------------------------------------------ at start-up

    def configure(self, settings: Settings, problems: list[str]) -> None:
        """Hand the settings to every plugin.

        Args:
            settings: The whole configuration.
            problems: Receives what plugins find wrong with it.

        Raises:
            PluginError: A plugin failed; the text names it.
        """
        for impl in self._compile("capi_configure"):
            try:
                self._start_up(impl, settings)
            except ConfigurationError as error:
                problems.extend(error.problems)

    def destination_types(self) -> dict[str, type[Destination]]:
        """Return the destination classes by ``KIND``; the first plugin in order wins."""
        found: dict[str, type[Destination]] = {}
        for impl in self._compile("capi_destination_types"):
            for cls in self._start_up(impl, several=True):
                if not (isinstance(cls, type) and issubclass(cls, Destination)):
                    raise PluginError(
                        f"plugin {impl.plugin!r}: capi_destination_types must offer subclasses of "
                        "Destination"
                    )
                found.setdefault(cls.KIND, cls)
        return found

    def sources(self) -> dict[str, Source]:
        """Return the sources by name; the first plugin in order wins."""
        found: dict[str, Source] = {}
        for impl in self._compile("capi_sources"):
            for source in self._start_up(impl, several=True):
                if not isinstance(source, Source):
                    raise PluginError(
                        f"plugin {impl.plugin!r}: capi_sources must offer sources, objects of a "
                        "subclass of Source"
                    )
                found.setdefault(source.NAME, source)
        return found

    def triggers(self, settings: Settings) -> list[tuple[str, Sequence[Mapping[str, Any]]]]:
        """Return what each recipe offers; one that raises is left out, and the log says so."""
        found: list[tuple[str, Sequence[Mapping[str, Any]]]] = []
        for impl in self._compile("capi_triggers"):
            try:
                offered = list(impl(settings) or ())
            except Exception as error:
                self._say(impl, error)
                continue
            found.append((impl.plugin, offered))
        return found

    def _start_up(self, impl: Implementation, *given: Any, several: bool = False) -> Any:
        try:
            answer = impl(*given)
            return list(answer or ()) if several else answer
        except (PluginError, ConfigurationError):
            raise
        except Exception as error:
            raise PluginError(
                f"plugin {impl.plugin!r} failed in {impl.hook}: {type(error).__name__}: {error}"
            ) from error

    # ------------------------------------------------------------------ for every event

    def route(
        self, event: Event, context: RequestContext, destinations: Sequence[str]
    ) -> Sequence[str] | None:
        """Ask ``capi_route``: the first answer wins."""
        for impl in self._compiled["capi_route"]:
            try:
                answer = impl(event, context, destinations)
                if answer is not None:
                    names = [answer] if isinstance(answer, str) else list(answer)
                    return [name for name in names if isinstance(name, str)]
            except Exception as error:
                self._say(impl, error)
        return None

    def lookup_destination(self, name: str) -> Destination | None:
        """Ask ``capi_lookup_destination``: the first answer wins."""
        for impl in self._compiled["capi_lookup_destination"]:
            try:
                answer = impl(name)
                if isinstance(answer, Destination):
                    return answer
            except Exception as error:
                self._say(impl, error)
        return None

    def consent(
        self, event: Event, context: RequestContext, destination: str
    ) -> tuple[Consent | None, str]:
        """Ask ``capi_consent``: the strictest answer wins, a failure counts as DENIED.

        Returns:
            The answer, and who gave it: the banner if the plugin names one, else the plugin.
        """
        decided: Consent | None = None
        by = ""
        for impl in self._compiled["capi_consent"]:
            try:
                answer = impl(event, context, destination)
                if answer is None:
                    continue
                told = answer if isinstance(answer, Decision) else Decision(answer, impl.plugin)
                if not isinstance(told.consent, Consent):
                    raise TypeError("capi_consent must answer a Consent or None")  # noqa: TRY301
            except Exception as error:
                self._say(impl, error)
                told = Decision(Consent.DENIED, impl.plugin)
            stricter = strictest((decided, told.consent))
            if stricter is not decided:
                decided, by = stricter, told.by
        return decided, by

    def decisions(
        self, event: Event, context: RequestContext, destinations: Iterable[str]
    ) -> dict[str, Consent]:
        """Ask ``capi_consent`` for destinations; those nobody decided about are left out."""
        answers = {name: self.consent(event, context, name)[0] for name in destinations}
        return {name: answer for name, answer in answers.items() if answer is not None}

    def enrich(self, event: Event, context: RequestContext) -> Event:
        """Run the ``capi_enrich`` chain; a failing link is left out."""
        for impl in self._compiled["capi_enrich"]:
            try:
                fuller = impl(event, context)
                if isinstance(fuller, Event):
                    event = fuller
                elif fuller is not None:
                    raise TypeError("capi_enrich must return an Event or None")  # noqa: TRY301
            except Exception as error:
                self._say(impl, error)
        return event

    def filter(self, event: Event, context: RequestContext, destination: str) -> Event:
        """Run the ``capi_filter`` chain.

        Raises:
            DropEvent: A plugin decided so, or failed.
        """
        for impl in self._compiled["capi_filter"]:
            try:
                reduced = impl(event, context, destination)
                if isinstance(reduced, Event):
                    event = reduced
                elif reduced is not None:
                    raise TypeError("capi_filter must return an Event or None")  # noqa: TRY301
            except DropEvent:
                raise
            except Exception as error:
                self._say(impl, error)
                raise DropEvent(f"plugin {impl.plugin!r} failed in capi_filter") from None
        return event

    # ------------------------------------------------------------------ in the worker

    def send(self, request: Request, destination: Destination) -> Response:
        """Send through ``capi_send``.

        Raises:
            TransportError: Nobody sent it, or sending failed.
        """
        try:
            answer = self._manager.hook.capi_send(request=request, destination=destination)
        except TransportError:
            raise
        except BaseException as error:
            if not is_failure(error):
                raise
            failure = error if isinstance(error, Exception) else Exited()
            self._failed("capi_send", "capi_send", failure)
            raise TransportError(f"sending failed with {type(error).__name__}") from None
        if not isinstance(answer, Response):
            raise TransportError("no plugin answered capi_send with a Response")
        return answer

    def shutdown(self) -> None:
        """Tell every plugin that the client is closed, when the last one is that uses them."""
        self.clients -= 1
        if self.clients > 0:
            return
        for impl in self._compile("capi_shutdown"):
            try:
                impl()
            except Exception as error:
                self._say(impl, error)

    def _say(self, impl: Implementation, error: Exception) -> None:
        pass_on(error)
        _log.error(
            "plugin %s failed in %s with %s at %s",
            impl.plugin,
            impl.hook,
            type(error.__cause__ if isinstance(error, Exited) else error).__name__,
            place(error),
        )
        self._failed(impl.plugin, impl.hook, error)


def _hook_names() -> list[str]:
    return sorted(name for name in vars(hookspecs) if name.startswith("capi_"))
