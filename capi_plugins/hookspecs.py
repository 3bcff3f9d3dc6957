"""The hooks: where a project or a plugin changes what happens.

A plugin is a module or an object with functions marked by ``hookimpl``::

    from capi_plugins import Consent, hookimpl


    @hookimpl
    def capi_consent(event, context, destination):
        if context.cookies.get("ads") == "no":
            return Consent.DENIED

An implementation may leave out arguments it does not need. Hooks that run for every event are
plain functions: no ``async def``, no keyword-only arguments, no wrappers. Implementations run in
this order: the host's ``PLUGINS`` as listed, installed plugins by name, built-ins.

Hooks change what happens; ``capi_plugins.signals`` tell what happened.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from capi_plugins.consent import Consent, Decision
    from capi_plugins.context import RequestContext
    from capi_plugins.destinations.base import Destination, Request, Response
    from capi_plugins.events import Event
    from capi_plugins.settings import Settings
    from capi_plugins.sources.base import Source

PROJECT = "capi_plugins"
"""Name of the markers and of the entry-point group."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec(historic=True)
def capi_configure(settings: Settings) -> None:
    """Read the settings, once, when the client is made.

    Args:
        settings: The whole configuration; ``settings.options_for(name)`` gives a plugin its own.

    If it raises, start-up fails and names the plugin.
    """


@hookspec
def capi_destination_types() -> Iterable[type[Destination]]:  # type: ignore[empty-body]
    """Offer destination classes; settings choose one by its ``KIND``.

    If it raises, start-up fails and names the plugin.
    """


@hookspec
def capi_sources() -> Iterable[Source]:  # type: ignore[empty-body]
    """Offer sources: where events come in other than through the host app.

    If it raises, start-up fails and names the plugin.
    """


@hookspec
def capi_triggers(settings: Settings) -> Sequence[Mapping[str, Any]]:  # type: ignore[empty-body]
    """Offer triggers, in the shape of ``CAPI["TRIGGERS"]``; this is what a recipe does.

    Args:
        settings: The whole configuration.

    If it raises, or a trigger is wrong, the recipe is left out and the log says so at start-up.
    """


@hookspec(firstresult=True)
def capi_route(
    event: Event, context: RequestContext, destinations: Sequence[str]
) -> Sequence[str] | None:
    """Choose the destinations of an event; None leaves the choice to the next.

    Args:
        event: The event as captured.
        context: The request, or ``NO_REQUEST``.
        destinations: Names of the configured destinations that take this event name.

    Returns:
        Names; unknown ones are looked up by ``capi_lookup_destination``. The first answer wins.
        If it raises, it is skipped.
    """


@hookspec(firstresult=True)
def capi_lookup_destination(name: str) -> Destination | None:
    """Find a destination that settings do not know: tenants.

    Args:
        name: What ``capi_route`` answered.

    If it raises, it is skipped.
    """


@hookspec
def capi_consent(
    event: Event, context: RequestContext, destination: str
) -> Consent | Decision | None:
    """Say what the visitor allows this destination; None when you do not know.

    Args:
        event: The event as captured, before anything was added.
        context: The request, or ``NO_REQUEST``.
        destination: Name of the destination.

    Returns:
        The strictest answer of all wins; without any, ``CAPI["CONSENT"]["DEFAULT"]`` holds. A
        ``Decision`` also tells where it stands, which the reason then names in the plugin's place.
        If it raises, that counts as DENIED.
    """


@hookspec
def capi_enrich(event: Event, context: RequestContext) -> Event | None:
    """Add what is missing: return ``event.fill(...)``, or None for no change.

    Args:
        event: The event as the implementation before left it.
        context: The request, or ``NO_REQUEST``.

    If it raises, its change is lost and the chain goes on.
    """


@hookspec
def capi_filter(event: Event, context: RequestContext, destination: str) -> Event | None:
    """Reduce what one destination may see: return a copy, or None for no change.

    Args:
        event: The event as the implementation before left it.
        context: The request, or ``NO_REQUEST``.
        destination: Name of the destination.

    Raise ``DropEvent(reason)`` to keep the event from the destination. If anything else is
    raised, the event is kept from it too.
    """


@hookspec(firstresult=True)
def capi_send(request: Request, destination: Destination) -> Response | None:
    """Send a request and return the answer; wrappers are allowed, for metrics and tracing.

    Args:
        request: A complete HTTP request.
        destination: The destination it is for.

    If it raises, the batch is tried again later.
    """


@hookspec
def capi_shutdown() -> None:
    """Release what the plugin holds, when the client is closed. If it raises, that is logged."""
