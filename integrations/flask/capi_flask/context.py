"""Flask's request in neutral words, and what a trigger may read of it.

All of it is read when the request has been answered, and the user only when an event needs one:
looking at the session earlier would mark it as accessed, which changes the answer's headers.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from flask import current_app, g, session

from capi_plugins import Client, RequestContext
from capi_plugins.http_context import request_context

if TYPE_CHECKING:
    from flask import Request

_STAFF = ("is_staff", "is_admin")
# Flask-Security's users have roles in place of such attributes.
_STAFF_ROLES = ("admin", "staff", "superuser")


def context_of(request: Request, client: Client, received_at: float) -> RequestContext:
    """Make the context of a request.

    Args:
        request: The request.
        client: Knows the proxies, and where a user's match keys are.
        received_at: When the request began, seconds since the epoch.
    """
    user = _quietly_signed_in()
    remote_addr, proxies = _peer(request, client.settings.trusted_proxies)
    return request_context(
        method=request.method,
        url=_url(request),
        headers={name.lower(): value for name, value in request.headers},
        remote_addr=remote_addr,
        trusted_proxies=proxies,
        user=None if user is None else client.user_data(user),
        is_staff=None if user is None else _is_staff(user),
        session_key=_session_key(),
        received_at=received_at,
        request=request,
    )


def request_offer(request: Request) -> dict[str, Any]:
    """Return what triggers may read of a request; functions are called when they are read.

    Args:
        request: The request.
    """
    return {
        "request": request,
        "args": lambda: request.args,
        "kwargs": request.view_args or {},
        "form": lambda: request.form if _body_was_read(request) else {},
        "json": lambda: request.get_json(silent=True) if _body_was_read(request) else None,
        "user": signed_in,
        "session": session,
        "g": g,
        "config": lambda: current_app.config,
    }


def signed_in() -> Any:
    """Return the signed-in user that Flask-Login knows; None for a visitor, or without it."""
    flask_login = sys.modules.get("flask_login")
    if flask_login is None or not hasattr(current_app, "login_manager"):
        return None
    user = flask_login.current_user._get_current_object()  # noqa: SLF001 - werkzeug's public name
    if user is None or not getattr(user, "is_authenticated", False):
        return None
    return user


def _url(request: Request) -> str:
    try:
        return request.url
    except Exception:
        # A host that is not trusted, or bytes in the query that are no UTF-8.
        return ""


def _quietly_signed_in() -> Any:
    try:
        return signed_in()
    except Exception:
        # The host's own loader or user object: without a user the context is still worth a lot.
        return None


def _session_key() -> str | None:
    # Flask's own sessions are cookies and have none; those of Flask-Session do.
    try:
        key = getattr(session, "sid", None)
    except Exception:
        return None
    return key if isinstance(key, str) else None


def _is_staff(user: object) -> bool:
    for name in _STAFF:
        try:
            value = getattr(user, name, False)
            if value() if callable(value) else value:
                return True
        except Exception:  # noqa: S112 - the host's property; it tells nothing
            continue
    try:
        return any(user.has_role(role) for role in _STAFF_ROLES)  # type: ignore[attr-defined]
    except Exception:
        return False


def _peer(
    request: Request, proxies: int | tuple[str, ...]
) -> tuple[str | None, int | tuple[str, ...]]:
    """Return the peer's address and the proxies still to be resolved.

    werkzeug's ProxyFix, where the host uses it, has replaced the peer's address by the visitor's.
    ``TRUSTED_PROXIES`` counts from the true peer, so that no hop is counted twice.
    """
    original = request.environ.get("werkzeug.proxy_fix.orig")
    if proxies and isinstance(original, dict) and original.get("REMOTE_ADDR"):
        return original["REMOTE_ADDR"], proxies
    return request.remote_addr, proxies


def _body_was_read(request: Request) -> bool:
    # A body that the view left alone may be large or still on its way: it is not ours to read.
    return not vars(request).keys().isdisjoint({"form", "_cached_data"})
