"""The ``capi`` command group, behind three doors: ``capi``, ``manage.py capi`` and ``flask capi``.

It needs the extra ``[cli]``. Adapters call ``group`` with a ``Door`` (see ``doors``).
"""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from capi_plugins.cli.group import group

INSTALL = "The capi commands need click and rich: pip install 'capi-plugins[cli]'"

__all__ = ["INSTALL", "group", "main"]


def main() -> int:
    """Run the console script.

    Returns:
        The exit status: 0, 1 when something is not as it should be, 2 for usage and configuration.
    """
    if any(importlib.util.find_spec(name) is None for name in ("click", "rich")):
        sys.stderr.write(f"{INSTALL}\n")
        return 2
    from capi_plugins.cli.console import console  # noqa: PLC0415 - the extra may be missing

    return int(console.main(prog_name="capi") or 0)


def __getattr__(name: str) -> Any:
    if name == "group":
        # Not above: a project without the extra must be able to import this package.
        return importlib.import_module("capi_plugins.cli.group").group
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
