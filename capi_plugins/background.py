"""Starting a thread beside the host's, where there may be none to be had."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any


def started(target: Callable[..., object], name: str, *args: Any) -> threading.Thread | None:
    """Start a daemon thread, which the end of the process does not wait for.

    Args:
        target: What it runs.
        name: Its name, as debuggers and process lists show it.
        *args: What ``target`` is called with.

    Returns:
        The thread. None where there is none to be had: the interpreter is shutting down, the host
        allows no threads, or there are too many.
    """
    # While the interpreter is torn down, whoever starts a thread waits for one that never runs.
    if sys.is_finalizing():
        return None
    thread = threading.Thread(target=target, args=args, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError:
        return None
    return thread
