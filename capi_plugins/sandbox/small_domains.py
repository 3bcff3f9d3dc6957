"""Recognises hashes of badly written values, for keys with so few values that all can be hashed.

A hash hides whether its value was normalised; for gender, country and birthday it cannot.
"""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import itertools
import string
from collections.abc import Iterable
from typing import Final

RULES: Final = {
    "ge": "f or m",
    "country": "a two-letter country code in lower case",
    "db": "a day from 1900 on, written YYYYMMDD",
}
"""The keys that can be told, and what their values must be (Meta: customer information)."""


def is_normal(key: str, digest: str, now: float) -> bool:
    """Whether a hash stands for a value in Meta's form; True for keys that cannot be told.

    Args:
        key: A key of ``user_data``.
        digest: Lowercase hexadecimal SHA-256.
        now: Unix seconds; nobody is born later.
    """
    if key == "ge":
        return digest in _genders()
    if key == "country":
        return digest in _countries()
    if key == "db":
        return digest in _days(dt.datetime.fromtimestamp(now, dt.UTC).year)
    return True


def _hashes(values: Iterable[str]) -> frozenset[str]:
    return frozenset(hashlib.sha256(value.encode()).hexdigest() for value in values)


@functools.cache
def _genders() -> frozenset[str]:
    return _hashes("fm")


@functools.cache
def _countries() -> frozenset[str]:
    return _hashes("".join(pair) for pair in itertools.product(string.ascii_lowercase, repeat=2))


@functools.lru_cache(maxsize=2)
def _days(last_year: int) -> frozenset[str]:
    first, end = dt.date(1900, 1, 1), dt.date(last_year, 12, 31)
    days = (first + dt.timedelta(days=count) for count in range((end - first).days + 1))
    return _hashes(day.strftime("%Y%m%d") for day in days)
