"""The kinds of destination that ship with the core."""

from __future__ import annotations

from collections.abc import Iterable

from capi_plugins.destinations.base import Destination
from capi_plugins.destinations.meta.destination import MetaDestination
from capi_plugins.hookspecs import hookimpl


@hookimpl
def capi_destination_types() -> Iterable[type[Destination]]:
    """Offer them."""
    return [MetaDestination]
