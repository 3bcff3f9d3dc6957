"""The domain a site's cookies belong to: the part of its host name that somebody registered."""

from __future__ import annotations

import functools
import ipaddress
from typing import TYPE_CHECKING

from capi_plugins.forks import unforked

if TYPE_CHECKING:
    import publicsuffixlist


@functools.cache
def _suffixes() -> publicsuffixlist.PublicSuffixList:
    # Only those whose cookies are set pay for it.
    with unforked():
        import publicsuffixlist  # noqa: PLC0415

    return publicsuffixlist.PublicSuffixList()


def load_suffixes() -> None:
    """Read the list now; it takes a moment, which the first visitor should not wait for."""
    _suffixes()


@functools.lru_cache(maxsize=256)
def registrable_domain(host: str) -> str | None:
    """Find the domain that all hosts of a site share.

    Args:
        host: Host name, without a port; ``www.shop.example.co.uk``.

    Returns:
        ``example.co.uk``; None where there is none: an address, ``localhost``, a public suffix.

    Source: the Public Suffix List, publicsuffix.org.
    """
    host = host.strip(".").lower()
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        found = _suffixes().privatesuffix(host)
        return found if isinstance(found, str) else None
    return None
