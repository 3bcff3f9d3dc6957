"""Flask-Security: one ``CompleteRegistration`` for each user who can log in.

Where an address has to be confirmed (``SECURITY_CONFIRMABLE``), a user counts when that is done.
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
    moments: dict[str, list[Any]] = {
        "user_registered": [False, {"EMPTY": True}],
        "user_confirmed": [True],
    }
    return [
        {
            "ON": "signal",
            "SIGNAL": f"flask_security.signals.{moment}",
            "WHEN": {"config.SECURITY_CONFIRMABLE": confirmable},
            "EVENT": "CompleteRegistration",
            "EVENT_ID": "user.id",
            "USER_DATA": settings.user_paths("user"),
            "CUSTOM_DATA": {"status": {"VALUE": "completed"}},
        }
        for moment, confirmable in moments.items()
    ]
