"""What must not travel in clear: contact data among properties, in texts and in addresses."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from capi_plugins.builtin.request_data import without_secrets
from capi_plugins.events import UserData
from capi_plugins.segment.personal_names import is_personal_name

_EMAIL = re.compile(r"[^\s@\uff20][@\uff20][^\s@\uff20]|%(?:25)*40", re.IGNORECASE)
_WORD = re.compile(r"\w+")
_DEEPEST = 5
_FEWEST_DIGITS = 7


def has_email(value: str) -> bool:
    """Whether there is an e-mail address in a text, percent-encoded or not."""
    return ("@" in value or "40" in value or not value.isascii()) and (
        _EMAIL.search(value) is not None
    )


def without_emails(value: str) -> str:
    """Take the words out of a text that hold an e-mail address."""
    if not has_email(value):
        return value
    return " ".join(word for word in value.split() if not has_email(word))


def clean_url(url: str) -> str:
    """Take contact data and secrets out of an absolute URL: its query, path and credentials."""
    url = without_secrets(url.partition("#")[0])
    if not has_email(url):
        return url
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    path, mark, query = path.partition("?")
    host = host.rpartition("@")[2]
    kept = "&".join(part for part in query.split("&") if not has_email(part))
    path = "/".join("" if has_email(segment) else segment for segment in path.split("/"))
    cleaned = scheme + separator + host + slash + path
    cleaned += mark + kept if kept else ""
    return "" if has_email(cleaned) else cleaned


class Person:
    """What is known of the person in clear, to find it again where it does not belong.

    Args:
        user: The match keys.
    """

    def __init__(self, user: UserData) -> None:
        names = [*_texts(user.first_name), *_texts(user.last_name)]
        found = [_words(name) for name in names]
        self._names = [name for name in found if len(name) > len(" x ")]
        # What a text that names the person must hold: cheaper to look for than words.
        self._parts = [name.split()[0] for name in self._names]
        self._whole = f" {' '.join(''.join(found).split())} " if len(names) > 1 else ""
        # A number is also written without its prefix.
        self._phones = [
            digits[-_FEWEST_DIGITS:]
            for phone in _texts(user.phone)
            if len(digits := _digits(phone)) >= _FEWEST_DIGITS
        ]

    def is_in(self, value: str) -> bool:
        """Whether a text is, or contains, a name or number of this person, or any e-mail."""
        if has_email(value):
            return True
        if self._may_be_named_in(value):
            words = _words(value)
            if any(name in words for name in self._names):
                return True
        return bool(self._phones) and self._has_phone(value)

    def is_named_by(self, value: str) -> bool:
        """Whether a text that is meant to be seen, a title, names this person all the same."""
        if has_email(value):
            return True
        if self._may_be_named_in(value):
            words = _words(value)
            if words in self._names or (self._whole and self._whole in words):
                return True
        return bool(self._phones) and self._has_phone(value)

    def _may_be_named_in(self, value: str) -> bool:
        return any(map(value.lower().__contains__, self._parts))

    def _has_phone(self, value: str) -> bool:
        if len(value) < _FEWEST_DIGITS or sum(map(str.isdigit, value)) < _FEWEST_DIGITS:
            return False
        digits = _digits(value)
        return any(phone in digits for phone in self._phones)


def clean(value: Any, is_personal_text: Callable[[str], bool], depth: int = _DEEPEST) -> Any:
    """Return a property without what is personal in it; None when nothing is left.

    Args:
        value: Any JSON value.
        is_personal_text: Judges a text.
        depth: How deep to look; what lies deeper is left out.
    """
    if isinstance(value, str):
        if value[:8].lower().startswith(("http://", "https://")):
            value = clean_url(value)
        return None if not value.strip() or is_personal_text(value) else value
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return None if is_personal_text(repr(value)) else value
    if depth <= 0:
        return None
    if isinstance(value, Mapping):
        kept = {
            key: found
            for key, item in value.items()
            if isinstance(key, str)
            and not is_personal_name(key)
            and not is_personal_text(key)
            and (found := clean(item, is_personal_text, depth - 1)) is not None
        }
        return kept or None
    if isinstance(value, list | tuple):
        items = [clean(item, is_personal_text, depth - 1) for item in value]
        return [item for item in items if item is not None] or None
    return None


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [item for item in value if isinstance(item, str)] if isinstance(value, Iterable) else []


def _words(value: str) -> str:
    return f" {' '.join(_WORD.findall(value.lower()))} "


def _digits(value: str) -> str:
    return "".join(filter(str.isdigit, value))
