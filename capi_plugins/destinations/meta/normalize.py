"""Match keys in the form Meta hashes: one function for each.

Each takes text and returns the normal form, or raises `Unusable`. None of them cuts a value to
make it fit: half a value belongs to somebody else. Text outside ASCII is brought to NFC, because
``é`` has two spellings and only one hash.

Source: Meta's page *Customer Information Parameters*; where it is silent, Meta's parameter builder.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import unicodedata

from capi_plugins.destinations.meta.click_ids import APPENDIX
from capi_plugins.destinations.meta.scalars import Unusable

_sha256 = hashlib.sha256
MAX_LENGTH = 500
"""Longest text taken for a match key, in characters."""
PLACEHOLDERS = frozenset(["", "null", "none", "undefined"])
"""Words that stand for nothing; Meta's own samples carry the hash of ``null``."""

_PLACEHOLDER_DIGESTS = frozenset(
    hashlib.new(name, spelling.encode(), usedforsecurity=False).hexdigest()
    for word in PLACEHOLDERS
    for spelling in (word, word.upper(), word.title(), f'"{word}"')
    for name in ("sha256", "md5")
)
_DIGEST = re.compile(rf"([0-9A-Fa-f]{{64}})(\.{APPENDIX})?|([0-9A-Fa-f]{{32}})")
SHORTEST_HASH = 32
"""Shorter texts are no hash."""

_PUNCTUATION = bytes(code for code in range(128) if not chr(code).isalnum())
_NO_LETTERS = _PUNCTUATION + b"0123456789"
_LOWER = bytes(range(128)).lower() + bytes(range(128, 256))
_IN_EMAIL = r'[^@\x00-\x20"(),:;<>\[\\\]\x7f'
_EMAIL = re.compile(rf"{_IN_EMAIL}]+@{_IN_EMAIL}.]+(?:\.{_IN_EMAIL}.]+)+")
# Letters by category, apostrophes by use (U+02BC in Ukrainian, U+02BB in Hawaiian).
_APOSTROPHES = frozenset("\u02b9\u02ba\u02bb\u02bc")
_MAX_EMAIL = 254

_DATE = re.compile(
    r"(\d{1,4})\s?([./-])\s?(\d{1,2})\s?\2\s?(\d{1,4})(?:[T\s].*)?|(\d{4})(\d{2})(\d{2})", re.DOTALL
)
_FEW_DIGITS = re.compile(r"\d{1,4}", re.ASCII)
_FIRST_YEAR = 1900
_MONTHS = 12
_GENDERS = {
    **dict.fromkeys(["f", "female", "woman", "girl"], "f"),
    **dict.fromkeys(["m", "male", "man", "boy"], "m"),
}


def sha256(value: str) -> str:
    """Return the lowercase hex SHA-256 of the UTF-8 bytes."""
    return _sha256(value.encode()).hexdigest()


def hashed(value: str, *, md5: bool = True) -> str | None:
    """Return a value that is a hash already, in the form Meta takes; None when it is none.

    Args:
        value: The value. A SHA-256 may have the suffix of Meta's parameter builder.
        md5: Whether 32 hex digits count as one, as in Meta's libraries.

    Raises:
        Unusable: It is the hash of nothing.
    """
    if len(value) < SHORTEST_HASH:
        return None
    match = _DIGEST.fullmatch(value.strip())
    if match is None:
        return None
    digest, appendix, other = match.groups()
    if other and not md5:
        return None
    result: str = (digest or other).lower()
    if result in _PLACEHOLDER_DIGESTS:
        raise Unusable("is the hash of an empty value")
    return result + (appendix or "")


def email(value: str) -> str:
    """Trim and lower an e-mail address; dots and plus tags stay."""
    result = value.strip().lower()
    if not result.isascii():
        result = unicodedata.normalize("NFC", result)
        if any(each.isspace() or unicodedata.category(each)[0] == "C" for each in result):
            raise Unusable("is not an e-mail address")
    if len(result) > _MAX_EMAIL or not _EMAIL.fullmatch(result):
        raise Unusable("is not an e-mail address")
    return result


def name(value: str) -> str:
    """Lower a first or last name, without punctuation and spaces; digits stay.

    Raises:
        Unusable: No letter is left, or the text stands for nothing.
    """
    return _lowered(value, _PUNCTUATION, "LMN")


def letters(value: str) -> str:
    """Lower text and keep its letters and marks.

    Raises:
        Unusable: No letter is left, or the text stands for nothing.
    """
    return _lowered(value, _NO_LETTERS, "LM")


def _lowered(value: str, removed: bytes, kept: str) -> str:
    """Lower text without some characters, composed to NFC.

    Args:
        value: The text.
        removed: What goes where all of it is ASCII, which most is and which is quick.
        kept: The categories of characters that stay where it is not.
    """
    if value.isascii():
        result = value.encode().translate(_LOWER, removed).decode()
    else:
        text = unicodedata.normalize("NFC", value.lower())
        text = "".join(
            each
            for each in text
            if unicodedata.category(each)[0] in kept and each not in _APOSTROPHES
        )
        result = unicodedata.normalize("NFC", text)
    if result in PLACEHOLDERS or result.isdigit():
        raise Unusable("is empty or has no letters")
    return result


def first_letter(value: str) -> str:
    """First letter of a first name (Meta's ``fi``)."""
    return name(value)[0]


def first_five(value: str) -> str:
    """First five letters of a name (Meta's ``f5first`` and ``f5last``)."""
    return name(value)[:5]


def date_of_birth(value: str) -> str:
    """Bring a date to ``YYYYMMDD``.

    Year first, or day and month in the order that the numbers allow. Where both orders are
    possible, dots mean day first and anything else month first, as in Meta's own example.

    Raises:
        Unusable: It is no date, has a two-digit year, or lies before 1900 or in the future.
    """
    match = _DATE.fullmatch(value.strip())
    if match is None:
        raise Unusable("is not a date with a four-digit year")
    first, separator, second, third, *compact = match.groups()
    if separator is None:
        year, month, day = compact
    elif len(first) == 4:  # noqa: PLR2004 - a year
        year, month, day = first, second, third
    elif len(third) == 4:  # noqa: PLR2004 - a year
        day_first = separator == "." or int(first) > _MONTHS
        day, month = (first, second) if day_first else (second, first)
        if separator == "." and int(month) > _MONTHS:
            day, month = month, day
        year = third
    else:
        raise Unusable("is not a date with a four-digit year")
    try:
        date = dt.date(int(year), int(month), int(day))
    except ValueError:
        raise Unusable("is not a date") from None
    if date.year < _FIRST_YEAR or date > _today():
        raise Unusable("is before 1900 or in the future")
    return date.strftime("%Y%m%d")


def _today() -> dt.date:
    return dt.datetime.now(tz=dt.UTC).date()


def day_of_birth(value: str) -> str:
    """Two digits, 01 to 31 (Meta's ``dobd``)."""
    return f"{_within(value, 1, 31):02}"


def month_of_birth(value: str) -> str:
    """Two digits, 01 to 12 (Meta's ``dobm``)."""
    return f"{_within(value, 1, _MONTHS):02}"


def year_of_birth(value: str) -> str:
    """Four digits, 1900 to now (Meta's ``doby``)."""
    return str(_within(value, _FIRST_YEAR, _today().year))


def _within(value: str, lowest: int, highest: int) -> int:
    digits = value.strip()
    if not _FEW_DIGITS.fullmatch(digits) or not lowest <= int(digits) <= highest:
        raise Unusable(f"is not a number from {lowest} to {highest}")
    return int(digits)


def gender(value: str) -> str:
    """``f`` or ``m``; Meta has no third value."""
    result = _GENDERS.get(value.strip().lower())
    if result is None:
        raise Unusable("is neither 'f' nor 'm', and Meta knows no third value")
    return result


def external_id(value: str) -> str:
    """Trim and lower an id; the pixel has to send the same form."""
    result = value.strip().lower()
    if not result.isascii():
        result = unicodedata.normalize("NFC", result)
    if result in PLACEHOLDERS:
        raise Unusable("is empty")
    return result
