"""Telling code that has failed from whoever ends the thread, the task or the process it runs in.

A plugin that calls ``sys.exit()`` has failed and ends nothing. A signal handler that raises, as
gunicorn's for a worker and Celery's for a task that takes too long, runs wherever the thread
happens to be, and means whoever called this library.
Nothing that is called is a coroutine or a generator: nobody can mean to cancel or to close it, and
a request that is cancelled is so where it awaits, whatever becomes of what it has called.
"""

from __future__ import annotations

import signal
import sys
import traceback


def is_failure(error: BaseException) -> bool:
    """Whether an exception says no more than that the code which was called has failed.

    Others go on to the host: ``KeyboardInterrupt``, what a signal handler raised, and what a
    library of the host's ends its own greenlets or tests with.

    Args:
        error: What was raised, caught.
    """
    failed = isinstance(error, Exception) or _is_an_ending(error)
    return failed and not _is_of_a_handler(error)


def pass_on(error: BaseException) -> None:
    """Raise again what is the host's, wherever exceptions are caught so that none reaches it.

    Args:
        error: What was raised, caught.

    Raises:
        BaseException: It, unless it is a failure; see ``is_failure``.
    """
    if not is_failure(error):
        raise error


def _is_an_ending(error: BaseException) -> bool:
    # Whoever raises it has loaded asyncio, which is too slow to load for this.
    cancelled = getattr(sys.modules.get("asyncio"), "CancelledError", SystemExit)
    return isinstance(error, (SystemExit, GeneratorExit, cancelled))


def _is_of_a_handler(error: BaseException) -> bool:
    if error.__traceback__ is None or error.__traceback__.tb_next is None:
        return False  # raised where it was caught: asking for the handlers takes 0.1 ms
    handlers = (signal.getsignal(number) for number in signal.valid_signals())
    codes = {
        getattr(getattr(handler, "__func__", handler), "__code__", None) for handler in handlers
    }
    return any(frame.f_code in codes for frame, _ in traceback.walk_tb(error.__traceback__))
