"""The plugins that ship with the core. They use public names only, as anybody's plugin would."""

from __future__ import annotations

from capi_plugins.builtin import destinations, page_view
from capi_plugins.builtin.http import HttpSender


def builtin_plugins() -> dict[str, object]:
    """Return the built-in plugins by name, in the order in which they are asked."""
    return {"destinations": destinations, "page_view": page_view, "http": HttpSender()}
