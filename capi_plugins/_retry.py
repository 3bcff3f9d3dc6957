"""How long to wait before the next attempt."""

from __future__ import annotations

import random

BASE = 1.0
"""Longest wait before the second attempt, seconds."""
CAP = 300.0
"""Longest wait between two attempts, seconds."""
LONGEST_WISH = 3600.0
"""Most of what another side may ask for, seconds."""
STOPPED = 900.0
"""How often a destination with a wrong configuration is tried again, seconds."""

_random = random.SystemRandom()


def backoff(failures: int, *, at_least: float | None = None) -> float:
    """Return a wait in seconds: full jitter, so that many processes do not come back together.

    Args:
        failures: Failed attempts in a row, from 1.
        at_least: What the other side asked for, seconds; what is no positive number is ignored.
    """
    longest = min(CAP, BASE * 2.0 ** min(failures - 1, 30))
    wait = _random.uniform(0, longest)
    if at_least is None or not at_least > 0:
        return wait
    return min(at_least, LONGEST_WISH) + wait
