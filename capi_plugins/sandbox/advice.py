"""Known misuse that Meta accepts without a word: the event passes and then does little."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Final

from capi_plugins.destinations.meta import custom_fields, fields
from capi_plugins.sandbox.case import Case, is_empty, number_of
from capi_plugins.sandbox.refusals import Notice
from capi_plugins.sandbox.rules_people import SHA256, looks_hashed, texts
from capi_plugins.sandbox.rules_time import MILLISECONDS_FROM
from capi_plugins.sandbox.small_domains import RULES, is_normal

NOTHING: Final = {
    hashlib.sha256(word.encode()).hexdigest(): word or "an empty text"
    for word in ("", " ", "null", "None", "none", "undefined", "NULL", "nan", "NaN")
}
"""Hashes that mean the sender hashed a missing value. Meta's own samples contain one."""
CLICK_COOKIE: Final = re.compile(
    r"fb\.(\d)\.(\d{1,20})\.([^.]+)(?:\.[A-Za-z0-9_-]{2,8})?", re.ASCII
)
IP_APPENDIX: Final = re.compile(r"\.(?:[A-Za-z0-9_-]{8}|[A-Za-z][A-Za-z0-9_-])$", re.ASCII)
LOWERED_LENGTH: Final = 20
"""A click id this long without one capital letter has been lowercased."""
DAY: Final = 86400
MISSPELT: Final = {
    re.sub(r"[^a-z]", "", name.lower()): name
    for name in (*fields.STANDARD_EVENTS, "MobileAppInstall")
} | {"install": "MobileAppInstall", "appinstall": "MobileAppInstall"}
SERVER_AGENTS: Final = re.compile(
    r"^(python-|curl/|wget/|okhttp|axios|go-http|java/|ruby|php|node|guzzle)", re.IGNORECASE
)


def advise(case: Case) -> Iterator[Notice]:
    """Yield remarks on one event, which must be an object."""
    yield from _identity(case)
    yield from _people(case)
    yield from _address(case)
    yield from _clicks(case)
    yield from _business(case)


def advise_request(parameters: Mapping[str, object]) -> Iterator[Notice]:
    """Yield remarks on what a request carries beside its events.

    Args:
        parameters: Query and body together.
    """
    for key in parameters:
        if key not in fields.REQUEST_KEYS:
            yield Notice(
                "unknown_parameter", key[:80], f"The request's parameter {key[:80]} means nothing."
            )
    code = parameters.get("test_event_code")
    if code is not None and not (isinstance(code, str) and code):
        yield Notice("test_event_code", "test_event_code", "test_event_code must be text.")
    agent = parameters.get("partner_agent")
    if agent is not None and not (
        isinstance(agent, str)
        and len(agent) <= fields.PARTNER_AGENT_MAX
        and len(re.findall("[A-Za-z]", agent)) >= 2  # noqa: PLR2004 - Meta's rule
    ):
        yield Notice(
            "partner_agent",
            "partner_agent",
            f"partner_agent must have at most {fields.PARTNER_AGENT_MAX} characters, two of them"
            " letters.",
        )


def _identity(case: Case) -> Iterator[Notice]:
    custom = case.section("custom_data")
    if "event_id" in custom:
        yield Notice(
            "event_id_in_custom_data",
            "event_id",
            "event_id stands inside custom_data, where it does nothing: it belongs beside"
            " event_name.",
        )
    if is_empty(case.get("event_id")) and case.get("action_source") in ("website", "app"):
        yield Notice(
            "missing_event_id",
            "event_id",
            "Without event_id Meta cannot tell this event from the copy the browser or app sends.",
        )
    for key in ("event_source_url", "referrer_url"):
        url = case.get(key)
        if isinstance(url, str) and url and not url.lower().startswith(("https://", "http://")):
            yield Notice("url", key, f"{key} should be a whole address, from https:// on.")
    name = case.get("event_name")
    if isinstance(name, str):
        meant = MISSPELT.get(re.sub(r"[^a-z]", "", name.lower()))
        if meant is not None and meant != name:
            yield Notice(
                "event_name_spelling",
                "event_name",
                f"Meta takes this as a custom event. The standard event is spelt {meant}.",
            )
    time = number_of(case.get("event_time"))
    if (
        time is not None
        and DAY < case.now - time <= fields.MAX_AGE
        and case.get("action_source") != "physical_store"
    ):
        yield Notice(
            "stale",
            "event_time",
            "More than 24 hours old: accepted, but of little use for optimising delivery.",
        )


def _people(case: Case) -> Iterator[Notice]:
    people = case.section("user_data")
    for key, value in people.items():
        if is_empty(value):
            yield Notice("empty_value", key, f"{key} is empty: leave the key out.")
        for text in texts(value):
            if text[:64] in NOTHING:
                yield Notice(
                    "hash_of_nothing",
                    key,
                    f"{key} is the SHA-256 of {NOTHING[text[:64]]}: a missing value was hashed.",
                )
            elif SHA256.fullmatch(text) and not is_normal(key, text[:64], case.now):
                yield Notice(
                    "hash_of_other_form",
                    key,
                    f"{key} is not the hash of {RULES[key]}: Meta will match nobody by it.",
                )
            elif key == "external_id" and not looks_hashed(text):
                yield Notice(
                    "external_id_not_hashed",
                    key,
                    "external_id is not hashed: Meta recommends it, in the same form on every"
                    " channel.",
                )
            elif key in fields.PLAIN_KEYS and key != "client_ip_address" and looks_hashed(text):
                yield Notice("hashed_needlessly", key, f"{key} is hashed: Meta needs it as it is.")
    agent = people.get("client_user_agent")
    if isinstance(agent, str) and SERVER_AGENTS.match(agent):
        yield Notice(
            "server_user_agent",
            "client_user_agent",
            "This is the user agent of a server program: send that of the person's browser.",
        )


def _address(case: Case) -> Iterator[Notice]:
    address = case.section("user_data").get("client_ip_address")
    if not isinstance(address, str) or not address:
        return
    key = "client_ip_address"
    if looks_hashed(address):
        yield Notice("ip_hashed", key, "The IP address is hashed: Meta needs it as it is.")
        return
    found = _parse_address(address)
    if found is None:
        yield Notice(
            "ip_invalid",
            key,
            "This is no single IPv4 or IPv6 address; of a forwarded list send the client's alone.",
        )
    elif not found.is_global:
        yield Notice(
            "ip_private",
            key,
            "This address is private or reserved: behind a proxy, set how many you trust"
            " (TRUSTED_PROXIES) so that the visitor's own is sent.",
        )


def _parse_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    for candidate in (text, IP_APPENDIX.sub("", text)):
        try:
            return ipaddress.ip_address(candidate)
        except ValueError:
            continue
    return None


def _clicks(case: Case) -> Iterator[Notice]:
    people = case.section("user_data")
    for key in ("fbc", "fbp"):
        value = people.get(key)
        if not isinstance(value, str) or not value:
            continue
        match = CLICK_COOKIE.fullmatch(value)
        if match is None:
            form = "fb.1.<milliseconds>." + ("<fbclid>" if key == "fbc" else "<random number>")
            yield Notice(f"{key}_form", key, f"{key} must have the form {form}.")
            continue
        milliseconds, identifier = int(match[2]), match[3]
        created = milliseconds / 1000
        if milliseconds < MILLISECONDS_FROM or created > case.now + DAY:
            yield Notice(f"{key}_time", key, f"The time in {key} must be Unix milliseconds.")
        elif case.now - created > fields.CLICK_ID_MAX_AGE:
            yield Notice(f"{key}_expired", key, f"{key} is more than 90 days old.")
        if key == "fbc" and len(identifier) >= LOWERED_LENGTH and identifier == identifier.lower():
            yield Notice(
                "fbc_lowercased",
                key,
                "The click id has no capital letter: it was probably lowercased, and Meta will not"
                " recognise it. Pass fbclid on untouched.",
            )
        if key == "fbp" and not identifier.isdigit():
            yield Notice("fbp_form", key, "The last part of fbp must be a number.")


def _business(case: Case) -> Iterator[Notice]:
    custom = case.section("custom_data")
    for key, allowed in custom_fields.CUSTOM_DATA_ENUMS.items():
        value = custom.get(key)
        if value is not None and value not in allowed:
            yield Notice("enum", key, f"custom_data.{key} should be one of: {', '.join(allowed)}.")
    value, currency = custom.get("value"), custom.get("currency")
    number = number_of(value)
    if isinstance(value, str) and number is not None:
        yield Notice("value_as_text", "value", "value is a text: send a number.")
    if number is not None and number < 0:
        yield Notice("negative_value", "value", "value is negative.")
    if number is not None and is_empty(currency) and case.get("event_name") != "Purchase":
        yield Notice("value_without_currency", "currency", "value means little without currency.")
    if (
        case.get("data_processing_options") == ["LDU"]
        and case.get("data_processing_options_country") == 1
        and case.get("data_processing_options_state") is None
    ):
        yield Notice(
            "ldu_without_state",
            "data_processing_options_state",
            "Without a state Meta geolocates the whole event.",
        )
    if case.get("messaging_channel") and case.get("action_source") != "business_messaging":
        yield Notice(
            "messaging_channel_unused",
            "messaging_channel",
            "messaging_channel counts for business_messaging events only.",
        )
