"""Flask-Login: a custom event ``Login``, because Meta has no standard one.

Flask-Security signs in through Flask-Login, so its logins are these too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from capi_plugins import hookimpl
from capi_plugins.settings import Settings

_NO_STAFF = {
    "user.is_staff": [False, {"EMPTY": True}],
    "user.is_admin": [False, {"EMPTY": True}],
    # Roles of Flask-Security's users; who works for the host has hardly more.
    **{f"user.roles.{n}.name": {"NOT": ["admin", "staff", "superuser"]} for n in range(3)},
}


@hookimpl
def capi_triggers(settings: Settings) -> Sequence[Mapping[str, Any]]:
    """Offer the trigger."""
    return [
        {
            "ON": "signal",
            "SIGNAL": "flask_login.signals.user_logged_in",
            "WHEN": _NO_STAFF if settings.exclude.staff else {},
            "EVENT": "Login",
            "USER_DATA": settings.user_paths("user"),
        }
    ]
