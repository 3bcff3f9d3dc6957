"""What Meta would refuse, found before it can take a whole batch down with it.

Each check raises `InvalidEvent`. Meta answers one bad event by refusing every event of the
request, without saying which one it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from capi_plugins.destinations.meta.fields import (
    EXTINFO,
    HASHED_KEYS,
    MAX_AGE,
    MAX_AGE_PHYSICAL_STORE,
    MESSAGING_CHANNELS,
    MESSAGING_EVENTS,
    PLAIN_KEYS,
    TOO_BROAD,
)
from capi_plugins.exceptions import InvalidEvent

EXPIRY_MARGIN = 60
"""Seconds before Meta's limit at which an event is given up: room for a request."""

# Keys that name a business, or nobody: they do not make a person findable.
_NOBODY = frozenset(
    [
        "partner_id",
        "partner_name",
        "page_id",
        "whatsapp_business_account_id",
        "ig_account_id",
        "instagram_business_account_id",
    ]
)
# Parts of a key count as the key.
_PART_OF = {"f5first": "fn", "fi": "fn", "f5last": "ln", "dobd": "db", "dobm": "db", "doby": "db"}
_FOUND_BY = (HASHED_KEYS | PLAIN_KEYS) - _NOBODY - _PART_OF.keys() - frozenset().union(*TOO_BROAD)
_CHANNEL_IDS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "messenger": (("page_id",), ("page_scoped_user_id",)),
    "whatsapp": (("whatsapp_business_account_id", "page_id"), ("ctwa_clid",)),
    "instagram": (("ig_account_id",), ("ig_sid",)),
}
# Sending the pair that Meta's page on the event demands; anything less cannot be attributed.
_ATTRIBUTION_PARTS = ("ad_id", "touchpoint_ts", "attribution_share", "attribution_value")
_ORIGINAL_PARTS = ("event_name", "event_time")


def expires_at(event_time: int, action_source: str, *, now: float) -> float:
    """When Meta stops taking an event, seconds since the epoch, less a margin (2804003)."""
    limit = MAX_AGE_PHYSICAL_STORE if action_source == "physical_store" else MAX_AGE
    ends = float(event_time + limit - EXPIRY_MARGIN)
    if now >= ends:
        raise InvalidEvent(f"event_time is more than {limit // 86400} days ago, which Meta refuses")
    return ends


def check(wire: Mapping[str, Any]) -> None:
    """Refuse events that lack what Meta demands of their name and source."""
    name, who, source = wire["event_name"], wire["user_data"], wire["action_source"]
    if source == "business_messaging":
        check_messaging(name, wire.get("messaging_channel"), who)
    check_customer_information(who)
    if name == "Purchase":
        check_purchase(wire.get("custom_data", {}))
    if source == "app":
        check_app(wire.get("app_data", {}))
    if name == "AppendAttribution":
        check_attribution(
            wire.get("attribution_data", {}),
            wire.get("original_event_data", {}),
            wire.get("custom_data", {}),
        )


def check_customer_information(user_data: Mapping[str, Any]) -> None:
    """Refuse events that Meta counts as having no customer information (2804050).

    Source: Meta's page *Best Practices*.
    """
    if not _FOUND_BY.isdisjoint(user_data):
        return
    keys = {_PART_OF.get(key, key) for key in user_data if key not in _NOBODY}
    if not keys:
        raise InvalidEvent(
            "user_data has no usable match key: give an email, a phone, an external_id, fbp or fbc"
        )
    for broad in TOO_BROAD:
        if keys <= broad:
            raise InvalidEvent(
                f"user_data is too broad: nobody is found by {', '.join(sorted(keys))} alone; add "
                "an email, a phone, an external_id, fbp or fbc"
            )


def check_purchase(custom_data: Mapping[str, Any]) -> None:
    """Refuse purchases without an amount (2804009, 2804010)."""
    if "currency" not in custom_data:
        raise InvalidEvent("a Purchase needs custom_data.currency, an ISO 4217 code such as 'EUR'")
    if "value" not in custom_data:
        raise InvalidEvent("a Purchase needs custom_data.value, a number such as 142.52")
    if custom_data["value"] < 0:
        raise InvalidEvent(
            "a Purchase cannot have a negative custom_data.value: send a refund as an event of "
            "its own, such as 'Refund'"
        )


def check_app(app_data: Mapping[str, Any]) -> None:
    """Refuse app events without the flag and the device information (2804043)."""
    if "advertiser_tracking_enabled" not in app_data:
        raise InvalidEvent(
            "an app event needs app_data.advertiser_tracking_enabled: 1 if the person allowed "
            "tracking, else 0"
        )
    if "extinfo" not in app_data:
        raise InvalidEvent(
            f"an app event needs app_data.extinfo: {len(EXTINFO)} values, with version ('a2' or "
            "'i2') and os_version"
        )


def check_messaging(event_name: str, channel: object, user_data: Mapping[str, Any]) -> None:
    """Refuse messaging events whose name, channel or ids Meta does not take.

    Source: Meta's page *Conversions API for Business Messaging*.
    """
    if event_name not in MESSAGING_EVENTS:
        raise InvalidEvent(
            "business_messaging takes other event names only: "
            + ", ".join(sorted(MESSAGING_EVENTS))
        )
    if not isinstance(channel, str) or channel not in MESSAGING_CHANNELS:
        raise InvalidEvent(
            "business_messaging needs messaging_channel: " + ", ".join(MESSAGING_CHANNELS)
        )
    for choice in _CHANNEL_IDS[channel]:
        if not any(key in user_data for key in choice):
            raise InvalidEvent(f"a {channel} event needs user_data.{' or '.join(choice)}")


def check_attribution(
    attribution: Mapping[str, Any], original: Mapping[str, Any], custom_data: Mapping[str, Any]
) -> None:
    """Refuse AppendAttribution without its parts. Source: Meta's page of that event."""
    missing = [f"attribution_data.{key}" for key in _ATTRIBUTION_PARTS if key not in attribution]
    missing += [f"original_event_data.{key}" for key in _ORIGINAL_PARTS if key not in original]
    if "currency" not in custom_data:
        missing.append("custom_data.currency")
    if missing:
        raise InvalidEvent("AppendAttribution needs " + ", ".join(missing))
