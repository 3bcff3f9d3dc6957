"""Flask-Dance: a custom event ``Login`` when an identity provider has let somebody in.

An app that signs its users in with Flask-Login has that login counted by the recipe for it, so this
one is for apps that keep the token alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from capi_plugins import hookimpl
from capi_plugins.settings import Settings


@hookimpl
def capi_triggers(settings: Settings) -> Sequence[Mapping[str, Any]]:  # noqa: ARG001 - the hook's own
    """Offer the trigger."""
    return [
        {
            "ON": "signal",
            "SIGNAL": "flask_dance.consumer.oauth_authorized",
            "WHEN": {"user": {"EMPTY": True}},
            "EVENT": "Login",
            "CUSTOM_DATA": {"login_method": "sender.name"},
        }
    ]
