"""django-registration-redux: one ``CompleteRegistration`` for each user who can log in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from capi_plugins import hookimpl
from capi_plugins.settings import Settings


@hookimpl
def capi_triggers(settings: Settings) -> Sequence[Mapping[str, Any]]:
    """Offer the triggers."""
    return [
        {
            "ON": "signal",
            "SIGNAL": f"registration.signals.{moment}",
            # Until an account is activated, or approved, it is none.
            "WHEN": {"user.is_active": True},
            "EVENT": "CompleteRegistration",
            "EVENT_ID": "user.pk",
            "USER_DATA": settings.user_paths("user"),
            "CUSTOM_DATA": {"status": {"VALUE": "completed"}},
        }
        for moment in ("user_registered", "user_activated", "user_approved")
    ]
