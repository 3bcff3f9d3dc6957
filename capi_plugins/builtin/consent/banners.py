"""The cookies of consent banners.

Each function takes the options of its source and gives a reader: a request's context in, what the
visitor decided out. None means that nothing was decided or that it cannot be read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from capi_plugins.builtin.consent.formats import layers, read_base64_json, read_json, read_pairs
from capi_plugins.consent import Consent, strictest
from capi_plugins.context import RequestContext
from capi_plugins.settings import Section

Reader = Callable[[RequestContext], Consent | None]

MARKETING = ("marketing", "ads", "targeting", "advertising", "advertisement")
"""How sites usually call what advertising needs."""
_COOKIEBOT = re.compile(r"[{,]\s*(\w+)\s*:\s*(true|false|'[^']*')\s*(?=[,}])")


def names(section: Section, key: str, default: Iterable[str]) -> tuple[str, ...]:
    """Take an option that is a name or a list of names.

    Args:
        section: The options of the source.
        key: Name of the option.
        default: What holds without it.
    """
    value = section.take(key, (str, list, tuple))
    if value is None:
        return tuple(default)
    found = (value,) if isinstance(value, str) else tuple(value)
    if not found or not all(isinstance(name, str) and name for name in found):
        section.wrong(key, "must be a name or a list of names")
        return tuple(default)
    return found


def decided(answer: bool | None) -> Consent | None:
    """Put a yes or a no into the words of consent."""
    if answer is None:
        return None
    return Consent.GRANTED if answer else Consent.DENIED


def all_of(states: Iterable[bool | None]) -> Consent | None:
    """Ask for all of them: one refusal refuses, and one that is unknown leaves it unknown."""
    found = list(states)
    if False in found:
        return Consent.DENIED
    return Consent.GRANTED if found and None not in found else None


def onetrust(section: Section) -> Reader:
    """OneTrust: ``OptanonConsent``; ``GROUPS`` must all be on (default ``C0004``, targeting)."""
    groups = names(section, "GROUPS", ("C0004",))

    def read(context: RequestContext) -> Consent | None:
        for text in layers(context.cookies.get("OptanonConsent", "")):
            # A layer further in, the address of the landing page would bring parameters along.
            fields = read_pairs(text, "&", "=")
            if "groups" in fields:
                return decide(fields, chosen="OptanonAlertBoxClosed" in context.cookies)
        return None

    def decide(fields: Mapping[str, str], *, chosen: bool) -> Consent | None:
        if "1" in (fields.get("isGpcEnabled"), fields.get("browserGpcFlag")):
            return Consent.DENIED
        if fields.get("AwaitingReconsent") == "true":
            return None
        if fields.get("interactionCount") == "0" and not chosen:
            return None
        *_, text = layers(fields["groups"])
        states = read_pairs(text, ",", ":")
        return all_of({"1": True, "0": False}.get(states.get(group, "")) for group in groups)

    return read


def cookiebot(section: Section) -> Reader:
    """Cookiebot: ``CookieConsent``, a JavaScript literal; ``EXPLICIT`` leaves out implied consent.

    ``-1`` alone is a visitor from where no consent is asked for.
    """
    explicit = section.take("EXPLICIT", bool, default=False)

    def read(context: RequestContext) -> Consent | None:
        # Innermost first: what stands in quotation marks shows only there.
        for text in reversed([*layers(context.cookies.get("CookieConsent", ""))]):
            if text == "-1":
                return None if explicit else Consent.GRANTED
            fields = dict(_COOKIEBOT.findall(text))
            if "marketing" in fields:
                if fields["marketing"] == "true" and explicit:
                    return Consent.GRANTED if fields.get("method") == "'explicit'" else None
                return decided({"true": True, "false": False}.get(fields["marketing"]))
        return None

    return read


def cookieyes(section: Section) -> Reader:
    """CookieYes: ``cookieyes-consent``; ``EXPLICIT`` counts only what the visitor chose himself."""
    explicit = section.take("EXPLICIT", bool, default=False)

    def read(context: RequestContext) -> Consent | None:
        for text in layers(context.cookies.get("cookieyes-consent", "")):
            fields = read_pairs(text, ",", ":")
            if "advertisement" in fields:
                answer = _yes_no(fields["advertisement"])
                if answer is Consent.GRANTED and explicit and fields.get("action") != "yes":
                    return None
                return answer
        older = context.cookies.get("cookielawinfo-checkbox-advertisement")
        return _yes_no(older or "")

    return read


def _yes_no(word: str) -> Consent | None:
    return decided({"yes": True, "no": False}.get(word.strip().lower()))


def complianz(section: Section) -> Reader:
    """Complianz and the WP Consent API: ``cmplz_marketing``, ``wp_consent_marketing``."""
    category = section.take("CATEGORY", str, "marketing")

    def read(context: RequestContext) -> Consent | None:
        words = (context.cookies.get(f"{prefix}_{category}") for prefix in ("cmplz", "wp_consent"))
        states = ({"allow": True, "deny": False}.get((word or "").lower()) for word in words)
        return strictest(decided(state) for state in states)

    return read


def cc_cookie(section: Section) -> Reader:
    """vanilla-cookieconsent: ``cc_cookie``; one of ``CATEGORY`` must be accepted."""
    cookie = section.take("COOKIE", str, "cc_cookie")
    wanted = frozenset(names(section, "CATEGORY", MARKETING))

    def read(context: RequestContext) -> Consent | None:
        data = read_json(context.cookies.get(cookie, ""))
        if not isinstance(data, Mapping):
            return None
        accepted = data.get("categories", data.get("level"))
        if not isinstance(accepted, list):
            return None
        return decided(any(name in wanted for name in accepted if isinstance(name, str)))

    return read


def didomi(section: Section) -> Reader:
    """Didomi: ``didomi_token``; all of ``VENDORS`` (default ``facebook``) and ``PURPOSES``."""
    purposes = names(section, "PURPOSES", ())
    vendors = names(section, "VENDORS", () if purposes else ("facebook",))

    def read(context: RequestContext) -> Consent | None:
        data = read_base64_json(context.cookies.get("didomi_token", ""))
        if not isinstance(data, Mapping):
            return None
        return all_of(
            [_didomi_state(data.get("vendors"), name) for name in vendors]
            + [_didomi_state(data.get("purposes"), name) for name in purposes]
        )

    return read


def _didomi_state(lists: Any, name: str) -> bool | None:
    if not isinstance(lists, Mapping):
        return None

    def has(key: str) -> bool:
        found = lists.get(key)
        # Vendors that a site adds are called ``c:<name>-<random>``.
        return isinstance(found, Collection) and any(
            item == name or (isinstance(item, str) and item.startswith(f"c:{name}-"))
            for item in found
        )

    if has("disabled"):
        return False
    return True if has("enabled") else None


def shopify(_: Section) -> Reader:
    """Shopify: ``_tracking_consent`` (version 2) and ``_cmp_a``; version 3 is not documented."""

    def read(context: RequestContext) -> Consent | None:
        return strictest(
            decided(answer(read_json(context.cookies.get(cookie, ""))))
            for cookie, answer in (("_tracking_consent", customer), ("_cmp_a", purposes))
        )

    def customer(data: Any) -> bool | None:
        if isinstance(data, Mapping) and isinstance(data.get("con"), Mapping):
            choices = data["con"].get("CMP")
            if isinstance(choices, Mapping):
                return {"1": True, "0": False}.get(str(choices.get("m")))
        return None

    def purposes(data: Any) -> bool | None:
        if isinstance(data, Mapping) and isinstance(data.get("purposes"), Mapping):
            answer = data["purposes"].get("m")
            return answer if isinstance(answer, bool) else None
        return None

    return read
