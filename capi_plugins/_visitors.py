"""Who made a request: the keys by which one visitor is told from others."""

from __future__ import annotations

import re
import secrets

from capi_plugins.context import RequestContext
from capi_plugins.context_store import key_of
from capi_plugins.events import Event

VISIT = "capi_visit"
"""Name of the cookie of a visitor whose events are held and whom nothing else tells from others."""
_VISIT_VALUE = re.compile(r"[0-9a-f]{32}")
_LONGEST_SESSION_KEY = 128
# A session is made anew when somebody signs in, and a user has several browsers.
_LASTING_FIRST = ("visit", "fbp", "session", "user")


def look_of(context: RequestContext) -> Event:
    """Make the event that plugins are asked about where none has happened: a look at the page.

    Args:
        context: The visitor's request.
    """
    return Event(event_name="PageView", user_data=context.user)


def user_keys(external_id: object) -> list[str]:
    """Return the keys of a signed-in user.

    Args:
        external_id: What ``USER_DATA`` found; one value or several.
    """
    several = external_id if isinstance(external_id, list | tuple) else [external_id]
    return [key_of("user", value) for value in several if value is not None and value != ""]


def visitor_keys(context: RequestContext) -> dict[str, str]:
    """Return the keys of a visitor by kind (``user``, ``session``, ``fbp``), as far as there are.

    Args:
        context: The visitor's request.
    """
    found: dict[str, str] = {}
    for key in user_keys(context.user.external_id):
        found.setdefault("user", key)
    session, fbp = context.session_key, context.cookies.get("_fbp")
    if session and len(session) <= _LONGEST_SESSION_KEY:
        found["session"] = key_of("session", session)
    if fbp:
        found["fbp"] = key_of("fbp", fbp)
    return found


def holder_keys(context: RequestContext) -> list[str]:
    """Return the keys under which events of a visitor are held: under the first, found by all.

    An address is none of them: people share it, with the same browser too.

    Args:
        context: The visitor's request.
    """
    found = visitor_keys(context)
    visit = context.cookies.get(VISIT, "")
    if _VISIT_VALUE.fullmatch(visit):
        found["visit"] = key_of("visit", visit)
    return [found[kind] for kind in _LASTING_FIRST if kind in found]


def new_visit() -> str:
    """Make a value for the cookie: it says nothing of the visitor."""
    return secrets.token_hex(16)
