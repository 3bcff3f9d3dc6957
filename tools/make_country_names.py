"""Write ``country_names.json``: names and three-letter codes of countries to two-letter codes.

Run by hand when Unicode CLDR has a new release::

    pip install babel pycountry
    python tools/make_country_names.py

The file holds facts only: names of countries from Unicode CLDR (by Babel) and codes of ISO 3166
(by pycountry), each lowered and without spaces and punctuation, as
`capi_plugins.destinations.meta.normalize.letters` leaves them.
"""

from __future__ import annotations

import json
import pathlib
import unicodedata
from importlib.metadata import version

import pycountry
from babel import Locale, UnknownLocaleError
from babel.languages import get_official_languages

from capi_plugins.destinations.meta.normalize import letters
from capi_plugins.destinations.meta.places import COUNTRIES
from capi_plugins.destinations.meta.scalars import Unusable

FILE = "capi_plugins/destinations/meta/country_names.json"
# Languages in which a shop lists all countries; every other one names its own countries only.
LANGUAGES = """
    en de fr es it pt nl pl ru uk tr sv da nb nn fi cs sk hu ro bg el hr sr sl et lv lt
    ar he fa hi bn id ms vi th ja ko zh zh_Hant ca eu gl is ga mk sq bs
""".split()  # noqa: SIM905 - a table, not a list of lines
# What people write and neither source has.
ALIASES = {
    "america": "us",
    "theunitedstates": "us",
    "unitedstatesofamericausa": "us",
    "england": "gb",
    "scotland": "gb",
    "wales": "gb",
    "northernireland": "gb",
    "greatbritain": "gb",
    "britain": "gb",
    "holland": "nl",
    "russia": "ru",
    "burma": "mm",
    "swaziland": "sz",
    "macedonia": "mk",
    "capeverde": "cv",
    "ivorycoast": "ci",
    "easttimor": "tl",
    "vatican": "va",
    "vaticancity": "va",
    "czechrepublic": "cz",
    "tschechischerepublik": "cz",
    "républiquetchèque": "cz",
    "uae": "ae",
    "prc": "cn",
    "drc": "cd",
    "macau": "mo",
    "palestine": "ps",
    "kosovo": "xk",
    "turkey": "tr",
    "korea": "kr",
    "republicofkorea": "kr",
    "großbritannien": "gb",
    "grossbritannien": "gb",
    "grandebretagne": "gb",
    "granbretaña": "gb",
    "granbretagna": "gb",
    "grootbrittannië": "gb",
}


def key(text: str) -> str | None:
    """Bring a name to the form it is looked up by; None for codes and what has no letters."""
    try:
        result = letters(text)
    except Unusable:
        return None
    return result if len(result) > len("us") or not result.isascii() else None


def plain(text: str) -> str:
    """Leave the accents out, as many people do."""
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def codes() -> dict[str, str]:
    """Everything ISO 3166 says in English."""
    names: dict[str, str] = {}
    for country in pycountry.countries:
        code = country.alpha_2.lower()
        for attribute in ("alpha_3", "name", "official_name", "common_name"):
            if text := key(getattr(country, attribute, "")):
                names.setdefault(text, code)
    return names


def add_locale(names: dict[str, str], locale: str, *, only: str | None = None) -> None:
    """Add the names of one language; a name two languages use differently is left out."""
    for territory, name in Locale.parse(locale).territories.items():
        code = territory.lower()
        if code not in COUNTRIES or (only and code != only):
            continue
        for spelling in (name, plain(name)):
            if text := key(spelling):
                names[text] = "" if names.get(text, code) != code else code


def main() -> None:
    """Collect and write; English and ISO 3166 win over other languages."""
    english = codes() | ALIASES
    add_locale(english, "en")
    for name, code in list(english.items()):
        english.setdefault("the" + name, code)
    others: dict[str, str] = {}
    for locale in LANGUAGES:
        add_locale(others, locale)
    for code in sorted(COUNTRIES):
        for language in get_official_languages(code.upper(), regional=True, de_facto=True):
            try:
                add_locale(others, language, only=code)
            except UnknownLocaleError:
                continue
    names = {name: code for name, code in (others | english).items() if code}
    document = {
        "source": f"Unicode CLDR by Babel {version('babel')}, ISO 3166 by pycountry "
        f"{version('pycountry')}; written by tools/make_country_names.py",
        "names": dict(sorted(names.items())),
    }
    text = json.dumps(document, ensure_ascii=False, indent=0, separators=(",", ":"))
    pathlib.Path(FILE).write_text(text + "\n", encoding="utf-8")
    print(f"{len(names)} names, {len(text) // 1024} kB")


if __name__ == "__main__":
    main()
