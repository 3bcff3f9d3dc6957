"""Phone numbers: digits with the country code, nothing else.

Source: Meta's page *Customer Information Parameters*: no symbols, letters or leading zeros, and
always the country code.
"""

from __future__ import annotations

import functools
import re
import unicodedata

from capi_plugins.destinations.meta.scalars import Unusable
from capi_plugins.forks import unforked

# E.164 has at most 15 digits; no number in use has fewer than seven with its country code.
_MAX_DIGITS = 15
_MIN_DIGITS = 7
_SEPARATORS = b"+-. ()"
_NOT_DIGITS = re.compile(r"[^0-9]+")
_LABEL = re.compile(r"tel(?:efon|ephone)?\s*[.:]*\s*", re.IGNORECASE)
_INTERNATIONAL = re.compile(r"\(?\s*(?:\+|00)")
# +44 (0)20: dialled at home only. Italy's zero (+39 06) is part of the number.
_TRUNK_ZERO = re.compile(r"(\(?\s*(?:\+|00)\s*(?!3\s*9)[\d\s]{1,4}\)?[\s.-]*)\(\s*0\s*\)")
_EXTENSION = re.compile(
    r"[\s,;.(/-]*(?:ext(?:ension|n)?\b\.?=?|x(?=[\s.:]*\d)|#|durchwahl|poste\b|anexo\b|ramal\b)"
    r"[\s.:]*\d*\D*\Z",
    re.IGNORECASE,
)


def normalize(value: str, region: str | None = None) -> tuple[str, bool]:
    """Bring a phone number to Meta's form.

    Args:
        value: The number. A leading ``+`` or ``00`` means that it has its country code.
        region: ISO 3166-1 alpha-2 code of the country a national number belongs to, if known.

    Returns:
        The digits, and whether they are known to begin with a country code.

    Raises:
        Unusable: No number is left, or it does not have the length of one.
    """
    if value.startswith("+") and value.isascii() and "(0" not in value:
        data = value.encode().translate(None, _SEPARATORS)
        if data.isdigit():
            return _checked(data.lstrip(b"0").decode()), True
    if not value.isascii():
        value = unicodedata.normalize("NFKC", value)
        # Address books wrap numbers in invisible direction marks.
        value = "".join(each for each in value if unicodedata.category(each) != "Cf")
    value = _LABEL.sub("", value.strip(), count=1) if value[:1].isalpha() else value.strip()
    international = _INTERNATIONAL.match(value) is not None
    value = _EXTENSION.sub("", value)
    if international:
        value = _TRUNK_ZERO.sub(r"\1", value, count=1)
    if any(character.isalpha() for character in value):
        raise Unusable("is not a phone number")
    digits = _NOT_DIGITS.sub("", value)
    if international:
        return _checked(digits.lstrip("0")), True
    significant = digits.lstrip("0")
    if region and len(digits) <= _MAX_DIGITS and significant:
        completed = _complete(digits, region.upper())
        if completed:
            return _checked(completed), True
    return _checked(significant), False


def _checked(digits: str) -> str:
    if not _MIN_DIGITS <= len(digits) <= _MAX_DIGITS:
        raise Unusable("does not have the length of a phone number")
    return digits


# Bounded small: the numbers of the visitors of the moment, who make several events each.
@functools.lru_cache(maxsize=512)
def _complete(digits: str, region: str) -> str | None:
    """Put the country code before a national number of a region; None when it is not one."""
    # Costs 30 ms to import and 30 us a number, so only for numbers that need it.
    with unforked():
        import phonenumbers  # noqa: PLC0415

    possible = None
    for text, home in ((digits, region), ("+" + digits.lstrip("0"), None)):
        try:
            number = phonenumbers.parse(text, home)
        except phonenumbers.NumberParseException:
            continue
        national = phonenumbers.national_significant_number(number)
        if phonenumbers.is_valid_number(number):
            return f"{number.country_code}{national}"
        if home and phonenumbers.is_possible_number(number):
            possible = f"{number.country_code}{national}"
    return possible
