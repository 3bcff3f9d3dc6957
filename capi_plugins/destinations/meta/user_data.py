"""``user_data``: the match keys on the wire, hashed where Meta wants them hashed.

A value that cannot be used costs that value and leaves a note under its neutral name.
"""

from __future__ import annotations

from typing import Any

from capi_plugins.destinations.meta import click_ids, digests
from capi_plugins.destinations.meta.digests import LISTED, Digest
from capi_plugins.destinations.meta.members import leave_out
from capi_plugins.destinations.meta.scalars import Unusable, items, text
from capi_plugins.destinations.meta.single_keys import SINGLE
from capi_plugins.events import FieldNote, UserData

MAX_VALUES = 20
"""Most values of one match key."""


def build(
    user: UserData,
    notes: list[FieldNote],
    *,
    event_time: int,
    default_country: str | None,
) -> dict[str, Any]:
    """Turn match keys into Meta's ``user_data``.

    Args:
        user: The match keys, raw or hashed.
        notes: Receives what was left out.
        event_time: Seconds since the epoch, for a click id whose own time is not known.
        default_country: Alpha-2 code of the country of phone numbers without a country code, if
            the event does not name a country itself.
    """
    wire: dict[str, Any] = {}
    # First, because states, post codes and phone numbers are read as the country's.
    country = _put_country(wire, user.country, notes)
    for name, value in user.__dict__.items():
        if value is None:
            continue
        try:
            if name in SINGLE:
                wire[name] = SINGLE[name](value)
            elif name in LISTED:
                key, digest = LISTED[name]
                if type(value) is str:
                    wire[key] = [digest(value, country)]
                elif several := _several(name, value, digest, country, notes):
                    wire[key] = several
        except Exception as problem:
            leave_out(notes, f"user_data.{name}", value, problem)
    if user.phone is not None:
        _put_phone(wire, user.phone, country or default_country, notes)
    if user.fbclid is not None:
        _put_click_id(wire, user, event_time, notes)
    return wire


def digests_of_person(user: UserData, *, default_country: str | None) -> list[str]:
    """Return the digests of match keys that one person has alone, as ``build`` makes them.

    A phone number without a country code is hashed both as it is and with the default country's,
    because an event may have named its own country.

    Args:
        user: The match keys, raw or hashed; all but e-mail, phone and external id are left aside.
        default_country: As for ``build``.
    """
    person = UserData(email=user.email, phone=user.phone, external_id=user.external_id)
    found: dict[str, None] = {}
    for country in dict.fromkeys((default_country, None)):
        wire = build(person, [], event_time=0, default_country=country)
        for key in ("em", "ph", "external_id"):
            found.update(dict.fromkeys(wire.get(key, ())))
    return list(found)


def _several(
    name: str, value: object, digest: Digest, country: str | None, notes: list[FieldNote]
) -> list[str]:
    """Hash the values of one key, each once, in order."""
    found: dict[str, None] = {}
    for each in _members(name, value, notes):
        try:
            found[digest(text(each), country)] = None
        except Exception as problem:
            leave_out(notes, f"user_data.{name}", each, problem)
    return list(found)


def _members(name: str, value: object, notes: list[FieldNote]) -> list[object]:
    try:
        members = items(value)
        given = [value] if members is None else list(members)
    except Exception as problem:
        leave_out(notes, f"user_data.{name}", value, problem)
        return []
    if len(given) > MAX_VALUES:
        notes.append(FieldNote(f"user_data.{name}", f"has more than {MAX_VALUES} values"))
    return [each for each in given[:MAX_VALUES] if each is not None]


def _put_country(wire: dict[str, Any], value: object, notes: list[FieldNote]) -> str | None:
    """Hash the countries and return the code of the first that is known in clear."""
    if value is None:
        return None
    known = None
    found: dict[str, None] = {}
    for each in (value,) if type(value) is str else _members("country", value, notes):
        try:
            code, digest = digests.country(text(each))
            known = known or code
            found[digest] = None
        except Exception as problem:
            leave_out(notes, "user_data.country", each, problem)
    if found:
        wire["country"] = list(found)
    return known


def _put_phone(
    wire: dict[str, Any], value: object, region: str | None, notes: list[FieldNote]
) -> None:
    def digest(given: str, region: str | None) -> str:
        result, complete = digests.phone_number(given, region)
        if not complete:
            why = "is sent as it is: without + or DEFAULT_COUNTRY its country is a guess"
            notes.append(FieldNote("user_data.phone", why))
        return result

    try:
        several = (
            [digest(value, region)]
            if type(value) is str
            else _several("phone", value, digest, region, notes)
        )
        if several:
            wire["ph"] = several
    except Exception as problem:
        leave_out(notes, "user_data.phone", value, problem)


def _put_click_id(
    wire: dict[str, Any], user: UserData, event_time: int, notes: list[FieldNote]
) -> None:
    """Build ``fbc`` from a click id that is newer than the cookie, or alone."""
    try:
        _use_fbclid(wire, text(user.fbclid).strip(), user.fbclid_time, event_time)
    except Exception as problem:
        leave_out(notes, "user_data.fbclid", user.fbclid, problem)


def _use_fbclid(wire: dict[str, Any], fbclid: str, time: object, event_time: int) -> None:
    stored = click_ids.parse_fbc(wire.get("fbc", ""))
    if not fbclid or (stored is not None and stored.fbclid == fbclid):
        return
    if not click_ids.is_fbclid(fbclid):
        raise Unusable("is no click id")
    seen = click_ids.click_time(time)
    if seen is None:
        seen = event_time * 1000
    if click_ids.is_expired(seen, now=event_time):
        raise Unusable("is older than 90 days")
    if stored is None or seen > stored.created:
        wire["fbc"] = click_ids.make_fbc(fbclid, seen=seen)
