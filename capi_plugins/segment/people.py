"""Who: the match keys of a message, from every place where Segment's users put them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from capi_plugins.events import FieldNote, UserData
from capi_plugins.http_context import MOST_USER_AGENT, printable
from capi_plugins.segment.message import Message, first, folded, mapping, text, texts
from capi_plugins.segment.private import has_email, without_emails
from capi_plugins.segment.spec import ADDRESS, IDS, TRAITS

_CLICK_COOKIE = re.compile(r"fb\.\d+\.\d+\..+", re.ASCII)
_TWO_NAMES = 2
_MOST_QUERY = 8000
_COOKIES = ("cookies", "cookie")
_TRAITS = frozenset(itertools.chain(*TRAITS.values()))
_ADDRESS = frozenset(itertools.chain(*ADDRESS.values()))
_IDS = frozenset(IDS)


def read_user(message: Message, notes: list[FieldNote], *, about_others: bool = False) -> UserData:
    """Read the match keys.

    Args:
        message: The message.
        notes: Receives what was left out.
        about_others: Contact data among the properties are not the visitor's.
    """
    found: dict[str, Any] = {}
    places = message.traits if about_others else (*message.traits, message.properties)
    telling = _with_any(_TRAITS, places)
    for name, spellings in TRAITS.items():
        found[name] = texts(first(spellings, telling))
    _put_names(found, message, notes)
    _put_address(found, message)
    _put_ids(found, message)
    _put_browser(found, message)
    return UserData(**{name: value for name, value in found.items() if value is not None})


def _with_any(
    names: frozenset[str], places: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Leave out the places that have none of some names, which most have not."""
    return [place for place in places if not names.isdisjoint(place)]


def _put_names(found: dict[str, Any], message: Message, notes: list[FieldNote]) -> None:
    """Split a full name of two parts; of more parts nobody knows which belong together."""
    if found["first_name"] or found["last_name"]:
        return
    whole = text(first(("name", "fullname"), message.traits))
    if whole is None:
        return
    last, comma, given = whole.partition(",")
    parts = [given, last] if comma else whole.split()
    if len(parts) == _TWO_NAMES and all(part.strip() for part in parts):
        found["first_name"], found["last_name"] = (part.strip() for part in parts)
    else:
        notes.append(FieldNote("user_data.first_name", "a full name cannot be taken apart safely"))


def _put_address(found: dict[str, Any], message: Message) -> None:
    for traits in message.traits:
        given = traits.get("address")
        # Segment's own libraries send one address, some shops a list of them.
        address = folded(given[0] if isinstance(given, list) and given else given)
        for place in _with_any(_ADDRESS, (address, traits)):
            for name, spellings in ADDRESS.items():
                if found.get(name) is None:
                    found[name] = texts(first(spellings, (place,)))


def _put_ids(found: dict[str, Any], message: Message) -> None:
    raw = message.raw
    user_id = text(raw.get("userId")) or text(raw.get("user_id"))
    anonymous_id = text(raw.get("anonymousId")) or text(raw.get("anonymous_id"))
    given = message.find("externalid")
    ids = dict.fromkeys(
        found_id
        for found_id in (user_id, *_several(texts(given)), anonymous_id)
        if found_id is not None
    )
    found["external_id"] = list(ids) or None
    if found["email"] is None and user_id is not None and has_email(user_id):
        # Many sites identify people by their address.
        found["email"] = user_id
    for place in _with_any(_IDS, message.everywhere):
        for spelling in IDS.keys() & place.keys():
            name = IDS[spelling]
            if found.get(name) is None:
                found[name] = _open(place[spelling])
    found["madid"] = _open(message.device.get("advertisingid") or message.context.get("madid"))
    if message.device.get("adtrackingenabled") is False:
        found["madid"] = None


def _several(value: str | list[str] | None) -> list[str]:
    return value if isinstance(value, list) else [value] if value is not None else []


def _open(value: object) -> str | None:
    """Read what travels in clear: never an e-mail address."""
    found = text(value)
    return None if found is None or has_email(found) else found


def _put_browser(found: dict[str, Any], message: Message) -> None:
    context = message.context
    address = text(context.get("ip")) or text(context.get("requestip"))
    if address is None:
        address = text(mapping(message.raw).get("request_ip"))
    found["client_ip_address"] = address.partition(",")[0].strip() if address else None
    found["client_user_agent"] = user_agent(message)
    cookies = _cookies(message)
    found["fbc"] = _click_cookie(message, cookies, "fbc")
    found["fbp"] = _click_cookie(message, cookies, "fbp")
    fbclid = _open(message.find("fbclid")) or fbclid_of_page(message)
    if fbclid is not None:
        found["fbclid"] = fbclid
        # Without a time of its own the click is as old as the event that it came with.
        found["fbclid_time"] = text(message.find("fbclidtime", "fbclidtimestamp"))


def user_agent(message: Message) -> str | None:
    """Return the browser's own name for itself."""
    value = message.context.get("useragent")
    if not isinstance(value, str):
        return None
    return without_emails(printable(value[:_MOST_QUERY]))[:MOST_USER_AGENT].strip() or None


def _cookies(message: Message) -> Mapping[str, str]:
    for place in (message.context, message.page, message.properties):
        for name in _COOKIES:
            given = place.get(name)
            if given is None:
                continue
            if isinstance(given, Mapping):
                return folded(given)
            if isinstance(given, str):
                pairs = (pair.partition("=") for pair in given[:_MOST_QUERY].split(";"))
                return folded({name: value.strip() for name, _, value in pairs})
    return {}


def _click_cookie(message: Message, cookies: Mapping[str, str], name: str) -> str | None:
    candidates = [
        found
        for place in (*message.everywhere, cookies)
        if name in place and (found := _open(place[name])) is not None
    ]
    for found in candidates:
        if _CLICK_COOKIE.fullmatch(found):
            return found
    # Let the destination say what is wrong with it.
    return candidates[0] if candidates else None


def fbclid_of_page(message: Message) -> str | None:
    """Return the click id in the query of the page, if it was the landing page."""
    for place in (message.page, message.properties):
        for name in ("url", "search"):
            value = place.get(name)
            if isinstance(value, str) and "fbclid=" in value:
                query = value.rpartition("?")[2].partition("#")[0][:_MOST_QUERY]
                for key, found in parse_qsl(query, max_num_fields=None):
                    if key == "fbclid" and found and not has_email(found):
                        return found
    return None
