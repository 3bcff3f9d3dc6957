"""Limited Data Use. Source: Meta's page *Data Processing Options*."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from capi_plugins.consent import Consent
from capi_plugins.destinations.meta.fields import LDU_COUNTRIES, LDU_STATES
from capi_plugins.destinations.meta.members import reason
from capi_plugins.destinations.meta.scalars import Unusable, integer, items, text
from capi_plugins.events import Event, FieldNote

_COUNTRY, _STATE = "data_processing_options_country", "data_processing_options_state"
_PLACES: tuple[tuple[str, Container[int]], ...] = (
    (_COUNTRY, LDU_COUNTRIES),
    (_STATE, LDU_STATES),
)
_UNITED_STATES = 1


def put(wire: dict[str, Any], event: Event, consent: Consent, notes: list[FieldNote]) -> None:
    """Add the options the event or the consent asks for; the stricter wins."""
    options = _options(event.data_processing_options, notes)
    if consent is not Consent.GRANTED:
        options = ["LDU"]
    if options is None:
        return
    wire["data_processing_options"] = options
    if options:
        for key, codes in _PLACES:
            # 0: Meta finds out itself, from the address.
            wire[key] = 0
            value = getattr(event, key)
            if value is not None:
                try:
                    wire[key] = _code(value, codes)
                except Exception as problem:
                    notes.append(FieldNote(key, reason(problem)))
        if wire[_STATE]:
            wire[_COUNTRY] = _UNITED_STATES
        elif "client_ip_address" not in wire["user_data"]:
            notes.append(
                FieldNote(_STATE, "is missing, and without an address Meta cannot tell it")
            )


def _options(value: object, notes: list[FieldNote]) -> list[str] | None:
    if value is None:
        return None
    try:
        members = items(value)
        words = [text(each).strip().upper() for each in ([value] if members is None else members)]
        if all(word == "LDU" for word in words):
            return words[:1]
    except Exception as problem:
        notes.append(FieldNote("data_processing_options", reason(problem)))
    else:
        notes.append(FieldNote("data_processing_options", "holds more than 'LDU'"))
    # Whoever sets the field wants less use of the data, not more.
    return ["LDU"]


def _code(value: object, codes: Container[int]) -> int:
    code = integer(value)
    if code not in codes:
        raise Unusable("is not a code Meta knows")
    return code
