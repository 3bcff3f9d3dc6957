from __future__ import annotations

import contextlib
import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capi_plugins.destinations.meta import ip_address
from capi_plugins.destinations.meta.scalars import Unusable


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("168.212.226.204", "168.212.226.204"),
        (" 8.8.8.8 ", "8.8.8.8"),
        ("8.8.8.8:443", "8.8.8.8"),
        ("[2606:4700::1111]:443", "2606:4700::1111"),
        ("[2606:4700::1111]", "2606:4700::1111"),
        ("2001:0db8:85a3:0000:0000:8a2e:0370:7334", "2001:0db8:85a3:0000:0000:8a2e:0370:7334"),
        ("8.8.8.8.AQ", "8.8.8.8.AQ"),
        ("8.8.8.8.AQQAAQIB", "8.8.8.8.AQQAAQIB"),
        ("2606:4700::1111.AQQAAQIB", "2606:4700::1111.AQQAAQIB"),
        ("::ffff:8.8.8.8", "::ffff:8.8.8.8"),
    ],
)
def test_a_public_address_is_sent_without_port_and_brackets(written, sent):
    assert ip_address.normalize(written) == sent


@pytest.mark.parametrize(
    "written",
    [
        "127.0.0.1",
        "10.1.2.3",
        "192.168.0.1",
        "172.31.255.255",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "fe80::1",
        "fd00::1",
        "::ffff:10.0.0.1",
        "10.0.0.1.AQ",
        "10.0.0.1:80",
    ],
)
def test_an_address_that_is_not_public_is_refused(written):
    with pytest.raises(Unusable, match="not a public"):
        ip_address.normalize(written)


@pytest.mark.parametrize(
    "written", ["", "unknown", "256.256.256.256", "1.2.3", "1.2.3.4, 5.6.7.8", "1.2.3.4\x00", "é"]
)
def test_what_is_no_address_is_refused(written):
    with pytest.raises(Unusable, match="not an IP"):
        ip_address.normalize(written)


@given(address=st.ip_addresses())
def test_no_private_address_passes(address):
    try:
        sent = ip_address.normalize(str(address))
    except Unusable:
        return
    assert sent == str(address)
    assert not any([address.is_loopback, address.is_link_local, address.is_multicast])
    if isinstance(address, ipaddress.IPv4Address):
        documentation = any(
            address in ipaddress.ip_network(network)
            for network in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")
        )
        assert documentation or not address.is_private


@given(value=st.text())
def test_any_text_is_an_address_or_refused(value):
    with contextlib.suppress(Unusable):
        ip_address.normalize(value)
