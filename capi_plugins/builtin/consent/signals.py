"""Signals that browsers and consent frameworks send in a standard form: IAB strings, GPC, DNT."""

from __future__ import annotations

from collections.abc import Iterable

from capi_plugins.builtin.consent.banners import Reader, names
from capi_plugins.builtin.consent.formats import layers, read_bits
from capi_plugins.consent import Consent, strictest
from capi_plugins.context import RequestContext
from capi_plugins.settings import Section

_OPT_OUTS = ("denied", "limited")

# Section of a GPP string -> positions of its opt-outs (sale, sharing, targeted advertising) among
# the two-bit fields that follow the version. Source: IAB Tech Lab, Global Privacy Platform,
# "Sections", versions 1 of each.
_FOUR_NOTICES, _THREE_NOTICES = (4, 5), (3, 4)
_GPP_OPT_OUTS = {
    7: (6, 7, 8),  # US national
    8: (3, 4),  # California: sale and sharing
    11: _FOUR_NOTICES,  # Utah
    18: _FOUR_NOTICES,  # Iowa
    # Virginia, Colorado, Connecticut, Florida, Montana, Oregon, Texas, Delaware, Nebraska, New
    # Hampshire, New Jersey, Tennessee
    **dict.fromkeys((9, 10, 12, 13, 14, 15, 16, 17, 19, 20, 21, 22), _THREE_NOTICES),
}
_GPP_US_PRIVACY = 6
_OPTED_OUT, _NOT_OPTED_OUT = 1, 2


def opt_out(section: Section, default: Consent) -> Consent:
    """Take the option ``OPT_OUT``: what an opt-out means, ``"denied"`` or ``"limited"``."""
    value = section.take("OPT_OUT", str, default.value)
    if value not in _OPT_OUTS:
        section.wrong("OPT_OUT", "must be 'denied' or 'limited'")
        return default
    return Consent(value)


def gpc(section: Section) -> Reader:
    """Global Privacy Control: ``Sec-GPC: 1``. It can only refuse."""
    refused = opt_out(section, Consent.DENIED)
    return lambda context: refused if context.headers.get("sec-gpc", "").strip() == "1" else None


def dnt(section: Section) -> Reader:
    """Do Not Track: ``DNT: 1``. It can only refuse."""
    refused = opt_out(section, Consent.DENIED)
    return lambda context: refused if context.headers.get("dnt", "").strip() == "1" else None


def tcf(section: Section) -> Reader:
    """IAB Europe's TCF, version 2: consent to all of ``PURPOSES`` (default 1, 3, 4 and 7).

    Meta is no vendor of the framework, so vendors do not decide. Legitimate interest is no consent.

    Source: IAB Europe, *Consent string and vendor list formats v2*.
    """
    cookies = names(section, "COOKIE", ("euconsent-v2", "eupubconsent-v2"))
    purposes = section.take("PURPOSES", (list, tuple), (1, 3, 4, 7))
    if not purposes or not all(type(number) is int and 1 <= number <= 24 for number in purposes):  # noqa: PLR2004 - bits of the field
        section.wrong("PURPOSES", "must be a list of numbers of purposes, 1 to 24")
        purposes = (1, 3, 4, 7)

    def read(context: RequestContext) -> Consent | None:
        return strictest(
            _purposes(context.cookies[name], purposes)
            for name in cookies
            if name in context.cookies
        )

    return read


_TCF_VERSION = "000010"
_TCF_PURPOSES = 152
_TCF_PURPOSES_END = 176


def _purposes(value: str, wanted: Iterable[int]) -> Consent | None:
    for text in layers(value):
        bits = read_bits(text.partition(".")[0])
        if bits is None or len(bits) < _TCF_PURPOSES_END or not bits.startswith(_TCF_VERSION):
            continue
        given = all(bits[_TCF_PURPOSES + number - 1] == "1" for number in wanted)
        return Consent.GRANTED if given else Consent.DENIED
    return None


def usprivacy(section: Section) -> Reader:
    """IAB's US Privacy String: ``usprivacy``, such as ``1YNN``; the third character is the opt-out.

    A visitor who was told of the right to opt out and did not use it grants.
    """
    refused = opt_out(section, Consent.LIMITED)
    cookie = section.take("COOKIE", str, "usprivacy")
    return lambda context: _us_privacy(context.cookies.get(cookie, ""), refused)


def _us_privacy(value: str, refused: Consent) -> Consent | None:
    *_, text = layers(value)
    text = text.upper()
    if len(text) != 4 or text[0] != "1" or set(text[1:]) - set("YN-"):  # noqa: PLR2004 - 1YNN
        return None
    if text[2] == "Y":
        return refused
    return Consent.GRANTED if text[1:3] == "YN" else None


def gpp(section: Section) -> Reader:
    """IAB's Global Privacy Platform: the sections of the United States.

    Any opt-out of sale, sharing or targeted advertising counts, and the GPC flag inside. The
    European section is left to ``tcf``.
    """
    refused = opt_out(section, Consent.LIMITED)
    cookies = names(section, "COOKIE", ("__gpp", "gpp", "OTGPPConsent"))

    def read(context: RequestContext) -> Consent | None:
        return strictest(
            _gpp(context.cookies[name], refused) for name in cookies if name in context.cookies
        )

    return read


def _gpp(value: str, refused: Consent) -> Consent | None:
    for text in layers(value):
        header, *sections = text.split("~")
        bits = read_bits(header)
        numbers = _gpp_sections(bits) if bits is not None else None
        if numbers is not None and len(numbers) == len(sections):
            return strictest(
                _gpp_section(number, section, refused)
                for number, section in zip(numbers, sections, strict=True)
            )
    return None


def _gpp_section(number: int, text: str, refused: Consent) -> Consent | None:
    if number == _GPP_US_PRIVACY:
        return _us_privacy(text, refused)
    if number not in _GPP_OPT_OUTS:
        return None
    core, *others = (read_bits(part) or "" for part in text.split("."))
    # Two bits for the kind of part (1: GPC), one for the flag.
    if any(part.startswith("011") for part in others):
        return refused
    fields = [core[6 + 2 * at : 8 + 2 * at] for at in _GPP_OPT_OUTS[number]]
    answers = {int(field, 2) if len(field) == 2 else None for field in fields}  # noqa: PLR2004 - bits
    if _OPTED_OUT in answers:
        return refused
    return Consent.GRANTED if _NOT_OPTED_OUT in answers and None not in answers else None


_GPP_TYPE, _GPP_VERSION = "000011", "000001"
_MOST_SECTIONS = 100


def _gpp_sections(bits: str) -> list[int] | None:
    """Read the header of a GPP string: the numbers of its sections; None when it is none.

    They are a "Fibonacci range": twelve bits of count, then for each entry one bit (a range or a
    single number) and the distances from the number before, in Fibonacci coding.
    """
    if bits[:12] != _GPP_TYPE + _GPP_VERSION:
        return None
    count, at = int(bits[12:24] or "0", 2), 24
    found: list[int] = []
    last = 0
    for _ in range(count):
        is_range = bits[at : at + 1] == "1"
        at += 1
        start, at = _fibonacci(bits, at)
        end, at = _fibonacci(bits, at) if is_range else (0, at)
        if start is None or end is None or end > _MOST_SECTIONS or len(found) > _MOST_SECTIONS:
            return None
        found.extend(range(last + start, last + start + end + 1))
        last = found[-1]
    return found


def _fibonacci(bits: str, at: int) -> tuple[int | None, int]:
    """Read one number: each 1 adds its Fibonacci number, and two 1s in a row end it."""
    number, smaller, larger = 0, 1, 2
    previous = ""
    for position in range(at, len(bits)):
        bit = bits[position]
        if bit == previous == "1":
            return number, position + 1
        if bit == "1":
            number += smaller
        previous = bit
        smaller, larger = larger, smaller + larger
    return None, len(bits)
