"""Reading single values of any type: text, numbers, whole numbers, flags.

A host hands over whatever its models hold: ``Decimal``, ``UUID``, lazy translations, enumerations,
proxies whose object is gone. Every function here returns a plain value or raises `Unusable`
(reading a foreign object may raise anything else as well; callers treat that alike).
"""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import math
import re
import unicodedata
from collections.abc import Collection, KeysView, ValuesView

MAX_NUMBER = 1e15
"""Beyond this a JSON number is not exact everywhere."""

_GROUPED = re.compile(
    r"""[+-]?(?:
        \d{1,3}(?:,\d{3})+\.\d+          # 1,234.50
      | \d{1,3}(?:,\d{3}){2,}            # 1,234,567
      | \d{1,3}(?:\.\d{3})+,\d+          # 1.234,50
      | \d{1,3}(?:\.\d{3}){2,}           # 1.234.567
      | \d{1,3}(?:[ '\u2019\u00a0\u202f]\d{3})+(?:[.,]\d{1,2})?   # 1 234,50
      | \d+,\d{1,2}                      # 1234,5: no group has two digits
    )""",
    re.VERBOSE | re.ASCII,
)
_PLAIN = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_LONGEST_NUMBER = 40
_FLAGS = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}


class Unusable(ValueError):
    """A value cannot be sent; the text is one clause that never contains the value."""


def text(value: object) -> str:
    """Read a value as text, exactly as it stands.

    Raises:
        Unusable: It is no text: a container, bytes, a truth value, an object without a text form.
    """
    if type(value) is str:
        return value
    if isinstance(value, enum.Enum):
        return text(value.value)
    if isinstance(value, str) and issubclass(type(value), str):  # a lazy object only claims to be
        # What the text holds, not what a subclass prints (``Colour.RED``).
        return str.__str__(value)
    if value is None or isinstance(value, bool | bytes | bytearray | memoryview):
        raise Unusable("is not text")
    if isinstance(value, int | float | decimal.Decimal):
        return _number_text(value)
    if type(value).__str__ is object.__str__:
        # ``<Order object at 0x...>`` would pass for an id.
        raise Unusable("is not text")
    return str.__str__(str(value))


def _number_text(value: float | decimal.Decimal) -> str:
    if isinstance(value, int):
        return int.__repr__(value)
    if not math.isfinite(value):
        raise Unusable("is not a number")
    if -MAX_NUMBER < value < MAX_NUMBER and value == int(value):
        # Spreadsheets and data frames turn whole numbers into 94035.0.
        return str(int(value))
    return str(value)


def sendable(value: object, limit: int = 2000) -> str:
    """Read text that goes on the wire as it is: stripped, without control characters.

    Args:
        value: Any value.
        limit: Most characters.

    Raises:
        Unusable: It is no text, empty, too long, or cannot be encoded.
    """
    result = (value if type(value) is str else text(value)).strip()
    if result and len(result) <= limit and result.isprintable():
        return result
    if len(result) > limit:
        raise Unusable(f"is longer than {limit} characters")
    result = _printable(result)
    if not result:
        raise Unusable("is empty")
    return result


def _printable(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Unusable("is not valid text") from None
    return "".join(each for each in value if unicodedata.category(each) != "Cc").strip()


def number(value: object) -> int | float:
    """Read a number; text may hold thousands separators where only one reading exists.

    Raises:
        Unusable: It is no finite number, out of range, or ``1,234``, which has two readings.
    """
    kind = type(value)
    result: int | float = value if kind is float or kind is int else _to_number(value)  # type: ignore[assignment]
    if not -MAX_NUMBER < result < MAX_NUMBER:
        # NaN ends here too.
        raise Unusable("is not a number in range")
    return result


def _to_number(value: object) -> int | float:
    if isinstance(value, enum.Enum):
        value = value.value
    if isinstance(value, bool) or value is None:
        raise Unusable("is not a number")
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float | decimal.Decimal):
        return float(value)
    digits = text(value).strip()
    if len(digits) < _LONGEST_NUMBER and _PLAIN.fullmatch(digits):
        whole = digits.lstrip("+-").isdigit()
        return int(digits) if whole else float(digits)
    if len(digits) < _LONGEST_NUMBER and _GROUPED.fullmatch(digits):
        return float(_ungroup(digits))
    raise Unusable("is not a number, or has two readings: use 1234.50")


def _ungroup(digits: str) -> str:
    point = max(digits.rfind("."), digits.rfind(","))
    if point >= 0 and digits.count(digits[point]) > 1:
        point = -1
    whole = digits if point < 0 else digits[:point]
    fraction = "" if point < 0 else digits[point + 1 :]
    sign = "-" if digits.startswith("-") else ""
    return sign + re.sub(r"\D", "", whole) + "." + (fraction or "0")


def integer(value: object) -> int:
    """Read a whole number.

    Raises:
        Unusable: It is not one, or too large for JSON.
    """
    result = number(value)
    if result != int(result):
        raise Unusable("is not a whole number")
    return int(result)


def one_of(allowed: tuple[str, ...], value: object) -> str:
    """Read one of Meta's words, whatever its case.

    Raises:
        Unusable: It is none of them.
    """
    word = value if type(value) is str else text(value)
    if word in allowed:
        return word
    word = word.strip()
    for known in allowed:
        if known.lower() == word.lower():
            return known
    raise Unusable("is none of " + ", ".join(allowed))


def flag(value: object) -> bool:
    """Read a truth value: a bool, 0 or 1, or words such as ``true`` and ``no``.

    Raises:
        Unusable: It is none of these.
    """
    if isinstance(value, bool):
        return value
    word = text(value).strip().lower()
    if word not in _FLAGS:
        raise Unusable("is neither true nor false")
    return _FLAGS[word]


def moment(value: object) -> str:
    """Read a day or a moment as Meta's travel fields take it.

    Returns:
        ``YYYYMMDD``, ``YYYY-MM-DD`` or ISO 8601 with time.

    Raises:
        Unusable: It is neither a date nor text in one of these forms.
    """
    if isinstance(value, dt.date):
        return value.isoformat()
    result = sendable(value, 40)
    try:
        dt.datetime.fromisoformat(result)
    except ValueError:
        raise Unusable("is not a date: use YYYY-MM-DD") from None
    return result


_LISTS = (list, tuple, set, frozenset, KeysView, ValuesView)


def items(value: object) -> Collection[object] | None:
    """Return the members of a list-like value; None when it is a single value.

    Only plain containers count: lazy text is iterable too, and its letters are no members.
    """
    if type(value) is not str and isinstance(value, _LISTS):
        return value
    return None
