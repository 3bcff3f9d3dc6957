"""django-allauth: one ``CompleteRegistration`` for each user.

Where an address has to be verified, a user counts when that is done: by the link or the code of an
e-mail, or at once when an identity provider vouches for the address. Whoever comes from a provider
counts at once too where ``SOCIALACCOUNT_EMAIL_VERIFICATION`` asks for less.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings as django_settings

from capi_plugins import hookimpl
from capi_plugins.settings import Settings

# True is how older versions of allauth wrote it.
_MANDATORY = ("mandatory", True)


@hookimpl
def capi_triggers(settings: Settings) -> Sequence[Mapping[str, Any]]:
    """Offer the triggers."""
    signed_up = {
        "ON": "signal",
        "SIGNAL": "allauth.account.signals.user_signed_up",
        "EVENT": "CompleteRegistration",
        "EVENT_ID": "user.pk",
        "USER_DATA": settings.user_paths("user"),
        "CUSTOM_DATA": {
            "status": {"VALUE": "completed"},
            "registration_method": "sociallogin.account.provider",
        },
    }
    verification = getattr(django_settings, "ACCOUNT_EMAIL_VERIFICATION", None)
    if verification not in _MANDATORY:
        return [signed_up]
    confirmed: dict[str, Any] = {
        "ON": "signal",
        "SIGNAL": "allauth.account.signals.email_confirmed",
        # A further address of a user is not the primary one.
        "WHEN": {"email_address.primary": True},
        "EVENT": "CompleteRegistration",
        "EVENT_ID": "email_address.user_id",
        # A new address of an old user is confirmed too, and Meta takes nothing older than a week.
        "EVENT_TIME": "email_address.user.date_joined",
        "USER_DATA": settings.user_paths("email_address.user"),
        "CUSTOM_DATA": {"status": {"VALUE": "completed"}},
    }
    verified = {"user.emailaddress_set.first.verified": True}
    of_providers = getattr(django_settings, "SOCIALACCOUNT_EMAIL_VERIFICATION", None)
    if of_providers is None or of_providers in _MANDATORY:
        return [{**signed_up, "WHEN": verified}, confirmed]
    return [
        {**signed_up, "WHEN": {"sociallogin": {"EMPTY": False}}},
        {**signed_up, "WHEN": {"sociallogin": {"EMPTY": True}, **verified}},
        {
            **confirmed,
            "WHEN": {
                **confirmed["WHEN"],
                "email_address.user.socialaccount_set.first": {"EMPTY": True},
            },
        },
    ]
