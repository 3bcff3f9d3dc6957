"""Whether requests may leave the machine: not in a run of tests, unless somebody asks for it.

What Django does with mail, for conversions: a host that runs its tests with the settings of its
shop must not send them to an ad network.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable

VARIABLE = "CAPI_SENDING"
"""Environment variable: ``off`` keeps requests on this machine, ``on`` lets them out of tests."""

_runners: dict[str, Callable[[], bool]] = {}


def in_runs_of(name: str, running: Callable[[], bool]) -> None:
    """Keep requests on this machine while somebody runs tests in this process.

    Args:
        name: Who runs them, for the log.
        running: Whether that is so now; asked before every request.
    """
    _runners[name] = running


def test_runner() -> str | None:
    """Name who runs tests in this process now, as far as it is known."""
    return next((name for name, running in _runners.items() if running()), None)


def why_off() -> str | None:
    """Say why requests stay on this machine; None: they do not."""
    said = os.environ.get(VARIABLE, "").lower()
    if said == "off":
        return f"{VARIABLE} is 'off' in the environment"
    runner = None if said == "on" else test_runner()
    return f"these are tests, run by {runner}" if runner else None


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine.

    Args:
        host: As in a URL.
    """
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
