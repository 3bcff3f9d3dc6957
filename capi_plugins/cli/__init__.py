"""The ``capi`` command group, behind three doors: ``capi``, ``manage.py capi`` and ``flask capi``.

It needs the extra ``[cli]``. Adapters bring a ``Door`` (see ``doors``) and either call
``capi_plugins.cli.group.group`` with it or mount a ``CommandGroup`` of their own.
"""

from __future__ import annotations

import importlib.util
import sys

INSTALL = "The capi commands need click and rich: pip install 'capi-plugins[cli]'"


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
