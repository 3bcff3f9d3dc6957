"""Telling a process that is ended from code that ends it by mistake.

A plugin that calls ``sys.exit()`` has failed and ends nothing. A signal handler that does so, as
gunicorn's for a worker that takes too long, runs wherever the thread happens to be, and means it.
"""

from __future__ import annotations

import signal
import traceback


def is_meant(error: BaseException) -> bool:
    """Whether a handler of a signal has raised an exception.

    Args:
        error: What was raised, caught.
    """
    if isinstance(error, Exception):
        return False
    handlers = (signal.getsignal(number) for number in signal.valid_signals())
    codes = {
        getattr(getattr(handler, "__func__", handler), "__code__", None) for handler in handlers
    }
    return any(frame.f_code in codes for frame, _ in traceback.walk_tb(error.__traceback__))
