"""The event of ``bench_payload.py`` written out: what Python can reach when it knows the fields.

The same normal forms, checks and bytes as ``capi_plugins``, in one function for this one event. It
looks nothing up, keeps no notes, and raises where a field could not be used.
"""

from __future__ import annotations

import hashlib
import re
import socket

import orjson

from capi_plugins.destinations.base import Payload
from capi_plugins.destinations.meta.digests import LISTED, country
from capi_plugins.events import Event

LOWER = bytes(range(128)).lower() + bytes(range(128, 256))
PUNCTUATION = bytes(code for code in range(128) if not chr(code).isalnum())
NOT_IN_URL = bytes(code for code in range(0x21, 0x7F) if chr(code) not in "#@")
is_email = re.compile(r"[^@\s,:;<>()]+@[^@\s,:;<>().]+(?:\.[^@\s,:;<>().]+)+").fullmatch
is_fbp = re.compile(r"fb\.\d{1,2}\.\d{13}\.\d{1,20}").fullmatch
is_fbc = re.compile(r"fb\.\d{1,2}\.\d{13}\.[A-Za-z0-9_-]{1,500}").fullmatch
sha256 = hashlib.sha256
city, state, zip_code = (LISTED[name][1] for name in ("city", "state", "zip"))


def straight(event: Event, *, now: int) -> Payload:
    """Return the payload of the one event that this is written for."""
    user, custom = event.user_data, event.custom_data
    code, country_digest = country(user.country)
    email = user.email.strip().lower()
    first = user.first_name.encode().translate(LOWER, PUNCTUATION)
    last = user.last_name.encode().translate(LOWER, PUNCTUATION)
    person = user.external_id.strip().lower()
    phone = user.phone.encode().translate(None, b"+-. ()")
    address, agent = user.client_ip_address, user.client_user_agent.strip()
    fbp, fbc, url = user.fbp, user.fbc, event.event_source_url
    order = custom.order_id.strip()
    socket.inet_pton(socket.AF_INET, address)
    contents = []
    for content in custom.contents:
        name = content.id.strip()
        if not name.isprintable() or not 0 < content.quantity < 1e15:
            raise ValueError
        contents.append(
            {"id": name, "quantity": content.quantity, "item_price": content.item_price}
        )
    if (
        event.event_time > now
        or not (email.isascii() and is_email(email) and is_fbp(fbp) and is_fbc(fbc))
        or (first.isdigit() or last.isdigit() or len(first) > 500 or len(last) > 500)
        or not (phone.isdigit() and 7 <= len(phone) <= 15 and person != "null")
        or not (agent.isprintable() and len(agent) <= 2000 and order.isprintable())
        or not (event.event_id.isprintable() and event.event_name.isprintable())
        or not (url[:8] == "https://" and url.isascii() and len(url) <= 2000)
        or url.encode().translate(None, NOT_IN_URL)
        or not -1e15 < custom.value < 1e15
    ):
        raise ValueError
    wire = {
        "event_name": event.event_name,
        "event_time": event.event_time,
        "action_source": event.action_source,
        "user_data": {
            "country": [country_digest],
            "client_user_agent": agent,
            "em": [sha256(email.encode()).hexdigest()],
            "ph": [sha256(phone).hexdigest()],
            "fn": [sha256(first).hexdigest()],
            "ln": [sha256(last).hexdigest()],
            "ct": [city(user.city, code)],
            "st": [state(user.state, code)],
            "zp": [zip_code(user.zip, code)],
            "external_id": [sha256(person.encode()).hexdigest()],
            "client_ip_address": address,
            "fbp": fbp,
            "fbc": fbc,
        },
        "event_id": event.event_id,
        "event_source_url": url,
        "custom_data": {
            "value": custom.value,
            "currency": custom.currency,
            "order_id": order,
            "content_type": custom.content_type,
            "contents": contents,
        },
    }
    return Payload(body=orjson.dumps(wire), expires_at=event.event_time + 7 * 86400 - 60.0)
