"""The visitor's own address behind proxies, as far as it can be believed.

Anybody can send an ``X-Forwarded-For`` header, so nothing of it counts unless the settings say
which proxies stand in front of the host, and it is read from the right: what stands furthest right
was written by the proxy nearest to the host. What a visitor invents stands to the left of that.

Sources: RFC 7239 (``Forwarded``); MDN, *X-Forwarded-For*, section on selecting an address;
Cloudflare, *HTTP request headers*, *IP Ranges* and *Pseudo IPv4*; Fastly, *Public IP list* and
*Fastly-Client-IP*, which says that a visitor may write this header too: it is not read.
"""

from __future__ import annotations

import functools
import ipaddress
import re
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence

MOST_HOPS = 10
"""Most proxies that are looked through."""
UNIX_SOCKET = "unix"
"""Stands in ``TRUSTED_PROXIES`` for a proxy that reaches the host through a Unix socket."""

CLOUDFLARE = "cloudflare"
"""Stands in ``TRUSTED_PROXIES`` for the networks that Cloudflare publishes."""
FASTLY = "fastly"
"""Stands in ``TRUSTED_PROXIES`` for the networks that Fastly publishes."""

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_BRACKETED = re.compile(r"\[([0-9A-Fa-f:.]{2,45})(?:%[^\]]*)?\](?::\d{1,5})?", re.ASCII)
_WITH_PORT_4 = re.compile(r"([0-9.]{7,15}):\d{1,5}", re.ASCII)
_MOST_CHARACTERS = 100
_CLOUDFLARE = tuple(
    ipaddress.ip_network(text)
    for text in (
        *("173.245.48.0/20", "103.21.244.0/22", "103.22.200.0/22", "103.31.4.0/22"),
        *("141.101.64.0/18", "108.162.192.0/18", "190.93.240.0/20", "188.114.96.0/20"),
        *("197.234.240.0/22", "198.41.128.0/17", "162.158.0.0/15", "104.16.0.0/13"),
        *("104.24.0.0/14", "172.64.0.0/13", "131.0.72.0/22"),
        *("2400:cb00::/32", "2606:4700::/32", "2803:f800::/32", "2405:b500::/32"),
        *("2405:8100::/32", "2a06:98c0::/29", "2c0f:f248::/32"),
    )
)
_FASTLY = tuple(
    ipaddress.ip_network(text)
    for text in (
        *("23.235.32.0/20", "43.249.72.0/22", "103.244.50.0/24", "103.245.222.0/23"),
        *("103.245.224.0/24", "104.156.80.0/20", "140.248.64.0/18", "140.248.128.0/17"),
        *("146.75.0.0/17", "151.101.0.0/16", "157.52.64.0/18", "167.82.0.0/17"),
        *("167.82.128.0/20", "167.82.160.0/20", "167.82.224.0/20", "172.111.64.0/18"),
        *("185.31.16.0/22", "199.27.72.0/21", "199.232.0.0/16"),
        *("2a04:4e40::/32", "2a04:4e42::/32"),
    )
)
_NAMED = {CLOUDFLARE: _CLOUDFLARE, FASTLY: _FASTLY, UNIX_SOCKET: ()}
# The address as Cloudflare has it; IPv6 first, because the other may be made up of it.
_CLOUDFLARE_HEADERS = ("cf-connecting-ipv6", "cf-connecting-ip")
# How the networks begin that IANA's registries of special addresses name; of IPv6, within 2000::/3.
_SPECIAL_4 = frozenset([0, 10, 100, 127, 169, 172, 192, 198, 203, *range(224, 256)])
_SPECIAL_6 = frozenset([b"\x20\x01", b"\x20\x02", b"\x3f\xff"])
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
            (``"10.0.0.0/8"``, ``"2001:db8::1"``, ``"unix"``, ``"cloudflare"``, ``"fastly"``). 0 and
            an empty list: none, the peer is the visitor.

    Returns:
        A public address in its shortest form, or None: private, unreadable, hidden by a proxy, or
        further away than the proxies that are known.
    """
    peer = remote_addr or ""
    if not trusted:
        address = parse_address(peer)
    else:
        chains = [read(headers[name]) for name, read in _CHAINS.items() if name in headers]
        if isinstance(trusted, int):
            address = _agreed([_by_count(peer, chain, trusted) for chain in chains])
        else:
            found = [_by_network(peer, chain, trusted) for chain in chains or [iter(())]]
            address = _agreed([address for address, _ in found])
            # Anybody who reaches the host past Cloudflare can write its headers too.
            edges = [proxy is not None and _is_in(proxy, _CLOUDFLARE) for _, proxy in found]
            if all(edges) and _names_cloudflare(trusted):
                address = _by_cloudflare(headers) or address
    return _written(address) if address is not None and is_public(address) else None


def _written(address: _Address) -> str:
    # What str() gives, which takes ten times as long for IPv6.
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004
    return socket.inet_ntop(family, address.packed)


def _agreed(addresses: Sequence[_Address | None]) -> _Address | None:
    """Return what all headers say, if they say one thing.

    A proxy that writes one of the two headers passes the other on as the visitor invented it. Where
    they disagree there is no telling which is which.
    """
    first = addresses[0] if addresses else None
    return first if all(address == first for address in addresses) else None


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
    bare = text.partition("%")[0]
    try:
        # Read by the system, for every event: of text, ipaddress makes an address far slower.
        if ":" not in text:
            return ipaddress.IPv4Address(socket.inet_pton(socket.AF_INET, bare))
        address = ipaddress.IPv6Address(socket.inet_pton(socket.AF_INET6, bare))
    except (OSError, ValueError):
        return None
    return address.ipv4_mapped or address


def parse_networks(text: str) -> tuple[_Network, ...]:
    """Read an entry of ``TRUSTED_PROXIES``; none for ``"unix"``.

    Raises:
        ValueError: It is neither a network nor an address; the text says why.
    """
    text = text.strip().lower()
    return _NAMED[text] if text in _NAMED else (ipaddress.ip_network(text),)


def is_public(address: _Address) -> bool:
    """Whether an address can be a visitor's: neither private nor reserved.

    Addresses for documentation (``203.0.113.0/24``, ...) count as public.
    """
    if _is_far_from_special(address.packed):
        return True
    if address.is_global:
        return not address.is_multicast
    return any(address in network for network in _DOCUMENTATION)


def _is_far_from_special(packed: bytes) -> bool:
    """Whether no special network begins like an address; ipaddress looks at each of them."""
    if len(packed) == 4:  # noqa: PLR2004 - IPv4
        return packed[0] not in _SPECIAL_4
    return packed[0] >> 5 == 1 and packed[:2] not in _SPECIAL_6


def _by_count(remote_addr: str, chain: Iterator[str], trusted: int) -> _Address | None:
    """Skip as many hops as there are proxies; a chain that is shorter tells nothing."""
    for number, hop in enumerate((remote_addr, *chain)):
        if number == trusted:
            return parse_address(hop)
    return None


def _by_network(
    remote_addr: str, chain: Iterator[str], trusted: Sequence[str]
) -> tuple[_Address | None, _Address | None]:
    """Skip the hops that are known proxies; the first other one is the visitor.

    Returns:
        The visitor, and the proxy that the visitor spoke to.
    """
    networks, unix = _networks(tuple(trusted))
    proxy: _Address | None = None
    if remote_addr:
        address = parse_address(remote_addr)
        if address is None or not _is_in(address, networks):
            return address, None
    else:
        address = None
        if not unix:
            return None, None
    for hop in chain:
        proxy, address = address, parse_address(hop)
        if address is None or not _is_in(address, networks):
            return address, proxy
    # Nobody is named behind the last proxy: it asks for itself.
    return address, address


def _by_cloudflare(headers: Mapping[str, str]) -> _Address | None:
    for name in _CLOUDFLARE_HEADERS:
        address = parse_address(headers.get(name, ""))
        if address is not None and is_public(address):
            return address
    return None


def _is_in(address: _Address, networks: tuple[_Network, ...]) -> bool:
    return any(address in network for network in networks)


def _names_cloudflare(trusted: Sequence[str]) -> bool:
    return any(text.strip().lower() == CLOUDFLARE for text in trusted)


@functools.lru_cache(maxsize=16)
def _networks(trusted: tuple[str, ...]) -> tuple[tuple[_Network, ...], bool]:
    found: list[_Network] = []
    unix = False
    for text in trusted:
        try:
            found += parse_networks(text)
        except ValueError:
            continue
        unix = unix or text.strip().lower() == UNIX_SOCKET
    return tuple(found), unix


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
