"""Consent apps of Django, which know more than their cookie says."""

from __future__ import annotations

import importlib
import sys

from capi_plugins.builtin.consent.banners import MARKETING, Reader, all_of, names
from capi_plugins.builtin.consent.formats import layers, read_pairs
from capi_plugins.consent import Consent
from capi_plugins.context import RequestContext
from capi_plugins.settings import Section

_INSTALLED = "cookie_consent.models"


def django_cookie_consent(section: Section) -> Reader:
    """django-cookie-consent: ``cookie_consent``; all of ``GROUPS`` must be accepted.

    Without ``GROUPS``: those of the usual names for marketing that the cookie has. Where the host
    runs the app, the app itself is asked: it knows which groups there are, and whether their text
    has changed since the visitor agreed.
    """
    cookie = section.take("COOKIE", str, "cookie_consent")
    groups = names(section, "GROUPS", ())

    def read(context: RequestContext) -> Consent | None:
        for text in layers(context.cookies.get(cookie, "")):
            states = read_pairs(text, r"\|", "=")
            if states:
                wanted = groups or [name for name in (*MARKETING, "social") if name in states]
                if cookie in getattr(context.request, "COOKIES", ()) and _INSTALLED in sys.modules:
                    ask = importlib.import_module("cookie_consent.util")
                    return all_of(
                        ask.get_cookie_value_from_request(context.request, name) for name in wanted
                    )
                return all_of(
                    None if not states.get(name) else states[name] != "-1" for name in wanted
                )
        return None

    return read
