"""What goes to the visitor's browser: cookies, and events that it sends as well."""

from __future__ import annotations

import base64
import binascii
import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import attrs
import orjson

_log = logging.getLogger("capi_plugins.browser")

CARRIER = "capi_events"
"""Name of the cookie that takes events past an answer that shows no page, such as a redirect."""
CARRIED_SECONDS = 120
"""How long it waits for the next page."""
MARK = "<!-- capi-pixel -->"
"""Where a page wants the code; without it the code stands at the end of the head."""

TWIN = "Capi-Twin"
"""Header by which a page is told that the server sends its event: the page may send it too."""

_MOST_CARRIED = 3500
_NAME = re.compile(r"[\w .:/-]{1,100}")
_ID = re.compile(r"[\x21-\x7e]{1,200}")
_NONCE = re.compile(r"'nonce-([A-Za-z0-9+/_-]+={0,2})'")
_UNTOUCHED = re.compile(r"\b(?:public|s-maxage|no-transform|immutable)\b", re.IGNORECASE)
_SCRIPT = str.maketrans(
    {"<": r"\u003c", ">": r"\u003e", "&": r"\u0026", "\u2028": r"\u2028", "\u2029": r"\u2029"}
)


@attrs.frozen(kw_only=True)
class Cookie:
    """A cookie to be set; always ``Path=/`` and ``SameSite=Lax``.

    Attributes:
        name: Its name.
        value: Its value; empty with ``max_age`` 0: it is taken away.
        domain: Domain it belongs to; None: the host alone.
        max_age: Seconds it is kept.
        secure: Whether it travels over HTTPS only.
        http_only: Whether scripts of the page cannot read it.
    """

    name: str
    value: str = attrs.field(repr=False)
    domain: str | None = None
    max_age: int
    secure: bool = False
    http_only: bool = False
    path: Literal["/"] = "/"
    samesite: Literal["Lax"] = "Lax"

    def arguments(self) -> dict[str, Any]:
        """Return what ``set_cookie`` of Django and of Flask takes, by name."""
        return {
            "key": self.name,
            "value": self.value,
            "max_age": self.max_age,
            "path": self.path,
            "domain": self.domain,
            "secure": self.secure,
            "httponly": self.http_only,
            "samesite": self.samesite,
        }


@attrs.frozen(kw_only=True)
class BrowserEvent:
    """An event that the server sends, for the browser to send as well.

    Attributes:
        destination: Name of the destination.
        event_name: As the server sends it.
        event_id: As the server sends it, so that one of the two is dropped.
        custom_data: As the server sends it; it holds nothing of the person.
    """

    destination: str
    event_name: str
    event_id: str
    custom_data: Mapping[str, Any] = attrs.field(factory=dict, repr=False)


def carried(events: Sequence[BrowserEvent]) -> str:
    """Write events into the value of the cookie; the oldest are left out when it gets too long.

    Args:
        events: The events, the oldest first.
    """
    kept: list[tuple[str, str, str, Mapping[str, Any]]] = []
    text = ""
    for event in reversed(events):
        kept.insert(0, (event.destination, event.event_name, event.event_id, event.custom_data))
        # Without padding: frameworks put a value with "=" into quotes.
        longer = base64.urlsafe_b64encode(orjson.dumps(kept)).decode().rstrip("=")
        if len(longer) > _MOST_CARRIED:
            break
        text = longer
    return text


def uncarried(text: str) -> list[BrowserEvent]:
    """Read the events in the cookie; what is no such event is left out.

    Args:
        text: Value of the cookie, as received: anybody may have written it.
    """
    if not text or len(text) > _MOST_CARRIED:
        return []
    try:
        padded = text + "=" * (-len(text) % 4)
        items = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        return []
    found = []
    for item in items if isinstance(items, list) else ():
        match item:
            case [str(destination), str(name), str(event_id), dict(data)] if _NAME.fullmatch(
                name
            ) and _ID.fullmatch(event_id):
                found.append(
                    BrowserEvent(
                        destination=destination,
                        event_name=name,
                        event_id=event_id,
                        custom_data=data,
                    )
                )
    return found


def in_script(value: object) -> str:
    """Write a value as JavaScript that may stand inside a ``<script>`` element.

    Args:
        value: JSON types.
    """
    return orjson.dumps(value).decode().translate(_SCRIPT)


def may_change(headers: Mapping[str, str]) -> bool:
    """Whether an answer may differ from visitor to visitor: no shared cache keeps it.

    Args:
        headers: Header names in lower case and their values.
    """
    return not _UNTOUCHED.search(headers.get("cache-control", ""))


def may_place(headers: Mapping[str, str]) -> bool:
    """Whether code may be put into the body of an answer: plain HTML, made for this visitor.

    Args:
        headers: Header names in lower case and their values.
    """
    return (
        may_change(headers)
        and headers.get("content-type", "").partition(";")[0].strip().lower() == "text/html"
        and "content-encoding" not in headers
        and "etag" not in headers
        and "attachment" not in headers.get("content-disposition", "").lower()
    )


def nonce_of(policy: str) -> str | None:
    """Find the nonce that a ``Content-Security-Policy`` gives to scripts."""
    found = _NONCE.search(_scripts(policy))
    return found[1] if found else None


def forbids_inline(policy: str) -> bool:
    """Whether a ``Content-Security-Policy`` lets no script without a nonce stand in the page."""
    scripts = _scripts(policy)
    strict = any(word in scripts for word in ("'nonce-", "'sha256-", "'sha384-", "'sha512-"))
    return bool(scripts) and (strict or "'unsafe-inline'" not in scripts)


def _scripts(policy: str) -> str:
    """The sources of scripts in a policy; empty: it does not say."""
    said: dict[str, str] = {}
    for directive in policy.split(";"):
        name, _, sources = directive.strip().partition(" ")
        said.setdefault(name.lower(), sources.strip() or "'none'")
    for name in ("script-src-elem", "script-src", "default-src"):
        if name in said:
            return said[name]
    return ""


def script_element(script: str, policy: str, nonce: str | None) -> str | None:
    """Write the element of a script; None where the page's policy lets none stand there.

    Args:
        script: JavaScript.
        policy: The ``Content-Security-Policy`` of the page; empty: none.
        nonce: The nonce of the policy, if it is known.
    """
    if nonce is None and forbids_inline(policy):
        _log.warning("the pixel is left out of pages: their Content-Security-Policy has no nonce")
        return None
    attribute = f' nonce="{nonce}"' if nonce else ""
    return f"<script{attribute}>{script}</script>"


def placed(page: bytes, element: bytes) -> bytes | None:
    """Put an element into a page: at its mark, else at the end of the head, else of the body.

    Args:
        page: The HTML.
        element: What to put there.

    Returns:
        The page, or None where there is no such place.
    """
    mark = MARK.encode()
    if mark in page:
        return page.replace(mark, element, 1)
    lower = page.lower()
    at = lower.find(b"</head>")
    if at < 0:
        at = lower.rfind(b"</body>")
    return None if at < 0 else page[:at] + element + page[at:]
