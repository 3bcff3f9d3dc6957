"""Sources that settings describe: any cookie, any header, and a host's own function."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from capi_plugins.builtin.consent.banners import Reader
from capi_plugins.builtin.consent.formats import at_path, layers, read_json, read_pairs
from capi_plugins.consent import Consent
from capi_plugins.context import RequestContext
from capi_plugins.settings import Section, suggest

_GRANTED = (True, 1, "yes", "y", "on", "allow", "allowed", "accept", "accepted", "granted")
_DENIED = (False, 0, "no", "n", "off", "deny", "denied", "reject", "rejected", "refused")


def described(section: Section) -> Reader:
    """A cookie or header, its format, where in it the answer is, and what it may say.

    ``{"COOKIE": "choices", "FORMAT": "json", "PATH": "ads", "GRANTED": [True], "DENIED": [False]}``
    """
    cookie = section.take("COOKIE", str)
    header = section.take("HEADER", str)
    if (cookie is None) == (header is None):
        section.problems.append(f"{section.path} must name one of 'SOURCE', 'COOKIE' and 'HEADER'")
    find = _finder(section)
    granted = _words(section.take("GRANTED", (list, tuple, str, bool, int), _GRANTED))
    denied = _words(section.take("DENIED", (list, tuple, str, bool, int), _DENIED))

    def read(context: RequestContext) -> Consent | None:
        value = (
            context.headers.get((header or "").lower())
            if cookie is None
            else context.cookies.get(cookie)
        )
        return None if value is None else _answer(find(value), granted, denied)

    return read


def _answer(found: Any, granted: frozenset[str], denied: frozenset[str]) -> Consent | None:
    if isinstance(found, list):
        # A list of what was accepted: what is missing in it was not.
        accepted = {_word(item) for item in found}
        return Consent.GRANTED if accepted & granted else Consent.DENIED
    word = _word(found)
    if word in denied:
        return Consent.DENIED
    return Consent.GRANTED if word in granted else None


def _finder(section: Section) -> Callable[[str], Any]:
    kind = section.take("FORMAT", str, "plain")
    path = section.take("PATH", str, "")
    if kind not in _FORMATS:
        section.wrong("FORMAT", f"{kind!r} is not a format; {suggest(kind, _FORMATS)}")
        kind = "plain"
    if kind in ("pairs", "query", "regex") and not path:
        section.wrong("PATH", f"is required with the format {kind!r}")
    if kind == "regex":
        try:
            pattern = re.compile(path)
        except re.error as error:
            section.wrong("PATH", f"is not a regular expression: {error}")
        else:
            return lambda value: _match(pattern, value)
    return lambda value: _FORMATS[kind](value, path)


def _plain(value: str, _: str) -> str:
    *_rest, text = layers(value)
    return text


def _json(value: str, path: str) -> Any:
    return at_path(read_json(value), path)


def _pairs(value: str, path: str) -> str | None:
    for text in layers(value):
        found = read_pairs(text, r"[,;|&]", r"[:=]")
        if path in found:
            return found[path]
    return None


def _query(value: str, path: str) -> str | None:
    for text in layers(value):
        found = read_pairs(text, "&", "=")
        if path in found:
            *_rest, answer = layers(found[path])
            return answer
    return None


def _match(pattern: re.Pattern[str], value: str) -> str | None:
    for text in layers(value):
        if match := pattern.search(text):
            return match[1] if pattern.groups else match[0]
    return None


_FORMATS: dict[str, Callable[[str, str], Any]] = {
    "plain": _plain,
    "json": _json,
    "pairs": _pairs,
    "query": _query,
    "regex": _plain,
}


def _words(values: object) -> frozenset[str]:
    items: Iterable[object] = values if isinstance(values, list | tuple) else (values,)
    return frozenset(_word(item) for item in items)


def _word(value: object) -> str:
    """Write a value the way a cookie would: true, 1, yes."""
    if isinstance(value, str):
        return value.strip().lower()
    try:
        return json.dumps(value)
    except (TypeError, ValueError):
        return ""


def function(path: str, section: Section) -> Reader:
    """A host's function, by dotted path: a context in; a ``Consent``, a bool or None out."""
    module, _, name = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
        if not callable(found):
            raise TypeError(f"{name!r} cannot be called")  # noqa: TRY301
    except Exception as error:
        section.problems.append(f"{section.path} {path!r} cannot be imported: {error}")
        return lambda _: None

    def read(context: RequestContext) -> Consent | None:
        answer = found(context)
        if isinstance(answer, bool):
            return Consent.GRANTED if answer else Consent.DENIED
        if answer is None or isinstance(answer, Consent):
            return answer
        # The pipeline takes this for a refusal, and the log names the plugin.
        raise TypeError(f"consent source {path} must answer a Consent, a bool or None")

    return read
