"""Where an exception was raised: what logs may say of it."""

from __future__ import annotations


def place(error: BaseException) -> str:
    """Return ``file:line`` of where an exception was raised.

    The text of an exception may hold personal data; its type and place do not.
    """
    found = error.__traceback__
    while found is not None and found.tb_next is not None:
        found = found.tb_next
    return f"{found.tb_frame.f_code.co_filename}:{found.tb_lineno}" if found else "?"
