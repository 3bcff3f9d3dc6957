"""Flask-Security: one ``CompleteRegistration`` for each user who can log in.

Where an address has to be confirmed (``SECURITY_CONFIRMABLE``) before somebody can log in, a user
counts when that is done.
Both signals are sent before the commit; a registration that is rolled back is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from capi_plugins import hookimpl
from capi_plugins.settings import Settings


@hookimpl
def capi_triggers(settings: Settings) -> Sequence[Mapping[str, Any]]:
    """Offer the triggers."""
    waits, goes_on = "config.SECURITY_CONFIRMABLE", "config.SECURITY_LOGIN_WITHOUT_CONFIRMATION"
    no = [False, {"EMPTY": True}]
    moments: list[tuple[str, dict[str, Any]]] = [
        ("user_registered", {waits: no}),
        ("user_registered", {waits: True, goes_on: True}),
        ("user_confirmed", {waits: True, goes_on: no}),
    ]
    return [
        {
            "ON": "signal",
            "SIGNAL": f"flask_security.signals.{moment}",
            "WHEN": when,
            "EVENT": "CompleteRegistration",
            "EVENT_ID": "user.id",
            "USER_DATA": settings.user_paths("user"),
            "CUSTOM_DATA": {"status": {"VALUE": "completed"}},
        }
        for moment, when in moments
    ]
