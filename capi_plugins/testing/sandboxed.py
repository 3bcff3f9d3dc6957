"""Settings whose Meta destinations are a sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def sandboxed(capi: Mapping[str, Any], url: str) -> dict[str, Any]:
    """Return settings that send what Meta would get to a sandbox, while a request is handled.

    Args:
        capi: The ``CAPI`` dictionary; it stays as it is.
        url: Address of the sandbox: ``capi_plugins.sandbox.Sandbox().url``.

    Returns:
        The same, with ``API_URL`` in every Meta destination (there is one called ``meta`` where
        there is none at all, and ids and tokens that are missing are made up), with the outbox
        ``immediate`` and with sending enabled.
    """
    destinations = dict(capi.get("DESTINATIONS") or {"meta": {}})
    for name, options in destinations.items():
        if options.get("KIND", name) == "meta":
            given = {key: value for key, value in options.items() if value not in (None, "")}
            made_up = {"DATASET_ID": "1234567890", "ACCESS_TOKEN": "sandbox-token"}
            destinations[name] = {**made_up, **given, "API_URL": url}
    delivery = {**capi.get("DELIVERY", {}), "OUTBOX": "immediate", "WORKER": "thread"}
    return {**capi, "DESTINATIONS": destinations, "DELIVERY": delivery, "ENABLED": True}
