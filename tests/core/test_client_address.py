from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capi_plugins.client_address import client_address, is_public, parse_address
from capi_plugins.settings import Settings

VISITOR = "203.0.113.7"
VISITOR_6 = "2001:db8:85a3::8a2e:370:7334"
FORGED = "9.9.9.9"


def forwarded_for(value):
    return {"x-forwarded-for": value}


def test_without_trusted_proxies_the_peer_is_the_visitor_and_headers_do_not_count():
    headers = {"x-forwarded-for": FORGED, "forwarded": f"for={FORGED}"}
    assert client_address(VISITOR, headers, 0) == VISITOR
    assert client_address(VISITOR, headers, ()) == VISITOR


@pytest.mark.parametrize(
    "peer", ["127.0.0.1", "10.1.2.3", "192.168.1.9", "169.254.1.1", "100.64.0.1", "::1", "fe80::1",
             "fd00::1", "0.0.0.0", "240.0.0.1", "224.0.0.1", "ff02::1", "::ffff:10.0.0.1"]
)  # fmt: skip
def test_an_address_that_cannot_be_a_visitors_is_none(peer):
    assert client_address(peer, {}, 0) is None


@given(st.ip_addresses())  # it draws special addresses as often as others
def test_what_is_public_is_what_the_registries_say_and_examples(address):
    examples = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
    is_example = any(address in ipaddress.ip_network(network) for network in examples)
    assert is_public(address) is (is_example or (address.is_global and not address.is_multicast))


@pytest.mark.parametrize("peer", [None, "", "unix:", "localhost", "testclient", "1.2.3", "::zz"])
def test_a_peer_that_is_no_address_is_none(peer):
    assert client_address(peer, {}, 0) is None


@pytest.mark.parametrize(
    ("count", "header", "expected"),
    [
        (1, VISITOR, VISITOR),
        (1, f"{FORGED}, {VISITOR}", VISITOR),
        (2, f"{VISITOR}, 10.0.0.2", VISITOR),
        (2, f"{FORGED}, {VISITOR}, 10.0.0.2", VISITOR),
        (2, VISITOR, None),  # came past the outer proxy: nobody vouches for it
        (1, f"{FORGED},unknown", None),
        (1, f"{FORGED},", None),
        (1, "192.168.0.4", None),
    ],
)
def test_a_count_of_proxies_skips_that_many_hops(count, header, expected):
    assert client_address("10.0.0.1", forwarded_for(header), count) == expected


def test_a_counted_proxy_that_names_nobody_leaves_the_address_unknown():
    assert client_address("203.0.113.99", {}, 1) is None


@pytest.mark.parametrize(
    ("trusted", "peer", "header", "expected"),
    [
        (("10.0.0.0/8",), "10.0.0.1", VISITOR, VISITOR),
        (("10.0.0.0/8",), "10.0.0.1", f"{FORGED}, {VISITOR}, 10.9.9.9", VISITOR),
        (("10.0.0.1",), "10.0.0.1", f"{FORGED}, {VISITOR}", VISITOR),
        (("10.0.0.0/8",), "::ffff:10.0.0.1", VISITOR, VISITOR),
        (("2001:db8:1::/48",), "2001:db8:1::5", f"{FORGED}, {VISITOR_6}", VISITOR_6),
        (("10.0.0.0/8",), VISITOR, FORGED, VISITOR),  # the peer is no proxy: it may not speak
        (("10.0.0.0/8",), "10.0.0.1", f"{FORGED}, garbage", None),
        (("10.0.0.0/8",), "10.0.0.1", f"garbage, {VISITOR}", VISITOR),
        (("10.0.0.0/8",), "10.0.0.1", "10.0.0.7", None),  # from inside
        (("unix",), "", VISITOR, VISITOR),
        (("unix", "10.0.0.0/8"), "", f"{FORGED}, {VISITOR}, 10.0.0.4", VISITOR),
        (("10.0.0.0/8",), "", VISITOR, None),
        (("198.51.100.0/24",), "198.51.100.4", "198.51.100.9", "198.51.100.9"),
    ],
)
def test_networks_skip_the_hops_that_are_known_proxies(trusted, peer, header, expected):
    assert client_address(peer, forwarded_for(header), trusted) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (f"for={VISITOR}", VISITOR),
        (f'For="{VISITOR}:4711";proto=https;by=10.0.0.1', VISITOR),
        (f'for="[{VISITOR_6}]:4711"', VISITOR_6),
        (f'proto=https; for="[{VISITOR_6}]"', VISITOR_6),
        (f"for={FORGED}, for={VISITOR}", VISITOR),
        (f'for="{FORGED}, for={VISITOR}', VISITOR),  # a quotation mark left open by the visitor
        ("for=unknown", None),
        ("for=_hidden", None),
        ("proto=https", None),
        (f"for={VISITOR};for={FORGED}", None),
    ],
)
def test_the_forwarded_header_is_read(header, expected):
    assert client_address("10.0.0.1", {"forwarded": header}, 1) == expected


def test_two_headers_that_disagree_tell_nothing():
    headers = {"x-forwarded-for": VISITOR, "forwarded": f"for={FORGED}"}
    assert client_address("10.0.0.1", headers, 1) is None
    assert client_address("10.0.0.1", headers | {"forwarded": f"for={VISITOR}"}, 1) == VISITOR


def test_a_chain_is_followed_for_ten_hops_and_no_further():
    ten = ", ".join(["10.0.0.9"] * 9)
    assert client_address("10.0.0.1", forwarded_for(f"{VISITOR}, {ten}"), ("10.0.0.0/8",)) == (
        VISITOR
    )
    longer = f"{VISITOR}, 10.0.0.9, {ten}"
    assert client_address("10.0.0.1", forwarded_for(longer), ("10.0.0.0/8",)) is None
    assert client_address("10.0.0.1", forwarded_for(f"{FORGED}," * 500 + VISITOR), 1) == VISITOR


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f" {VISITOR} ", VISITOR),
        (f"{VISITOR}:8080", VISITOR),
        (f"[{VISITOR_6}]", VISITOR_6),
        (f"[{VISITOR_6}]:443", VISITOR_6),
        ("[fe80::1%eth0]:443", "fe80::1"),
        ("fe80::1%eth0", "fe80::1"),
        (f"::ffff:{VISITOR}", VISITOR),
        ("2001:DB8:0:0::1", "2001:db8::1"),
    ],
)
def test_ports_brackets_and_zones_come_off(text, expected):
    assert str(parse_address(text)) == expected


@pytest.mark.parametrize(
    "text",
    ["010.0.0.1", "1.2.3.4, 5.6.7.8", "٢٠٣.0.113.7", "1.2.3.4\x00", "1.2.3.4:999999", "1" * 999],
)
def test_what_is_no_address_is_none(text):
    assert parse_address(text) is None


@given(
    peer=st.none() | st.text(),
    headers=st.dictionaries(st.sampled_from(["x-forwarded-for", "forwarded"]), st.text()),
    trusted=st.integers(0, 10) | st.lists(st.text(), max_size=3),
)
def test_nothing_raises_and_what_comes_out_is_public(peer, headers, trusted):
    found = client_address(peer, headers, trusted)
    assert found is None or is_public(parse_address(found))


@given(forged=st.text(alphabet='0123456789abcdef:.,;="[] for', max_size=60))
def test_whatever_a_visitor_invents_the_proxy_has_the_last_word(forged):
    headers = {"x-forwarded-for": f"{forged}, {VISITOR}", "forwarded": f"{forged}, for={VISITOR}"}
    assert client_address("10.0.0.1", headers, 1) == VISITOR
    assert client_address("10.0.0.1", headers, ("10.0.0.0/8",)) == VISITOR


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (-1, "CAPI['TRUSTED_PROXIES'] must be a count from 0 to 10"),
        (11, "CAPI['TRUSTED_PROXIES'] must be a count from 0 to 10"),
        (["10.0.0.0/8", "10.0.0.1/8"], "CAPI['TRUSTED_PROXIES'][1] 10.0.0.1/8 has host bits set"),
        (["akamai"], "CAPI['TRUSTED_PROXIES'][0] 'akamai' does not appear to be"),
        ([b"x"], "CAPI['TRUSTED_PROXIES'][0] must be a string, not bytes"),
    ],
)
def test_a_wrong_trusted_proxy_is_told_with_its_path(value, problem):
    problems = []
    Settings.read({"TRUSTED_PROXIES": value}, problems)
    assert len(problems) == 1
    assert problems[0].startswith(problem)


def test_right_trusted_proxies_are_kept():
    problems = []
    value = ["10.0.0.0/8", "2001:db8::1", "unix"]
    assert Settings.read({"TRUSTED_PROXIES": value}, problems).trusted_proxies == tuple(value)
    assert problems == []


EDGE, EDGE_6 = "104.16.1.1", "2606:4700::1"


@pytest.mark.parametrize(
    ("peer", "headers", "expected"),
    [
        (EDGE, {"cf-connecting-ip": VISITOR}, VISITOR),
        (EDGE_6, {"cf-connecting-ip": VISITOR}, VISITOR),
        (EDGE, {"cf-connecting-ip": VISITOR, "x-forwarded-for": f"{FORGED}, {VISITOR}"}, VISITOR),
        # Pseudo IPv4: what stands for the IPv6 address is of a reserved class.
        (
            EDGE,
            {
                "cf-connecting-ip": "240.16.0.1",
                "cf-connecting-ipv6": VISITOR_6,
                "x-forwarded-for": "240.16.0.1",
            },
            VISITOR_6,
        ),
        (EDGE, {"cf-connecting-ip": VISITOR, "cf-connecting-ipv6": VISITOR_6}, VISITOR_6),
        # What a visitor invents, Cloudflare passes on; it writes no Forwarded.
        (EDGE, {"cf-connecting-ip": VISITOR, "forwarded": f"for={FORGED}"}, VISITOR),
        (EDGE, {"cf-connecting-ip": "nonsense", "x-forwarded-for": VISITOR}, VISITOR),
        # Behind a load balancer of the host's own.
        (
            "10.0.0.1",
            {"cf-connecting-ip": VISITOR, "x-forwarded-for": f"{VISITOR}, {EDGE}"},
            VISITOR,
        ),
        # Past Cloudflare, everything can be forged.
        (VISITOR, {"cf-connecting-ip": FORGED}, VISITOR),
        (VISITOR, {"cf-connecting-ip": FORGED, "x-forwarded-for": f"{FORGED}, {EDGE}"}, VISITOR),
        ("10.0.0.1", {"cf-connecting-ip": FORGED, "x-forwarded-for": VISITOR}, VISITOR),
        (
            "10.0.0.1",
            {"cf-connecting-ip": FORGED, "x-forwarded-for": f"{FORGED}, {EDGE}, {VISITOR}"},
            VISITOR,
        ),
        (
            "10.0.0.1",
            {
                "cf-connecting-ip": FORGED,
                "x-forwarded-for": VISITOR,
                "forwarded": f"for={FORGED}, for={EDGE}",
            },
            None,
        ),
    ],
)
def test_cloudflare_is_believed_where_it_is_the_proxy_and_nowhere_else(peer, headers, expected):
    assert client_address(peer, headers, ("10.0.0.0/8", "Cloudflare")) == expected


def test_cloudflares_headers_do_not_count_unless_it_is_named():
    headers = {"cf-connecting-ip": FORGED, "x-forwarded-for": VISITOR}
    assert client_address(EDGE, headers, (EDGE,)) == VISITOR
    assert client_address(EDGE, headers, 1) == VISITOR
    assert client_address(VISITOR, headers, 0) == VISITOR


@pytest.mark.parametrize("name", ["true-client-ip", "x-real-ip", "x-client-ip", "cf-connecting-ip"])
def test_headers_of_nobody_in_particular_are_never_believed(name):
    for trusted in (0, 1, ("10.0.0.0/8", "cloudflare")):
        peer = "10.0.0.1" if trusted else VISITOR
        assert client_address(peer, {name: FORGED, "x-forwarded-for": VISITOR}, trusted) == VISITOR


@pytest.mark.parametrize("edge", ["151.101.1.6", "2a04:4e42::6"])
def test_fastly_is_looked_through_and_its_header_is_anybodys(edge):
    trusted = ("10.0.0.0/8", "fastly")
    headers = {"fastly-client-ip": FORGED, "x-forwarded-for": f"{FORGED}, {VISITOR}"}
    assert client_address(edge, headers, trusted) == VISITOR
    shielded = {**headers, "x-forwarded-for": f"{FORGED}, {VISITOR}, {edge}"}
    assert client_address("10.0.0.1", shielded, trusted) == VISITOR
    assert client_address(VISITOR, headers, trusted) == VISITOR
    assert client_address(edge, headers, ("10.0.0.0/8",)) == str(parse_address(edge))


@given(st.dictionaries(st.sampled_from(["cf-connecting-ip", "cf-connecting-ipv6"]), st.text()))
def test_whatever_stands_in_cloudflares_headers_nothing_raises(headers):
    found = client_address(EDGE, headers, ("cloudflare",))
    assert found is None or is_public(parse_address(found))
