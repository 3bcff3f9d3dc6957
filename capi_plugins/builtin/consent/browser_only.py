"""Answers that banners keep in the browser, as far as something copies them into a cookie."""

from __future__ import annotations

from collections.abc import Mapping

from capi_plugins.bridge import COOKIE
from capi_plugins.builtin.consent.banners import Reader, all_of, decided, names
from capi_plugins.builtin.consent.formats import layers, read_json, read_pairs
from capi_plugins.consent import Consent, strictest
from capi_plugins.context import RequestContext
from capi_plugins.settings import Section

_ANSWERS = {"granted": True, "denied": False}


def bridge(section: Section) -> Reader:
    """The cookie of ``bridge.js``: ``capi_consent=marketing:granted``."""
    category = section.take("CATEGORY", str, "marketing")

    def read(context: RequestContext) -> Consent | None:
        for text in layers(context.cookies.get(COOKIE, "")):
            fields = read_pairs(text, ",", ":")
            if category in fields:
                return decided(_ANSWERS.get(fields[category]))
        return None

    return read


def google_consent_mode(section: Section) -> Reader:
    """Google consent mode, version 2, kept as JSON in ``COOKIE``: all of ``TYPES`` are granted.

    Source: Google's page *Consent mode*: ``ad_user_data`` is about sending data of the visitor,
    ``ad_storage`` about the identifiers in cookies.
    """
    cookie = section.take("COOKIE", str)
    if not cookie:
        section.wrong("COOKIE", "is required: the cookie that your site keeps the answer in")
    types = names(section, "TYPES", ("ad_user_data", "ad_storage"))

    def read(context: RequestContext) -> Consent | None:
        data = read_json(context.cookies.get(cookie or "", ""))
        if not isinstance(data, Mapping):
            return None
        return all_of(_ANSWERS.get(str(data.get(name))) for name in types)

    return read


def termly(section: Section) -> Reader:
    """Termly's cookie ``T_DC_<id>``, which some sites have; ``CATEGORY`` 4 is advertising.

    Where there is none, ``bridge`` brings the answer.
    """
    category = section.take("CATEGORY", str, "4")

    def read(context: RequestContext) -> Consent | None:
        found = (
            read_json(value) for name, value in context.cookies.items() if name.startswith("T_DC_")
        )
        return strictest(
            decided(_ANSWERS.get(str(data.get(category))))
            for data in found
            if isinstance(data, Mapping)
        )

    return read
