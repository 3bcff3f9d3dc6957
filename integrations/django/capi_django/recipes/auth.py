"""``django.contrib.auth``: a custom event ``Login``, because Meta has no standard one.

It is the only recipe with logins: the apps that build on Django's own send its signal as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from capi_plugins import hookimpl
from capi_plugins.settings import Settings


@hookimpl
def capi_triggers(settings: Settings) -> Sequence[Mapping[str, Any]]:
    """Offer the trigger."""
    # A user model of the host's own may know no staff.
    no_staff = {"user.is_staff": [False, {"EMPTY": True}]}
    return [
        {
            "ON": "signal",
            "SIGNAL": "django.contrib.auth.signals.user_logged_in",
            "WHEN": no_staff if settings.exclude.staff else {},
            "EVENT": "Login",
            "USER_DATA": settings.user_paths("user"),
        }
    ]
