from __future__ import annotations

import json
import pathlib
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capi_plugins import Consent, Event, hookimpl
from capi_plugins.builtin.consent import SOURCES, make_reader
from capi_plugins.consent import Decision
from capi_plugins.context import NO_REQUEST
from capi_plugins.exceptions import ConfigurationError
from capi_plugins.http_context import request_context
from tests.builtin.conftest import OffersNotebook

GRANTED, LIMITED, DENIED, UNKNOWN = Consent.GRANTED, Consent.LIMITED, Consent.DENIED, None
SAYS_YES = {"COOKIE": "ok"}


def ask_the_host(context):
    return {"yes": True, "no": False, "limited": LIMITED, "odd": "yes"}.get(
        context.cookies.get("host", "")
    )


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    import sys
    import types

    module = types.ModuleType("shop_consent")
    module.decide = ask_the_host
    module.number = 3
    monkeypatch.setitem(sys.modules, "shop_consent", module)


# ------------------------------------------------------------------ cookies that settings describe


@pytest.mark.parametrize(
    ("source", "value", "expected"),
    [
        ({}, "yes", GRANTED),
        ({}, "TRUE", GRANTED),
        ({}, "0", DENIED),
        ({}, "perhaps", UNKNOWN),
        ({}, "", UNKNOWN),
        ({"GRANTED": ["all"], "DENIED": ["min"]}, "all", GRANTED),
        ({"GRANTED": "all", "DENIED": "min"}, "min", DENIED),
        ({"GRANTED": ["all"], "DENIED": ["min"]}, "yes", UNKNOWN),
        ({"FORMAT": "json", "PATH": "ads"}, '{"ads":true}', GRANTED),
        ({"FORMAT": "json", "PATH": "ads"}, quote(quote('{"ads":false}')), DENIED),
        ({"FORMAT": "json", "PATH": "ads"}, '"{\\"ads\\": 1}"', GRANTED),
        ({"FORMAT": "json", "PATH": "a.0.b"}, '{"a":[{"b":"no"}]}', DENIED),
        ({"FORMAT": "json", "PATH": "ads"}, '{"ads":null}', UNKNOWN),
        ({"FORMAT": "json", "PATH": "ads"}, '{"ads":{"x":1}}', UNKNOWN),
        ({"FORMAT": "json", "PATH": "ads"}, '{"ads":tr', UNKNOWN),
        ({"FORMAT": "json", "PATH": "ads"}, "[" * 5000, UNKNOWN),
        ({"FORMAT": "json", "PATH": "on", "GRANTED": ["ads"]}, '{"on":["must","ads"]}', GRANTED),
        ({"FORMAT": "json", "PATH": "on", "GRANTED": ["ads"]}, '{"on":["must"]}', DENIED),
        ({"FORMAT": "json"}, "true", GRANTED),
        ({"FORMAT": "pairs", "PATH": "marketing"}, "stats:no,marketing:granted", GRANTED),
        ({"FORMAT": "pairs", "PATH": "ads"}, quote("stats=true|ads=false"), DENIED),
        ({"FORMAT": "query", "PATH": "ads"}, "stats=1&ads=n%6F", DENIED),
        ({"FORMAT": "query", "PATH": "ads"}, quote("stats=1&ads=1"), GRANTED),
        ({"FORMAT": "query", "PATH": "ads"}, "stats=1", UNKNOWN),
        ({"FORMAT": "regex", "PATH": r"ads=(\w+)"}, "!facebook=false!ads=true", GRANTED),
        ({"FORMAT": "regex", "PATH": r"ads=wait"}, "ads=wait", UNKNOWN),
        ({"FORMAT": "regex", "PATH": r"ads=(\w+)"}, "x", UNKNOWN),
    ],
)  # fmt: skip
def test_any_cookie_can_be_described(decide, source, value, expected):
    assert decide({"COOKIE": "x", **source}, f"x={value}") is expected
    assert decide({"COOKIE": "x", **source}) is UNKNOWN


def test_any_header_can_be_described(decide):
    source = {"HEADER": "X-Consent", "FORMAT": "json", "PATH": "ads"}
    assert decide(source, x_consent='{"ads": false}') is DENIED
    assert decide(source) is UNKNOWN


# ------------------------------------------------------------------ a host's own function


def test_a_function_answers_a_consent_a_bool_or_nothing(decide):
    assert decide("shop_consent.decide", "host=yes") is GRANTED
    assert decide("shop_consent.decide", "host=no") is DENIED
    assert decide("shop_consent.decide", "host=limited") is LIMITED
    assert decide("shop_consent.decide", "host=none") is UNKNOWN


def test_a_function_that_answers_nonsense_refuses(make_client, make_context):
    client = make_client({"DEFAULT": "granted", "SOURCES": ["shop_consent.decide"]})
    [result] = client.dry_run(
        Event(event_name="Lead"), make_context(headers={"cookie": "host=odd"})
    )
    assert result.payload is None
    assert result.reason == "no consent (consent_sources)"


# ------------------------------------------------------------------ in the pipeline


@pytest.mark.parametrize(
    ("default", "headers", "expected"),
    [
        ("denied", {"cookie": "ok=yes", "sec-gpc": "0"}, b"Lead granted"),
        ("denied", {"cookie": "ok=yes", "sec-gpc": "1"}, None),
        ("denied", {"cookie": "ok=yes; usprivacy=1YYN"}, b"Lead limited"),
        ("denied", {"cookie": "ok=no; usprivacy=1YNN"}, None),
        ("granted", {"cookie": "ok=no"}, None),
        ("granted", {}, b"Lead granted"),
        ("denied", {}, None),
        ("hold", {}, None),
    ],
)
def test_the_strictest_source_wins_and_the_default_holds_without_any(
    make_client, make_context, default, headers, expected
):
    client = make_client({"DEFAULT": default, "SOURCES": [SAYS_YES, "gpc", "usprivacy"]})
    [result] = client.dry_run(Event(event_name="Lead"), make_context(headers=headers))
    assert (result.payload and result.payload.body) == expected


REFUSALS = {
    "onetrust": "OptanonConsent=interactionCount=1&groups=C0001%3A1%2CC0004%3A0",
    "cookiebot": "CookieConsent={marketing:false%2Cmethod:%27explicit%27}",
    "cookieyes": "cookieyes-consent=action:yes,advertisement:no",
    "complianz": "cmplz_marketing=deny",
    "termly": 'T_DC_a={"4":"denied"}',
    "bridge": "capi_consent=marketing:denied",
    "cc_cookie": 'cc_cookie={"categories":["necessary"]}',
    "django_cookie_consent": "cookie_consent=social=-1",
    "didomi": "didomi_token=eyJ2ZW5kb3JzIjp7ImRpc2FibGVkIjpbImZhY2Vib29rIl19fQ==",
    "shopify": '_tracking_consent={"con":{"CMP":{"m":"0"}},"v":"2.1"}',
    "tcf": "euconsent-v2=CQraFkAQraFkAEsACBENBQFgAAAAAAAAAAYgAAAAAAAA.YAAAAAAAAAAA",
    "google_consent_mode": 'modes={"ad_storage":"denied","ad_user_data":"granted"}',
    "gpp": "__gpp=DBABLA~BVQVAAAAAgA.QA",
    "usprivacy": "usprivacy=1YYN",
    "gpc": "",
    "dnt": "",
}


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("first", [True, False])
def test_one_refusal_wins_whichever_source_it_is_of(make_client, make_context, name, first):
    source = {"SOURCE": name}
    if name == "google_consent_mode":
        source["COOKIE"] = "modes"
    if name in ("gpp", "usprivacy"):
        source["OPT_OUT"] = "denied"
    sources = [source, SAYS_YES] if first else [SAYS_YES, source]
    client = make_client({"DEFAULT": "granted", "SOURCES": sources})
    headers = {"cookie": f"ok=yes; {REFUSALS[name]}", "sec-gpc": "1", "dnt": "1"}
    [result] = client.dry_run(Event(event_name="Lead"), make_context(headers=headers))
    assert result.payload is None
    assert result.reason == f"no consent ({name})"


@pytest.mark.parametrize("consent", [Consent.GRANTED, Consent.LIMITED])
def test_what_the_event_itself_carries_counts(make_client, consent):
    client = make_client("denied")
    [result] = client.dry_run(Event(event_name="Lead", consent=consent), NO_REQUEST)
    assert result.payload.body == f"Lead {consent.value}".encode()


def test_an_event_that_carries_a_refusal_is_refused(make_client, make_context):
    client = make_client({"DEFAULT": "granted", "SOURCES": [SAYS_YES]})
    event = Event.from_dict({"event_name": "Lead", "consent": "denied"})
    [result] = client.dry_run(event, make_context(headers={"cookie": "ok=yes"}))
    assert result.reason == "no consent (event_consent)"


@pytest.mark.parametrize(
    ("sources", "headers", "reason"),
    [
        (["onetrust"], {"cookie": "OptanonConsent=groups=C0004:0"}, "onetrust"),
        ([{"SOURCE": "cookieyes"}, "gpc"], {"sec-gpc": "1"}, "gpc"),
        (["gpc", "cc_cookie"], {"sec-gpc": "1", "cookie": 'cc_cookie={"categories":[]}'}, "gpc"),
        ([SAYS_YES], {"cookie": "ok=no"}, "cookie ok"),
        ([{"HEADER": "X-Consent"}], {"x-consent": "no"}, "header X-Consent"),
        (["shop_consent.decide"], {"cookie": "host=no"}, "shop_consent.decide"),
    ],
)
def test_the_reason_names_the_banner_that_refused(
    make_client, make_context, sources, headers, reason
):
    client = make_client({"DEFAULT": "granted", "SOURCES": sources})
    [result] = client.dry_run(Event(event_name="Lead"), make_context(headers=headers))
    assert result.reason == f"no consent ({reason})"


class Banner:
    """A plugin that knows more than its own name."""

    @hookimpl
    def capi_consent(self):
        return Decision(DENIED, "our banner")


class Careless:
    @hookimpl
    def capi_consent(self):
        return Decision("denied", "our banner")


def test_a_plugin_may_name_its_banner(make_client):
    client = make_client("granted", PLUGINS=[Banner(), OffersNotebook()])
    [result] = client.dry_run(Event(event_name="Lead"), NO_REQUEST)
    assert result.reason == "no consent (our banner)"


def test_a_decision_of_no_consent_refuses_in_the_plugins_name(make_client):
    client = make_client("granted", PLUGINS=[Careless(), OffersNotebook()])
    [result] = client.dry_run(Event(event_name="Lead"), NO_REQUEST)
    assert result.reason == "no consent (Careless)"


# ------------------------------------------------------------------ mistakes in settings

AT = "CAPI['CONSENT']['SOURCES'][0]"


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("onetrsut", f"{AT} 'onetrsut' is not a consent source; did you mean 'onetrust'?"),
        ("shop.nowhere", f"{AT} 'shop.nowhere' cannot be imported: No module named 'shop'"),
        ("shop_consent.number", f"{AT} 'shop_consent.number' cannot be imported: 'number' cannot"),
        ({"SOURCE": "gcp"}, f"{AT} 'gcp' is not a consent source; did you mean"),
        ({"SOURCE": "onetrust", "GRUOPS": ["x"]}, f"{AT}['GRUOPS'] is not a setting; did you mean"),
        ({"SOURCE": "onetrust", "GROUPS": [4]}, f"{AT}['GROUPS'] must be a name or a list of"),
        ({"SOURCE": "onetrust", "GROUPS": []}, f"{AT}['GROUPS'] must be a name or a list of"),
        ({"SOURCE": "tcf", "PURPOSES": ["1"]}, f"{AT}['PURPOSES'] must be a list of numbers"),
        ({"SOURCE": "gpc", "OPT_OUT": "granted"}, f"{AT}['OPT_OUT'] must be 'denied' or 'limited'"),
        ({"FORMAT": "json"}, f"{AT} must name one of 'SOURCE', 'COOKIE' and 'HEADER'"),
        ({"COOKIE": "x", "FORMAT": "jsn"}, f"{AT}['FORMAT'] 'jsn' is not a format; did you mean '"),
        ({"COOKIE": "x", "FORMAT": "pairs"}, f"{AT}['PATH'] is required with the format 'pairs'"),
        ({"COOKIE": "x", "FORMAT": "regex", "PATH": "("}, f"{AT}['PATH'] is not a regular expres"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_at_start_up_with_its_path(make_client, source, problem):
    with pytest.raises(ConfigurationError) as caught:
        make_client({"DEFAULT": "denied", "SOURCES": [source]})
    [told] = caught.value.problems
    assert told.startswith(problem)


def test_every_mistake_is_told_at_once(make_client):
    sources = ["onetrust", "nonesuch", {"SOURCE": "gpc", "OPT_OUT": "maybe"}]
    with pytest.raises(ConfigurationError) as caught:
        make_client({"DEFAULT": "maybe", "SOURCES": sources})
    paths = [problem.split(" ")[0] for problem in caught.value.problems]
    assert paths == [
        "CAPI['CONSENT']['DEFAULT']",
        "CAPI['CONSENT']['SOURCES'][1]",
        "CAPI['CONSENT']['SOURCES'][2]['OPT_OUT']",
    ]


def test_the_documentation_names_every_source():
    page = pathlib.Path(__file__).parents[2].joinpath("docs", "consent.md").read_text("utf-8")
    for name in SOURCES:
        assert f"\n| `{name}` |" in page


# ------------------------------------------------------------------ whatever arrives

COOKIES = [
    *("OptanonConsent", "CookieConsent", "cookieyes-consent", "cmplz_marketing", "cc_cookie"),
    *("cookie_consent", "didomi_token", "_tracking_consent", "_cmp_a", "euconsent-v2"),
    *("__gpp", "usprivacy", "x", "capi_consent", "T_DC_1", "gpp", "OTGPPConsent"),
    *("OptanonAlertBoxClosed", "cookielawinfo-checkbox-advertisement", "wp_consent_marketing"),
    "eupubconsent-v2",
]
BITS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_~.", max_size=120)
VALUES = st.one_of(
    st.text(),
    st.binary().map(lambda raw: raw.decode("latin-1")),
    BITS.map(lambda text: f"DBAB{text}"),
    BITS.map(lambda text: f"C{text}"),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["categories", "con", "CMP", "m", "purposes", "vendors", "enabled", "4"]
                ),
                inner,
                max_size=3,
            )
        ),
    ).map(lambda data: quote(json.dumps(data))),
    st.text("groups=&:,C0041%253A1{}'|marketing.true", max_size=60),
)
GENERIC = [
    {"COOKIE": "x", "FORMAT": kind, "PATH": path}
    for kind, path in [
        ("json", "a.0.b"), ("pairs", "a"), ("query", "a"), ("regex", r"a=(\w+)?"), ("plain", ""),
    ]
]  # fmt: skip
MODES = {"SOURCE": "google_consent_mode", "COOKIE": "x", "TYPES": ["m", "4"]}
HEADER = {"HEADER": "dnt", "FORMAT": "json", "PATH": "a"}
READERS = [make_reader(source, "", []) for source in [*SOURCES, *GENERIC, MODES, HEADER]]


@given(
    cookies=st.dictionaries(st.sampled_from(COOKIES), VALUES),
    headers=st.dictionaries(st.sampled_from(["sec-gpc", "dnt"]), VALUES),
)
def test_no_cookie_and_no_header_makes_a_source_raise(cookies, headers):
    header = "; ".join(f"{name}={value}" for name, value in cookies.items())
    context = request_context(
        method="GET",
        url="https://shop.example/",
        headers={"cookie": header, **headers},
        remote_addr=None,
        trusted_proxies=0,
    )
    for read in READERS:
        assert read(context) in (GRANTED, LIMITED, DENIED, UNKNOWN)


@given(
    source=st.one_of(
        st.text(max_size=20),
        st.dictionaries(
            st.sampled_from(["SOURCE", "COOKIE", "HEADER", "FORMAT", "PATH", "GRANTED", "GROUPS"])
            | st.sampled_from(["DENIED", "PURPOSES", "OPT_OUT", "EXPLICIT", "CATEGORY"])
            | st.integers(),
            st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.sampled_from(
                [*SOURCES, "json", "regex"]
            )
            | st.lists(st.none() | st.integers() | st.text(max_size=5), max_size=3),
        ),
    )
)  # fmt: skip
def test_no_setting_makes_anything_but_a_sentence(source):
    problems = []
    read = make_reader(source, "CAPI", problems)
    assert read(NO_REQUEST) in (GRANTED, LIMITED, DENIED, UNKNOWN)
    assert all(problem.startswith("CAPI") for problem in problems)
