"""The answer to the cookie banner, written as CookieYes writes it."""

import secrets

from flask import request

COOKIE = "cookieyes-consent"
CATEGORIES = ["functional", "analytics", "performance", "advertisement", "other"]
ONE_YEAR = 365 * 24 * 3600


def remember(response, accepted):
    answer = "yes" if accepted else "no"
    fields = {
        "consentid": secrets.token_urlsafe(24),
        "consent": answer,
        "action": "yes",
        "necessary": "yes",
        **dict.fromkeys(CATEGORIES, answer),
    }
    value = ",".join(f"{key}:{field}" for key, field in fields.items())
    # The banner's own script stores the commas as they are, which set_cookie() would escape.
    response.headers.add(
        "Set-Cookie", f"{COOKIE}={value}; Max-Age={ONE_YEAR}; Path=/; SameSite=Lax"
    )


def template_context():
    return {"show_cookie_banner": "action:yes" not in request.cookies.get(COOKIE, "")}
