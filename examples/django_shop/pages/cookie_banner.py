"""The answer to the cookie banner, written as CookieYes writes it."""

import secrets

COOKIE = "cookieyes-consent"
CATEGORIES = ["functional", "analytics", "performance", "advertisement", "other"]
ONE_YEAR = 365 * 24 * 3600


def is_answered(request):
    return "action:yes" in request.COOKIES.get(COOKIE, "")


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
    response.set_cookie(COOKIE, value, max_age=ONE_YEAR, samesite="Lax")
    # The banner's own script stores the commas as they are, which set_cookie() would escape.
    response.cookies[COOKIE].set(COOKIE, value, value)
