"""City, state, post code and country in the form Meta hashes.

Source: Meta's page *Customer Information Parameters*. Canadian provinces become two letters as in
Meta's parameter builder.
"""

from __future__ import annotations

import functools
import importlib.resources
import re

import orjson

from capi_plugins.destinations.meta.normalize import letters
from capi_plugins.destinations.meta.scalars import Unusable

COUNTRIES = frozenset(
    """
    ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bl bm bn bo bq br bs
    bt bv bw by bz ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee
    eg eh er es et fi fj fk fm fo fr ga gb gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm
    hn hr ht hu id ie il im in io iq ir is it je jm jo jp ke kg kh ki km kn kp kr kw ky kz la lb lc
    li lk lr ls lt lu lv ly ma mc md me mf mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx my mz na
    nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw
    sa sb sc sd se sg sh si sj sk sl sm sn so sr ss st sv sx sy sz tc td tf tg th tj tk tl tm tn to
    tr tt tv tw tz ua ug um us uy uz va vc ve vg vi vn vu wf ws xk ye yt za zm zw
    """.split()  # noqa: SIM905 - a table, not a list of lines
)
"""ISO 3166-1 alpha-2, and ``xk`` (Kosovo), which everybody uses."""

_ALIASES = {"uk": "gb", "el": "gr"}
_US_POSTAL = frozenset(["us", "pr", "vi", "gu", "as", "mp", "um"])
_US_STATES = {
    "alabama": "al",
    "alaska": "ak",
    "americansamoa": "as",
    "arizona": "az",
    "arkansas": "ar",
    "california": "ca",
    "colorado": "co",
    "connecticut": "ct",
    "delaware": "de",
    "districtofcolumbia": "dc",
    "washingtondc": "dc",
    "florida": "fl",
    "georgia": "ga",
    "guam": "gu",
    "hawaii": "hi",
    "idaho": "id",
    "illinois": "il",
    "indiana": "in",
    "iowa": "ia",
    "kansas": "ks",
    "kentucky": "ky",
    "louisiana": "la",
    "maine": "me",
    "maryland": "md",
    "massachusetts": "ma",
    "michigan": "mi",
    "minnesota": "mn",
    "mississippi": "ms",
    "missouri": "mo",
    "montana": "mt",
    "nebraska": "ne",
    "nevada": "nv",
    "newhampshire": "nh",
    "newjersey": "nj",
    "newmexico": "nm",
    "newyork": "ny",
    "northcarolina": "nc",
    "northdakota": "nd",
    "northernmarianaislands": "mp",
    "ohio": "oh",
    "oklahoma": "ok",
    "oregon": "or",
    "pennsylvania": "pa",
    "puertorico": "pr",
    "rhodeisland": "ri",
    "southcarolina": "sc",
    "southdakota": "sd",
    "tennessee": "tn",
    "texas": "tx",
    "usvirginislands": "vi",
    "utah": "ut",
    "vermont": "vt",
    "virginia": "va",
    "washington": "wa",
    "westvirginia": "wv",
    "wisconsin": "wi",
    "wyoming": "wy",
}
_MILITARY = ("aa", "ae", "ap")
_PROVINCES = {
    "alberta": "ab",
    "britishcolumbia": "bc",
    "colombiebritannique": "bc",
    "manitoba": "mb",
    "newbrunswick": "nb",
    "nouveaubrunswick": "nb",
    "newfoundland": "nl",
    "newfoundlandandlabrador": "nl",
    "terreneuveetlabrador": "nl",
    "northwestterritories": "nt",
    "novascotia": "ns",
    "nouvelleécosse": "ns",
    "nunavut": "nu",
    "ontario": "on",
    "princeedwardisland": "pe",
    "quebec": "qc",
    "québec": "qc",
    "saskatchewan": "sk",
    "yukon": "yt",
}
_STATES = {"us": _US_STATES, "ca": _PROVINCES, None: {**_PROVINCES, **_US_STATES}}
_STATE_CODES = {
    "us": frozenset([*_US_STATES.values(), *_MILITARY]),
    "ca": frozenset(_PROVINCES.values()),
}
_SUBDIVISION = re.compile(r"\s*([A-Za-z]{2})\s*-\s*(\w+)\s*")
_US_ZIP = re.compile(r"(\d{5})(?:[\s-]?\d{4})?", re.ASCII)
_ZIP_PLUS_4 = re.compile(r"(\d{5})-\d{4}", re.ASCII)
_LONGEST_ZIP = 12


def city(value: str) -> str:
    """Lower a city, without punctuation, digits and spaces."""
    return letters(value)


def state(value: str, country_code: str | None = None) -> str:
    """Bring a state to two letters in the USA and Canada, elsewhere to bare letters.

    Args:
        value: A name or a code; ISO 3166-2 (``US-NY``) is understood.
        country_code: The country it lies in, alpha-2, if known.

    Raises:
        Unusable: No letter is left, or the USA or Canada have no such state.
    """
    if match := _SUBDIVISION.fullmatch(value):
        prefix = match[1].lower()
        if prefix == country_code or (country_code is None and prefix in ("us", "ca")):
            value, country_code = match[2], prefix
    text = letters(value)
    names = _STATES.get(country_code)
    if names is None:
        return text
    code = names.get(text) or names.get(text.removeprefix("stateof"))
    if code is not None:
        return code
    known = _STATE_CODES.get(country_code or "")
    if known is not None and text not in known:
        raise Unusable("is no state of that country")
    return text


def zip_code(value: str, country_code: str | None = None) -> str:
    """Lower a post code, without spaces and dashes; five digits in the USA.

    Args:
        value: The post code.
        country_code: The country it lies in, alpha-2, if known.

    Raises:
        Unusable: It has no digit, or cannot be a post code of that country.
    """
    text = value.strip().lower()
    if country_code in _US_POSTAL:
        match = _US_ZIP.fullmatch(text)
        if match is not None:
            return match[1]
        # Spreadsheets drop the leading zeros of New England.
        if text.isascii() and text.isdigit() and 3 <= len(text) <= 4:  # noqa: PLR2004
            return text.zfill(5)
        raise Unusable("is no ZIP code of five digits")
    if country_code is None and (match := _ZIP_PLUS_4.fullmatch(text)):
        return match[1]
    result = "".join(filter(str.isalnum, text))
    if text.startswith("-") or len(result) > _LONGEST_ZIP or not any(map(str.isdigit, result)):
        raise Unusable("is no post code")
    return result


def country(value: str) -> str:
    """Bring a country to its ISO 3166-1 alpha-2 code in lower case.

    Args:
        value: A code (two or three letters) or a name, in one of many languages.

    Raises:
        Unusable: No country is known by it.
    """
    text = letters(value)
    text = _ALIASES.get(text, text)
    if text in COUNTRIES:
        return text
    # An unknown pair of letters is no name; 中国 is one.
    code = None if text.isascii() and len(text) == 2 else _names().get(text)  # noqa: PLR2004
    if code is None:
        raise Unusable("is no country: use the two-letter code")
    return code


@functools.cache
def _names() -> dict[str, str]:
    # 250 kB that shops which store codes never need.
    file = importlib.resources.files("capi_plugins.destinations.meta") / "country_names.json"
    names: dict[str, str] = orjson.loads(file.read_bytes())["names"]
    return names
