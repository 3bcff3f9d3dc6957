"""Reading what banners write: layers of encoding, JSON, lists of pairs, base64.

Everything here comes from a visitor's browser. What cannot be read is None, never an exception.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

_ESCAPE = re.compile(r"\\(?:([0-3][0-7]{2})|(.))", re.DOTALL)


def layers(value: str) -> Iterator[str]:
    """Give a value as received, percent-decoded once, and percent-decoded twice.

    Different servers and scripts encode the same cookie differently often. A plus sign stays one.
    Quotation marks around the whole value, as Python's own cookies have them, come off first.

    Args:
        value: A cookie or header as received.
    """
    value = _unquoted(value.strip())
    yield value
    for _ in range(2):
        decoded = unquote(value)
        if decoded == value:
            return
        value = decoded
        yield value


def _unquoted(value: str) -> str:
    if len(value) < 2 or value[0] != '"' or value[-1] != '"':  # noqa: PLR2004 - two marks
        return value
    return _ESCAPE.sub(
        lambda match: chr(int(match[1], 8)) if match[1] else match[2],
        value[1:-1],
    )


def read_json(value: str) -> Any:
    """Read JSON in whichever layer it is; None when there is none."""
    # A JSON text may stand in quotation marks of its own, which are then not the cookie's.
    for text in (value, *layers(value)):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if not isinstance(found, str):
            return found
        if found != text and (inner := read_json(found)) is not None:
            return inner
    return None


def read_base64_json(value: str) -> Any:
    """Read JSON in base64, of either alphabet, padded or not; None when there is none."""
    for text in layers(value):
        data = decode_base64(text)
        if data is not None:
            return read_json(data.decode("utf-8", "replace"))
    return None


def decode_base64(text: str) -> bytes | None:
    """Decode base64 of either alphabet, padded or not; None when it is none."""
    text = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def read_bits(text: str) -> str | None:
    """Read one section of an IAB string as text of zeros and ones; None when it is none.

    These strings use six bits for each character and are not always whole bytes, so they are not
    quite base64.

    Args:
        text: Characters of the URL-safe alphabet.
    """
    try:
        return "".join(_SIX_BITS[character] for character in text.rstrip("="))
    except KeyError:
        return None


_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_SIX_BITS = {character: f"{number:06b}" for number, character in enumerate(_ALPHABET)}


def read_pairs(value: str, between: str, inside: str) -> dict[str, str]:
    """Read a list of pairs; the first value of a name counts.

    Args:
        value: Text in one layer.
        between: Pattern of what stands between pairs.
        inside: Pattern of what stands inside a pair.
    """
    found: dict[str, str] = {}
    for pair in re.split(between, value):
        parts = re.split(inside, pair, maxsplit=1)
        if len(parts) > 1:
            found.setdefault(parts[0].strip(), parts[1].strip())
    return found


def at_path(value: Any, path: str) -> Any:
    """Follow names joined by dots through mappings and lists; None when it leads nowhere."""
    for step in path.split(".") if path else ():
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value
