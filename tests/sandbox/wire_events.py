"""Events in Meta's wire form that the sandbox accepts, to be spoilt by the tests."""

from __future__ import annotations

import copy
from typing import Any

EMAIL = "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f"
PHONE = "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176"
AGENT = "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0"
NOW = 1_790_000_000.0


def website_purchase(now: float = NOW) -> dict[str, Any]:
    return {
        "event_name": "Purchase",
        "event_time": int(now),
        "event_id": "order-1001",
        "action_source": "website",
        "event_source_url": "https://shop.example/thank-you",
        "user_data": {
            "em": [EMAIL],
            "ph": [PHONE],
            "client_ip_address": "8.8.4.4",
            "client_user_agent": AGENT,
            "fbc": f"fb.1.{int(now * 1000)}.IwAR2F4-dbP0l7Mn1IawQQGCINEz7PYXQvwjNwB_qa2ofrHyiLjc",
            "fbp": f"fb.1.{int(now * 1000)}.1116446470",
        },
        "custom_data": {
            "value": 142.52,
            "currency": "USD",
            "order_id": "1001",
            "content_type": "product",
            "content_ids": ["sku-1", "sku-2"],
            "num_items": 2,
            "contents": [
                {"id": "sku-1", "quantity": 1, "item_price": 100},
                {
                    "id": "sku-2",
                    "quantity": 1,
                    "item_price": 42.52,
                    "delivery_category": "home_delivery",
                },
            ],
        },
    }


def app_install(now: float = NOW) -> dict[str, Any]:
    return {
        "event_name": "MobileAppInstall",
        "event_time": int(now),
        "event_id": "install-1",
        "action_source": "app",
        "user_data": {
            "client_ip_address": "2001:4860:4860::8888",
            "madid": "38400000-8cf0-11bd-b23e-10b96e40000d",
            "anon_id": "12345340-1234-3456-1234-123456789012",
        },
        "app_data": {
            "advertiser_tracking_enabled": 1,
            "application_tracking_enabled": 1,
            "extinfo": [
                "a2", "com.some.app", "771", "Version 7.7.1", "10.1.1", "OnePlus6", "en_US",
                "GMT-1", "TMobile", "1920", "1080", "2.00", "2", "128", "8", "USA/New York",
            ],
        },
    }  # fmt: skip


def whatsapp_purchase(now: float = NOW) -> dict[str, Any]:
    return {
        "event_name": "Purchase",
        "event_time": int(now),
        "action_source": "business_messaging",
        "messaging_channel": "whatsapp",
        "user_data": {
            "whatsapp_business_account_id": "100000000000001",
            "ctwa_clid": "AR" + "AkLkA8rmlFeiCktEJQ-QTwRiyYHAFDLMNDBH0CD3qpjd0HR4irJ6LE",
        },
        "custom_data": {"value": 10, "currency": "EUR"},
    }


def changed(event: dict[str, Any], path: str, *value: Any) -> dict[str, Any]:
    """Copy an event with the member at a dotted path replaced, or removed without a value."""
    made = copy.deepcopy(event)
    *parents, last = path.split(".")
    place: Any = made
    for part in parents:
        place = place[int(part) if isinstance(place, list) else part]
    key: Any = int(last) if isinstance(place, list) else last
    if value:
        place[key] = value[0]
    else:
        del place[key]
    return made
