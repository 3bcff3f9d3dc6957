"""Meta Conversions API for Django: one app, one middleware, one setting.

::

    INSTALLED_APPS += ["capi_django"]
    MIDDLEWARE += ["capi_django.middleware.CapiMiddleware"]  # after AuthenticationMiddleware
    CAPI = {...}

Most projects need nothing else. For what they want to say themselves::

    import capi_django

    capi_django.track("Lead", user_data={"email": form.cleaned_data["email"]})
"""

from __future__ import annotations

from typing import Any

from capi_django import conf
from capi_django.conf import client, get_client
from capi_plugins import Event, FlushResult

__all__ = ["flush", "get_client", "track"]


def track(event: Event | str, /, **fields: Any) -> None:
    """Note an event; raises nothing but what has ended the transaction it is called in.

    Inside a request it is captured when the request ends, elsewhere at once. In a transaction of
    the database that holds the outbox it counts if the transaction commits; with an outbox
    elsewhere it does not wait: ``transaction.on_commit(functools.partial(track, ...))`` does.
    While ``settings.CAPI`` is wrong nothing is captured, and system checks say what is wrong.

    Args:
        event: The event, or its name.
        **fields: The event's other attributes, when a name is given; groups (``user_data``,
            ``custom_data``) may be mappings.
    """
    made = client()
    if made is not None:
        conf.track(made, made.tracked(event, **fields))


def flush(timeout: float = 10.0) -> FlushResult:
    """Wait until this process has delivered everything.

    Args:
        timeout: Most seconds to wait.

    Returns:
        What is left; true when nothing is.

    Raises:
        ConfigurationError: ``settings.CAPI`` is wrong.
    """
    return get_client().flush(timeout)
