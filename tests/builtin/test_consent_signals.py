from __future__ import annotations

from urllib.parse import quote

import pytest

from capi_plugins.consent import Consent

GRANTED, LIMITED, DENIED, UNKNOWN = Consent.GRANTED, Consent.LIMITED, Consent.DENIED, None

ALL = "CQraFkAQraFkAEsACBENBQFgAP_gAAAAAAYgF5wA4AAgAEAAoBeYAAAAAAAA.YAAAAAAAAAAA"
NONE = "CQraFkAQraFkAEsACBENBQFgAAAAAAAAAAYgAAAAAAAA.YAAAAAAAAAAA"
ONE_EIGHT_NINE = "CQraFkAQraFkAEsACBENBQFgAIGAAAAAAAYgF5wAQF5gAAAA.YAAAAAAAAAAA"
ONE_THREE_FOUR_SEVEN = "CQraFkAQraFkAEsACBENBQFgALIAAAAAAAYgF5wAQF5gAAAA.YAAAAAAAAAAA"
LIVE = "CPhgeQAPhgeQAAHABBENCmCgAP_AAAEAAAqIAAAAAAAA.f_gAACAAAAAA"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (ALL, GRANTED),
        (NONE, DENIED),
        (ONE_EIGHT_NINE, DENIED),
        (ONE_THREE_FOUR_SEVEN, GRANTED),
        (LIVE, GRANTED),
        (quote(quote(NONE)), DENIED),
        (ALL[:28], UNKNOWN),  # cut off before the purposes
        ("B" + ALL[1:], UNKNOWN),  # version 1
        ("DBABLA~BVQqAAAAAgA.QA", UNKNOWN),
        ("C!!!" + ALL, UNKNOWN),
        ("", UNKNOWN),
    ],
)
def test_tcf(decide, value, expected):
    assert decide("tcf", f"euconsent-v2={value}") is expected
    assert decide("tcf", f"eupubconsent-v2={value}") is expected


def test_tcf_purposes_are_a_setting(decide):
    cookie = f"euconsent-v2={ONE_EIGHT_NINE}"
    assert decide({"SOURCE": "tcf", "PURPOSES": [1, 8]}, cookie) is GRANTED
    assert decide({"SOURCE": "tcf", "PURPOSES": [1, 2]}, cookie) is DENIED
    assert decide("tcf", f"euconsent-v2={ALL}; eupubconsent-v2={NONE}") is DENIED


def bits(text):
    """Encode zeros and ones the way IAB strings are: six to a character."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    text += "0" * (-len(text) % 6)
    return "".join(alphabet[int(text[at : at + 6], 2)] for at in range(0, len(text), 6))


def section(*fields):
    return bits("000001" + "".join(f"{field:02b}" for field in fields))


def fibonacci(number):
    parts = [1, 2]
    while parts[-1] <= number:
        parts.append(parts[-1] + parts[-2])
    code = ""
    for part in reversed(parts[:-1]):
        code = ("1" if part <= number else "0") + code
        number -= part if part <= number else 0
    return code + "1"


def header(*entries):
    """The header of a GPP string: numbers, each the distance from the one before."""
    return bits("000011" + "000001" + f"{len(entries):012b}" + "".join(entries))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("DBABLA~BVQqAAAAAgA.QA", GRANTED),
        ("DBABLA~BVQVAAAAAgA.QA", LIMITED),
        ("DBABLA~BVQVAAAAAgA.YA", LIMITED),
        ("DBABLA~BVQqAAAAAgA.YA", LIMITED),  # no opt-out, but GPC
        ("DBABLA~BAAAAAAAAAA.QA", UNKNOWN),  # nothing applies
        (quote("DBABLA~BVQVAAAAAgA.QA", safe=""), LIMITED),
        ("DBABVg~BVVVVVVg.YA", LIMITED),  # Connecticut
        ("DBABBg~BVqqqqpY.QA", GRANTED),  # California
        ("DBABBg~" + section(1, 1, 1, 1, 2), LIMITED),
        ("DBABBg~" + section(1, 1, 1, 2, 1), LIMITED),
        ("DBABTA~1YYN", LIMITED),  # US Privacy inside
        ("DBABTA~1YNN", GRANTED),
        ("DBABMA~CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA", UNKNOWN),  # TCF: left to tcf
        ("DBABLA", UNKNOWN),
        ("DBABLA~", UNKNOWN),
        ("DBABLA~BVQ", UNKNOWN),
        ("CBABLA~BVQVAAAAAgA.QA", UNKNOWN),
        ("D~~~~", UNKNOWN),
        ("", UNKNOWN),
    ],
)
def test_gpp(decide, value, expected):
    assert decide("gpp", f"__gpp={value}") is expected
    assert decide("gpp", f"gpp={value}") is expected


@pytest.mark.parametrize(
    ("number", "opt_outs"),
    [(7, (6, 7, 8)), (8, (3, 4)), (9, (3, 4)), (11, (4, 5)), (18, (4, 5)), (22, (3, 4))],
)
def test_every_opt_out_of_a_section_counts(decide, number, opt_outs):
    start = header("0" + fibonacci(number))
    willing = [1] * min(opt_outs) + [2] * len(opt_outs) + [0] * 12
    assert decide("gpp", f"__gpp={start}~{section(*willing)}") is GRANTED
    for at in opt_outs:
        refusing = [*willing]
        refusing[at] = 1
        assert decide("gpp", f"__gpp={start}~{section(*refusing)}") is LIMITED


def test_gpp_strings_of_several_sections_and_ranges(decide):
    # Sections 7 and 8 as a range: start 7, one further.
    both = header("1" + fibonacci(7) + fibonacci(1))
    national, california = "BVQqAAAAAgA", section(1, 1, 1, 1, 2)
    assert decide("gpp", f"__gpp={both}~{national}~{california}") is LIMITED
    # Sections 6 and 7 one by one: 6, then one further.
    both = header("0" + fibonacci(6), "0" + fibonacci(1))
    assert decide("gpp", f"__gpp={both}~1YYN~{national}") is LIMITED
    assert decide("gpp", f"__gpp={both}~1YNN~{national}") is GRANTED
    assert decide("gpp", f"__gpp={both}~{national}") is UNKNOWN


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1---", UNKNOWN),
        ("1YNN", GRANTED),
        ("1YYN", LIMITED),
        ("1NYN", LIMITED),
        ("1NN-", UNKNOWN),
        ("1yyn", LIMITED),
        ("2YYN", UNKNOWN),
        ("1YY", UNKNOWN),
        ("1YYX", UNKNOWN),
        ("", UNKNOWN),
    ],
)
def test_us_privacy(decide, value, expected):
    assert decide("usprivacy", f"usprivacy={value}") is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [("1", DENIED), (" 1 ", DENIED), ("0", UNKNOWN), ("", UNKNOWN), ("yes", UNKNOWN)],
)
def test_global_privacy_control_and_do_not_track(decide, value, expected):
    assert decide("gpc", sec_gpc=value) is expected
    assert decide("dnt", dnt=value) is expected


def test_without_the_header_nothing_is_said(decide):
    assert decide("gpc") is UNKNOWN
    assert decide("dnt") is UNKNOWN


def test_what_an_opt_out_means_is_a_setting(decide):
    assert decide({"SOURCE": "gpc", "OPT_OUT": "limited"}, sec_gpc="1") is LIMITED
    assert decide({"SOURCE": "dnt", "OPT_OUT": "limited"}, dnt="1") is LIMITED
    assert decide({"SOURCE": "usprivacy", "OPT_OUT": "denied"}, "usprivacy=1YYN") is DENIED
    cookie = "gpp=DBABLA~BVQVAAAAAgA.QA"
    assert decide({"SOURCE": "gpp", "OPT_OUT": "denied"}, cookie) is DENIED
