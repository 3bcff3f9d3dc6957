"""``user_data``: the match keys on the wire, hashed where Meta wants them hashed.

A value that cannot be used costs that value and leaves a note under its neutral name.
"""

from __future__ import annotations

import functools
import hashlib
import operator
import re
from collections.abc import Callable
from typing import Any, Final

from capi_plugins.destinations.meta import click_ids, ip_address, normalize, phone, places
from capi_plugins.destinations.meta.normalize import MAX_LENGTH, SHORTEST_HASH, hashed, sha256
from capi_plugins.destinations.meta.scalars import Unusable, items, sendable, text
from capi_plugins.events import FieldNote, UserData

_sha256 = hashlib.sha256
MAX_VALUES = 20
"""Most values of one match key."""

_LONGEST_ID = 256
_CTWA_CLID = re.compile(r"[A-Za-z0-9_-]{40,500}", re.ASCII)
_LEAD_ID_DIGITS = range(15, 18)
_LOGIN_ID_DIGITS = range(1, 19)
_NO_VALUE_CACHED: Final = 2048

NormalForm = Callable[[str], str]
Digest = Callable[[str, str | None], str]


def _digest(normal_form: NormalForm, *, md5: bool = True) -> Digest:
    def digest(value: str, _country: str | None) -> str:
        return _ready(value, md5=md5) or sha256(normal_form(value))

    return digest


def _ready(value: str, *, md5: bool = True) -> str | None:
    """Return the hash that a value is already, if it is one."""
    if len(value) > MAX_LENGTH:
        raise Unusable(f"is longer than {MAX_LENGTH} characters")
    return hashed(value, md5=md5)


# Digests of few different values only are remembered; those of a person never.
@functools.lru_cache(maxsize=_NO_VALUE_CACHED)
def _city(value: str, _country: str | None) -> str:
    return _ready(value) or sha256(places.city(value))


@functools.lru_cache(maxsize=_NO_VALUE_CACHED)
def _state(value: str, country: str | None) -> str:
    return _ready(value) or sha256(places.state(value, country))


@functools.lru_cache(maxsize=_NO_VALUE_CACHED)
def _zip(value: str, country: str | None) -> str:
    return _ready(value) or sha256(places.zip_code(value, country))


@functools.lru_cache(maxsize=_NO_VALUE_CACHED)
def _country(value: str) -> tuple[str | None, str]:
    if ready := _ready(value):
        return None, ready
    code = places.country(value)
    return code, sha256(code)


# Neutral name, Meta's key, digest, and the normal form alone where it does for a short value,
# which is no hash: the calls it saves are a tenth of the whole.
_LISTED: tuple[tuple[str, str, Digest, NormalForm | None], ...] = (
    ("email", "em", _digest(normalize.email), normalize.email),
    ("first_name", "fn", _digest(normalize.name), normalize.name),
    ("last_name", "ln", _digest(normalize.name), normalize.name),
    ("date_of_birth", "db", _digest(normalize.date_of_birth), normalize.date_of_birth),
    ("gender", "ge", _digest(normalize.gender), normalize.gender),
    ("city", "ct", _city, None),
    ("state", "st", _state, None),
    ("zip", "zp", _zip, None),
    # 32 hex digits are a UUID more often than an MD5 here.
    (
        "external_id",
        "external_id",
        _digest(normalize.external_id, md5=False),
        normalize.external_id,
    ),
)


def _ip_address(value: object) -> str:
    return ip_address.normalize(value if type(value) is str else text(value))


def _click_to_whatsapp(value: object) -> str:
    result = text(value).strip()
    if not _CTWA_CLID.fullmatch(result):
        # Meta looks the click up; what cannot be one takes the batch with it.
        raise Unusable("is no click-to-WhatsApp id")
    return result


def _id(value: object) -> str:
    result = sendable(value, _LONGEST_ID)
    if result.lower() in normalize.PLACEHOLDERS or not result.strip("0-"):
        # An advertising id of zeros is what a phone gives when tracking is refused.
        raise Unusable("is empty")
    return result


def _fbp(value: object) -> str:
    result = (value if type(value) is str else text(value)).strip()
    if not click_ids.is_fbp(result):
        raise Unusable("is not of the form fb.<index>.<milliseconds>.<number>")
    return result


def _digits(value: object, lengths: range) -> int:
    digits = text(value).strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) in lengths):
        raise Unusable(f"is not a number of {lengths[0]} to {lengths[-1]} digits")
    return int(digits)


def _lead_id(value: object) -> int:
    # Meta's own export of leads writes l:123...
    return _digits(text(value).strip().removeprefix("l:"), _LEAD_ID_DIGITS)


def _login_id(value: object) -> int:
    return _digits(value, _LOGIN_ID_DIGITS)


def _part(normal_form: NormalForm) -> Callable[[object], str]:
    digest = _digest(normal_form)
    return lambda value: digest(text(value), None)


_SINGLE: tuple[tuple[str, Callable[[object], str | int]], ...] = (
    ("client_ip_address", _ip_address),
    ("client_user_agent", sendable),
    ("fbp", _fbp),
    ("subscription_id", _id),
    ("fb_login_id", _login_id),
    ("lead_id", _lead_id),
    ("anon_id", _id),
    ("madid", _id),
    ("page_id", _id),
    ("page_scoped_user_id", _id),
    ("ctwa_clid", _click_to_whatsapp),
    ("whatsapp_business_account_id", _id),
    ("ig_account_id", _id),
    ("instagram_business_account_id", _id),
    ("ig_sid", _id),
    ("partner_id", _id),
    ("partner_name", _id),
    ("f5first", _part(normalize.first_five)),
    ("f5last", _part(normalize.first_five)),
    ("fi", _part(normalize.first_letter)),
    ("dobd", _part(normalize.day_of_birth)),
    ("dobm", _part(normalize.month_of_birth)),
    ("doby", _part(normalize.year_of_birth)),
)
_listed_values = operator.attrgetter(*(name for name, *_ in _LISTED))
_single_values = operator.attrgetter(*(name for name, _ in _SINGLE))


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
    country = _put_country(wire, user.country, notes) if user.country is not None else None
    _put_listed(wire, _listed_values(user), country, notes)
    if user.phone is not None:
        _put_phone(wire, user.phone, country or default_country, notes)
    _put_single(wire, _single_values(user), notes)
    if user.fbc is not None or user.fbclid is not None:
        _put_click_id(wire, user, event_time, notes)
    return wire


def _put_listed(
    wire: dict[str, Any], values: tuple[Any, ...], country: str | None, notes: list[FieldNote]
) -> None:
    for (name, key, digest, short_form), value in zip(_LISTED, values, strict=True):
        if value is None:
            continue
        if type(value) is str:
            if not value:
                continue
            try:
                if short_form is None or len(value) >= SHORTEST_HASH:
                    wire[key] = [digest(value, country)]
                else:
                    wire[key] = [_sha256(short_form(value).encode()).hexdigest()]
            except Exception as problem:
                notes.append(note(name, problem))
        elif digests := _several(name, value, digest, country, notes):
            wire[key] = digests


def _put_single(wire: dict[str, Any], values: tuple[Any, ...], notes: list[FieldNote]) -> None:
    for (name, read), value in zip(_SINGLE, values, strict=True):
        if value is not None and (type(value) is not str or value):
            try:
                wire[name] = read(value)
            except Exception as problem:
                notes.append(note(name, problem))


def note(name: str, problem: Exception) -> FieldNote:
    """Say why a match key was left out, never what it was."""
    reason = str(problem) if isinstance(problem, Unusable) else "cannot be read as text"
    return FieldNote(f"user_data.{name}", reason)


def _several(
    name: str, value: object, digest: Digest, country: str | None, notes: list[FieldNote]
) -> list[str]:
    """Hash the values of one key, each once, in order."""
    digests: dict[str, None] = {}
    for each in _members(name, value, notes):
        try:
            given = text(each)
            if given:
                digests[digest(given, country)] = None
        except Exception as problem:
            notes.append(note(name, problem))
    return list(digests)


def _members(name: str, value: object, notes: list[FieldNote]) -> list[object]:
    try:
        members = items(value)
        given = [value] if members is None else list(members)
    except Exception as problem:
        notes.append(note(name, problem))
        return []
    if len(given) > MAX_VALUES:
        notes.append(FieldNote(f"user_data.{name}", f"has more than {MAX_VALUES} values"))
    return [each for each in given[:MAX_VALUES] if each is not None]


def _put_country(wire: dict[str, Any], value: object, notes: list[FieldNote]) -> str | None:
    """Hash the countries and return the code of the first that is known in clear."""
    known = None
    digests: dict[str, None] = {}
    for each in (value,) if type(value) is str else _members("country", value, notes):
        try:
            given = text(each)
            if given:
                code, digest = _country(given)
                known = known or code
                digests[digest] = None
        except Exception as problem:
            notes.append(note("country", problem))
    if digests:
        wire["country"] = list(digests)
    return known


def _put_phone(
    wire: dict[str, Any], value: object, region: str | None, notes: list[FieldNote]
) -> None:
    if type(value) is str:
        try:
            if value:
                wire["ph"] = [_phone(value, region, notes)]
        except Exception as problem:
            notes.append(note("phone", problem))
        return

    def digest(given: str, region: str | None) -> str:
        return _phone(given, region, notes)

    if digests := _several("phone", value, digest, region, notes):
        wire["ph"] = digests


def _phone(value: str, region: str | None, notes: list[FieldNote]) -> str:
    if len(value) >= SHORTEST_HASH and (ready := _ready(value)):
        return ready
    digits, complete = phone.normalize(value, region)
    if not complete:
        notes.append(
            FieldNote(
                "user_data.phone",
                "is sent as it is: without + or DEFAULT_COUNTRY its country is a guess",
            )
        )
    return sha256(digits)


def _put_click_id(
    wire: dict[str, Any], user: UserData, event_time: int, notes: list[FieldNote]
) -> None:
    """Send the cookie, or build it from a click id that is newer or alone."""
    try:
        fbc = text(user.fbc).strip() if user.fbc is not None else ""
        if click_ids.is_fbc(fbc):
            wire["fbc"] = fbc
        elif fbc:
            notes.append(
                FieldNote(
                    "user_data.fbc", "is not of the form fb.<index>.<milliseconds>.<click id>"
                )
            )
    except Exception as problem:
        notes.append(note("fbc", problem))
    if user.fbclid is not None:
        try:
            _use_fbclid(wire, text(user.fbclid).strip(), user.fbclid_time, event_time)
        except Exception as problem:
            notes.append(note("fbclid", problem))


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
