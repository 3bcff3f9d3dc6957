"""``app_data``: the app an event happened in. Source: Meta's page *App Data Parameters*."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from capi_plugins.destinations.meta.fields import EXTINFO, EXTINFO_VERSIONS
from capi_plugins.destinations.meta.members import Readers, read_members
from capi_plugins.destinations.meta.scalars import Unusable, flag, items, sendable, text
from capi_plugins.events import AppData, FieldNote

_LONGEST_TEXT = 1000
_LONGEST_RECEIPT = 20_000
_MAX_SCHEMES = 50
_VERSION = EXTINFO.index("version")
_OS_VERSION = EXTINFO.index("os_version")


def _string(value: object) -> str:
    return sendable(value, _LONGEST_TEXT)


def _zero_or_one(value: object) -> int:
    # Meta's table says boolean; a JSON boolean shows up as out of range in Events Manager.
    return int(flag(value))


def _receipt(value: object) -> str:
    return sendable(value, _LONGEST_RECEIPT)


def _strings(value: object) -> list[str]:
    members = items(value)
    return [_string(each) for each in list((value,) if members is None else members)[:_MAX_SCHEMES]]


def extinfo(value: object) -> list[str]:
    """Bring device information to Meta's sixteen texts; what is not known is empty.

    Args:
        value: The values in Meta's order, or a mapping of their names.

    Raises:
        Unusable: It has another number of values, or lacks the platform or the OS version.
    """
    if isinstance(value, Mapping):
        values = [value.get(name) for name in EXTINFO]
    else:
        values = list(items(value) or ())
    if len(values) != len(EXTINFO):
        raise Unusable(f"does not have {len(EXTINFO)} values")
    result = [_slot(each) for each in values]
    if result[_VERSION] not in EXTINFO_VERSIONS:
        raise Unusable("does not begin with the version 'a2' (Android) or 'i2' (iOS)")
    if not result[_OS_VERSION]:
        raise Unusable("has no os_version")
    return result


def _slot(value: object) -> str:
    if value is None or (isinstance(value, str) and not value.strip()):
        return ""
    try:
        return _string(text(value))
    except Exception:
        return ""


_READERS: Readers = {
    "advertiser_tracking_enabled": _zero_or_one,
    "application_tracking_enabled": _zero_or_one,
    "extinfo": extinfo,
    "campaign_ids": _string,
    "install_referrer": _string,
    "installer_package": _string,
    "url_schemes": _strings,
    "vendor_id": _string,
    "windows_attribution_id": _string,
    "consider_views": flag,
    "include_dwell_data": flag,
    "include_video_data": flag,
    "receipt_data": _receipt,
}


def build(data: object, notes: list[FieldNote]) -> dict[str, Any]:
    """Turn neutral app data into Meta's; fields that cannot be used become notes."""
    if type(data) is not AppData:
        notes.append(FieldNote("app_data", "is not an AppData"))
        return {}
    wire: dict[str, Any] = {}
    read_members(wire, data.__dict__, _READERS, notes, "app_data")
    return wire
