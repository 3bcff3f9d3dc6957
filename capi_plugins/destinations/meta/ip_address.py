"""The visitor's address: valid, public, never hashed.

Source: Meta's page *Customer Information Parameters*; private addresses identify nobody.
"""

from __future__ import annotations

import re
import socket

from capi_plugins.destinations.meta.click_ids import APPENDIX
from capi_plugins.destinations.meta.scalars import Unusable, text

# Addresses for documentation (192.0.2.0/24, 2001:db8::/32, ...) are let through: Meta's own
# examples use them, and nobody browses from them by accident.
_NOT_PUBLIC_4 = (
    ("0.0.0.0", 8),  # noqa: S104 - a network, nothing is bound
    ("10.0.0.0", 8),
    ("100.64.0.0", 10),
    ("127.0.0.0", 8),
    ("169.254.0.0", 16),
    ("172.16.0.0", 12),
    ("192.0.0.0", 24),
    ("192.168.0.0", 16),
    ("198.18.0.0", 15),
    ("224.0.0.0", 3),
)
_NETWORKS_4 = tuple(
    (int.from_bytes(socket.inet_aton(network), "big") >> (32 - bits), 32 - bits)
    for network, bits in _NOT_PUBLIC_4
)
_SUSPECT_4 = frozenset(int(network.partition(".")[0]) for network, _ in _NOT_PUBLIC_4) | frozenset(
    range(224, 256)
)
_MAPPED_4 = bytes(10) + b"\xff\xff"
_WITH_PORT_4 = re.compile(r"([0-9.]+):\d{1,5}")
_BRACKETED = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::\d{1,5})?")
_APPENDED = re.compile(rf"(.+)\.({APPENDIX})")
_MAX = 64


def normalize(value: object) -> str:
    """Bring an address to the form Meta takes: without port, brackets and spaces.

    The suffix which Meta's parameter builder appends stays.

    Raises:
        Unusable: It is no text, no address, or not a public one.
    """
    address = (value if type(value) is str else text(value)).strip()
    public = _is_public(address)
    if public:
        return address
    if public is None and len(address) <= _MAX:
        if match := _BRACKETED.fullmatch(address) or _WITH_PORT_4.fullmatch(address):
            address = match[1]
            public = _is_public(address)
        elif match := _APPENDED.fullmatch(address):
            public = _is_public(match[1])
    if public is None:
        raise Unusable("is not an IP address")
    if not public:
        raise Unusable("is not a public IP address")
    return address


def _is_public(address: str) -> bool | None:
    """Whether an address is public; None when it is no address."""
    try:
        if ":" not in address:
            packed = socket.inet_pton(socket.AF_INET, address)
            return packed[0] not in _SUSPECT_4 or _is_public_4(packed)
        packed = socket.inet_pton(socket.AF_INET6, address)
    except (OSError, ValueError):
        return None
    if packed.startswith(_MAPPED_4):
        return _is_public_4(packed[12:])
    # 2000::/3 is all that is given out.
    return packed[0] >> 5 == 1


def _is_public_4(packed: bytes) -> bool:
    number = int.from_bytes(packed, "big")
    return all(number >> shift != network for network, shift in _NETWORKS_4)
