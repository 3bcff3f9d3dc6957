"""The visitor's own address behind proxies, as far as it can be believed.

Anybody can send an ``X-Forwarded-For`` header, so nothing of it counts unless the settings say
which proxies stand in front of the host, and it is read from the right: what stands furthest right
was written by the proxy nearest to the host. What a visitor invents stands to the left of that.

Sources: RFC 7239 (``Forwarded``); MDN, *X-Forwarded-For*, section on selecting an address.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

MOST_HOPS = 10
"""Most proxies that are looked through."""
UNIX_SOCKET = "unix"
"""Stands in ``TRUSTED_PROXIES`` for a proxy that reaches the host through a Unix socket."""

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_BRACKETED = re.compile(r"\[([0-9A-Fa-f:.]{2,45})(?:%[^\]]*)?\](?::\d{1,5})?", re.ASCII)
_WITH_PORT_4 = re.compile(r"([0-9.]{7,15}):\d{1,5}", re.ASCII)
_MOST_CHARACTERS = 100
# Examples and tests use these, and nobody browses from them by accident.
_DOCUMENTATION = tuple(
    ipaddress.ip_network(text)
    for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
)


def client_address(
    remote_addr: str | None, headers: Mapping[str, str], trusted: int | Sequence[str]
) -> str | None:
    """Find the visitor's address; never raises.

    Args:
        remote_addr: Address of the peer, as the server gives it; empty for a Unix socket.
        headers: Header names in lower case and their values; several headers of one name joined
            by commas.
        trusted: How many proxies stand in front of the host, or their networks and addresses
            (``"10.0.0.0/8"``, ``"2001:db8::1"``, ``"unix"``). 0 and an empty list: none, the peer
            is the visitor.

    Returns:
        A public address in its shortest form, or None: private, unreadable, hidden by a proxy, or
        further away than the proxies that are known.
    """
    peer = remote_addr or ""
    if not trusted:
        address = parse_address(peer)
    else:
        chains = [chain(headers[name]) for name, chain in _CHAINS.items() if name in headers]
        found = {
            _by_count(peer, chain, trusted)
            if isinstance(trusted, int)
            else _by_network(peer, chain, trusted)
            for chain in chains or [iter(())]
        }
        # A proxy that writes one of the two headers passes the other on as the visitor invented
        # it. Where they disagree there is no telling which is which.
        address = found.pop() if len(found) == 1 else None
    return str(address) if address is not None and is_public(address) else None


def parse_address(text: str) -> _Address | None:
    """Read an address; port, brackets, zone and the IPv4-in-IPv6 form come off.

    Args:
        text: As it stands in a header or in ``REMOTE_ADDR``.
    """
    text = text.strip()
    if len(text) > _MOST_CHARACTERS:
        return None
    if ":" in text and (match := _BRACKETED.fullmatch(text) or _WITH_PORT_4.fullmatch(text)):
        text = match[1]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def parse_network(text: str) -> _Network | None:
    """Read an entry of ``TRUSTED_PROXIES``; None for ``"unix"``.

    Raises:
        ValueError: It is neither a network nor an address; the text says why.
    """
    text = text.strip()
    return None if text.lower() == UNIX_SOCKET else ipaddress.ip_network(text)


def is_public(address: _Address) -> bool:
    """Whether an address can be a visitor's: neither private nor reserved.

    Addresses for documentation (``203.0.113.0/24``, ...) count as public.
    """
    if address.is_global:
        return not address.is_multicast
    return any(address in network for network in _DOCUMENTATION)


def _by_count(remote_addr: str, chain: Iterator[str], trusted: int) -> _Address | None:
    """Skip as many hops as there are proxies; a chain that is shorter tells nothing."""
    for number, hop in enumerate((remote_addr, *chain)):
        if number == trusted:
            return parse_address(hop)
    return None


def _by_network(remote_addr: str, chain: Iterator[str], trusted: Sequence[str]) -> _Address | None:
    """Skip the hops that are known proxies; the first other one is the visitor."""
    networks, unix = _networks(tuple(trusted))
    if remote_addr:
        address = parse_address(remote_addr)
        if address is None or not any(address in network for network in networks):
            return address
    else:
        address = None
        if not unix:
            return None
    for hop in chain:
        address = parse_address(hop)
        if address is None or not any(address in network for network in networks):
            return address
    return address


@functools.lru_cache(maxsize=16)
def _networks(trusted: tuple[str, ...]) -> tuple[tuple[_Network, ...], bool]:
    found: list[_Network | None] = []
    for text in trusted:
        try:
            found.append(parse_network(text))
        except ValueError:
            continue
    return tuple(network for network in found if network is not None), None in found


def _elements(header: str) -> Iterator[str]:
    # From the right and without regard for quotes: a quotation mark that a visitor leaves open
    # must not swallow what the proxies wrote after it.
    elements = header.rsplit(",", MOST_HOPS)
    if len(elements) > MOST_HOPS:
        del elements[0]
        return iter((*reversed(elements), ""))
    return reversed(elements)


def _forwarded(header: str) -> Iterator[str]:
    for element in _elements(header):
        pairs = (pair.partition("=") for pair in element.split(";"))
        nodes = [value for name, _, value in pairs if name.strip().lower() == "for"]
        yield nodes[0].strip().strip('"') if len(nodes) == 1 else ""


_CHAINS: Mapping[str, Callable[[str], Iterator[str]]] = {
    "x-forwarded-for": _elements,
    "forwarded": _forwarded,
}
