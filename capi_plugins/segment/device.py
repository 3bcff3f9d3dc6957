"""The app: ``app_data`` from what mobile libraries put into ``context``.

Source: Meta's page *App Data Parameters*.
"""

from __future__ import annotations

import datetime
import functools
import re
import zoneinfo
from collections.abc import Mapping
from typing import Any

from capi_plugins.events import AppData
from capi_plugins.segment.message import Message, first, flag, folded, text
from capi_plugins.segment.private import has_email
from capi_plugins.segment.spec import ANDROID, APPLE, fold

_ZONE = re.compile(r"[A-Za-z]+(?:/[A-Za-z0-9_+-]+){1,2}|UTC|GMT", re.ASCII)


def platform(message: Message) -> str | None:
    """Return Meta's word for the system: ``i2`` (Apple), ``a2`` (Android), None for others."""
    for value in (message.os.get("name"), message.device.get("type")):
        name = fold(text(value) or "")
        if name in APPLE:
            return "i2"
        if name in ANDROID:
            return "a2"
    return None


def read_app(message: Message, event_time: int) -> AppData | None:
    """Read the app's data.

    Args:
        message: The message.
        event_time: Seconds since the epoch: the name of a time zone depends on the day.

    Returns:
        The data; None when there is not what Meta demands: a known system and its version.
    """
    version, os_version = platform(message), _open(message.os.get("version"))
    if version is None or os_version is None:
        return None
    context = message.context
    app, screen = folded(context.get("app")), folded(context.get("screen"))
    zone = _open(context.get("timezone"))
    allowed = _allowed(message)
    known: Mapping[str, str | None] = {
        "version": version,
        "app_package_name": _open(app.get("namespace")),
        "short_version": _open(app.get("build")),
        "long_version": _open(app.get("version")),
        "os_version": os_version,
        "device_model_name": _open(message.device.get("model")),
        "locale": _open(context.get("locale")),
        "timezone_abbreviation": _abbreviation(zone, event_time) if zone else None,
        "carrier": _open(folded(context.get("network")).get("carrier")),
        "screen_width": _open(screen.get("width")),
        "screen_height": _open(screen.get("height")),
        "screen_density": _open(screen.get("density")),
        "device_timezone": zone,
    }
    own = flag(message.find("applicationtrackingenabled"))
    return AppData(
        # Apple: no answer is no permission.
        advertiser_tracking_enabled=int(bool(allowed)),
        application_tracking_enabled=int(bool(allowed if own is None else own)),
        extinfo=known,
        vendor_id=_open(message.device.get("id")) if version == "i2" else None,
        **_attribution(message),
    )


def _allowed(message: Message) -> bool | None:
    own = flag(message.find("advertisertrackingenabled"))
    if own is not None:
        return own
    allowed = flag(message.device.get("adtrackingenabled"))
    if allowed is None:
        status = text(first(("trackingstatus", "atttrackingstatus"), (message.device,)))
        # 3 is Apple's number for it.
        return None if status is None else status.lower() in ("authorized", "3")
    return allowed


def _attribution(message: Message) -> dict[str, Any]:
    names = ("campaign_ids", "install_referrer", "installer_package", "windows_attribution_id")
    return {name: found for name in names if (found := _open(message.find(fold(name))))}


def _open(value: object) -> str | None:
    """Read what travels in clear: never an e-mail address."""
    found = text(value)
    return None if found is None or has_email(found) else found


@functools.lru_cache(maxsize=512)
def _zone(name: str) -> zoneinfo.ZoneInfo | None:
    try:
        return zoneinfo.ZoneInfo(name) if _ZONE.fullmatch(name) else None
    except Exception:
        # Unknown, a folder of the time zone data, or there are no data on this machine.
        return None


def _abbreviation(name: str, event_time: int) -> str | None:
    zone = _zone(name)
    if zone is None:
        return None
    try:
        return datetime.datetime.fromtimestamp(event_time, zone).tzname()
    except (OverflowError, OSError, ValueError):
        return None
