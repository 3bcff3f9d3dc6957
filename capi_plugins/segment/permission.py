"""Whether a message may be used: ``integrations``, consent categories, Limited Data Use."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from capi_plugins.consent import Consent
from capi_plugins.segment.message import Message, flag, folded, text
from capi_plugins.segment.options import Options
from capi_plugins.segment.spec import fold

_ABOUT_ADVERTISING = ("advertis", "marketing", "target", "adstorage", "aduserdata", "c0004")
_PARTS = 3


def refusal(message: Message, options: Options) -> str | None:
    """Return why ``integrations`` keeps a message from here, or None.

    Args:
        message: The message.
        options: The names this destination goes by.
    """
    given = message.raw.get("integrations")
    if given is None:
        return None
    if not isinstance(given, Mapping):
        return "integrations: is false" if flag(given) is False else None
    everyone = True
    named: bool | None = None
    for name, value in given.items():
        key = fold(str(name))
        answer = flag(value)
        if key == "all":
            everyone = answer is not False
        elif key in options.integrations:
            # Options in place of a truth value mean yes; of two names, a no counts.
            named = answer is not False and named is not False
    if named is False:
        return "integrations: this destination is switched off"
    if named is None and not everyone:
        return "integrations: All is false, and this destination is not named"
    return None


def consent(message: Message, options: Options) -> Consent | None:
    """Return what the message says of consent to advertising; None when it says nothing.

    Source: Segment's ``context.consent.categoryPreferences``; RudderStack's
    ``context.consentManagement``.
    """
    answers: list[bool] = []
    missing = set(options.consent_categories)
    for category, answer in _preferences(message):
        if options.consent_categories:
            if category in options.consent_categories:
                answers.append(answer)
                missing.discard(category)
        elif category == "" or any(word in category for word in _ABOUT_ADVERTISING):
            answers.append(answer)
    if not all(answers) or (missing and _says_something(message)):
        return Consent.DENIED
    return Consent.GRANTED if answers else None


def _says_something(message: Message) -> bool:
    return any(True for _ in _preferences(message))


def _preferences(message: Message) -> Iterator[tuple[str, bool]]:
    """Give each category, folded, and whether it was agreed to.

    What cannot be read is a category without a name that was refused.
    """
    for place, name in (("consent", "categorypreferences"), ("consentmanagement", "")):
        given = message.context.get(place)
        if given is None:
            continue
        found = folded(given)
        if not isinstance(given, Mapping):
            yield "", False
        elif name and name in found:
            yield from _pairs(found[name])
        else:
            yield from ((fold(item), True) for item in _listed(found.get("allowedconsentids")))
            yield from ((fold(item), False) for item in _listed(found.get("deniedconsentids")))


def _pairs(given: object) -> Iterator[tuple[str, bool]]:
    if not isinstance(given, Mapping):
        yield "", False
        return
    for name, value in given.items():
        yield fold(str(name)), flag(value) is True


def _listed(given: object) -> Iterable[str]:
    if isinstance(given, Mapping):
        return [str(name) for name, value in given.items() if flag(value) is True]
    return [str(item) for item in given] if isinstance(given, list | tuple) else []


def limited_data_use(message: Message, options: Options) -> dict[str, Any]:
    """Return the event's fields for Limited Data Use, empty when nothing asks for it.

    Source: RudderStack's ``context.dataProcessingOptions`` as ``[["LDU"], 1, 1000]``, Segment's
    ``integrations["Facebook Conversions"].dataProcessingOptions``, Meta's own names anywhere.
    """
    asked, country, state = _asked(message, options.integrations)
    if options.limited_data_use:
        asked = True
    if asked is None:
        return {}
    if not asked:
        return {"data_processing_options": []}
    fields: dict[str, Any] = {"data_processing_options": ["LDU"]}
    for name, value in (("country", country), ("state", state)):
        code = text(value)
        if code is not None and code.isascii() and code.isdigit():
            fields[f"data_processing_options_{name}"] = int(code)
    return fields


def _asked(message: Message, names: Collection[str]) -> tuple[bool | None, Any, Any]:
    given = message.find("dataprocessingoptions", "limiteddatause", "ldu")
    if given is None:
        for name, value in folded(message.raw.get("integrations")).items():
            if name in names and isinstance(value, Mapping):
                given = folded(value).get("dataprocessingoptions")
    country = message.find("dataprocessingoptionscountry")
    state = message.find("dataprocessingoptionsstate")
    if isinstance(given, list | tuple):
        parts = [*given, None, None]
        if len(given) == _PARTS:
            country = parts[1] if country is None else country
            state = parts[2] if state is None else state
        words = parts[0] if isinstance(parts[0], list | tuple) else given[:1]
        # An empty list is Meta's own way to say: no limit.
        return bool(words), country, state
    if given is None:
        return None, country, state
    # Whoever writes something that is no clear no wants less use of the data.
    return flag(given) is not False, country, state
