"""Where the host is in the network, as settings say: behind which proxies, below which path."""

from __future__ import annotations

import re

from capi_plugins.client_address import MOST_HOPS, parse_networks
from capi_plugins.section import Section

_PREFIX = re.compile(r"(?:/[\w.~-]+)*/?", re.ASCII)


def read_proxies(top: Section) -> int | tuple[str, ...]:
    """Read ``TRUSTED_PROXIES``: how many there are, or their networks.

    Args:
        top: The whole dictionary; it receives one sentence for each mistake.
    """
    value = top.take("TRUSTED_PROXIES", (int, list, tuple), 0)
    if isinstance(value, int):
        if not 0 <= value <= MOST_HOPS:
            top.wrong(
                "TRUSTED_PROXIES", f"must be a count from 0 to {MOST_HOPS}, or a list of networks"
            )
            return 0
        return value
    networks = []
    for number, text in enumerate(top.strings("TRUSTED_PROXIES")):
        try:
            parse_networks(text)
        except ValueError as error:
            top.problems.append(
                f"{top.at('TRUSTED_PROXIES')}[{number}] {error}; write a network such as "
                "'10.0.0.0/8', an address, 'cloudflare', 'fastly' or 'unix'"
            )
        else:
            networks.append(text)
    return tuple(networks)


def read_url_prefix(top: Section) -> str:
    """Read ``URL_PREFIX``, without a slash at its end.

    Args:
        top: The whole dictionary; it receives one sentence for each mistake.
    """
    value: str = top.take("URL_PREFIX", str, "/capi")
    if value and not _PREFIX.fullmatch(value):
        top.wrong("URL_PREFIX", "must be a path such as '/capi', or '' for the root")
        return "/capi"
    return value.rstrip("/")
