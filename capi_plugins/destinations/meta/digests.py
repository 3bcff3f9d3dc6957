"""Digests of match keys: what is a hash already passes, all else is normalised and hashed."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping

from capi_plugins.destinations.meta import normalize, phone, places
from capi_plugins.destinations.meta.normalize import (
    MAX_LENGTH,
    SHORTEST_HASH,
    hashed,
    sha256,
)
from capi_plugins.destinations.meta.scalars import Unusable

_CACHED = 2048
_sha256 = hashlib.sha256

NormalForm = Callable[[str], str]
Digest = Callable[[str, str | None], str]


def of(normal_form: NormalForm, *, md5: bool = True) -> Digest:
    """Make the digest of keys with this normal form."""

    def digest(value: str, _country: str | None) -> str:
        # A short value is no hash.
        ready = _ready(value, md5=md5) if len(value) >= SHORTEST_HASH else None
        return ready or _sha256(normal_form(value).encode()).hexdigest()

    return digest


def _ready(value: str, *, md5: bool = True) -> str | None:
    """Return the hash that a value is already, if it is one."""
    if len(value) > MAX_LENGTH:
        raise Unusable(f"is longer than {MAX_LENGTH} characters")
    return hashed(value, md5=md5)


# Digests of few different values only are remembered; those of a person never.
@functools.lru_cache(maxsize=_CACHED)
def _city(value: str, _country: str | None) -> str:
    return _ready(value) or sha256(places.city(value))


@functools.lru_cache(maxsize=_CACHED)
def _state(value: str, country: str | None) -> str:
    return _ready(value) or sha256(places.state(value, country))


@functools.lru_cache(maxsize=_CACHED)
def _zip(value: str, country: str | None) -> str:
    return _ready(value) or sha256(places.zip_code(value, country))


@functools.lru_cache(maxsize=_CACHED)
def country(value: str) -> tuple[str | None, str]:
    """Return the alpha-2 code, if it is known in clear, and the digest."""
    if ready := _ready(value):
        return None, ready
    code = places.country(value)
    return code, sha256(code)


LISTED: Mapping[str, tuple[str, Digest]] = {
    "email": ("em", of(normalize.email)),
    "first_name": ("fn", of(normalize.name)),
    "last_name": ("ln", of(normalize.name)),
    "date_of_birth": ("db", of(normalize.date_of_birth)),
    "gender": ("ge", of(normalize.gender)),
    "city": ("ct", _city),
    "state": ("st", _state),
    "zip": ("zp", _zip),
    # 32 hex digits are a UUID more often than an MD5 here.
    "external_id": ("external_id", of(normalize.external_id, md5=False)),
}
"""By neutral name: Meta's key, and the digest of one value."""


def phone_number(value: str, region: str | None) -> tuple[str, bool]:
    """Hash a phone number.

    Returns:
        The digest, and whether the number is known to have its country code.
    """
    if len(value) >= SHORTEST_HASH and (ready := _ready(value)):
        return ready, True
    digits, complete = phone.normalize(value, region)
    return _sha256(digits.encode()).hexdigest(), complete
