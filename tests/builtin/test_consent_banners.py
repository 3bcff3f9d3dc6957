from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest

from capi_plugins.consent import Consent

GRANTED, LIMITED, DENIED, UNKNOWN = Consent.GRANTED, Consent.LIMITED, Consent.DENIED, None

ONETRUST = (
    "isGpcEnabled=0&datestamp=Mon+Apr+29+2024+02%3A31%3A04+GMT%2B0300&version=202402.1.0"
    "&browserGpcFlag=0&isIABGlobal=false&hosts=&consentId=c75ee027-2dd5&interactionCount=1"
    "&isAnonUser=1&landingPath=NotLandingPage&groups=C0001%3A1%2CC0002%3A1%2CC0004%3A1"
    "&geolocation=%3B&AwaitingReconsent=false"
)
REFUSED = ONETRUST.replace("C0002%3A1%2CC0004%3A1", "C0002%3A0%2CC0004%3A0")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (ONETRUST, GRANTED),
        (REFUSED, DENIED),
        (quote(ONETRUST), GRANTED),
        (quote(REFUSED), DENIED),
        (quote(quote(REFUSED)), DENIED),
        ("interactionCount=2&groups=C0002%3A1%2CC0004%3A1%2CC0001%3A1%2CV2STACK42%3A1", GRANTED),
        ("interactionCount=1&groups=C0001%3A1%2CC0002%3A1", UNKNOWN),  # this site has no C0004
        ("interactionCount=1&groups=s00%3A1%2Cf00%3A1%2Cm00%3A1%2Ct00%3A1", UNKNOWN),
        ("interactionCount=0&groups=1%3A1%2C2%3A1%2C4%3A1", UNKNOWN),
        (ONETRUST.replace("interactionCount=1", "interactionCount=0"), UNKNOWN),
        (ONETRUST.replace("AwaitingReconsent=false", "AwaitingReconsent=true"), UNKNOWN),
        (ONETRUST.replace("isGpcEnabled=0", "isGpcEnabled=1"), DENIED),
        (ONETRUST.replace("browserGpcFlag=0", "browserGpcFlag=1"), DENIED),
        ("groups=", UNKNOWN),
        ("nothing", UNKNOWN),
        ("", UNKNOWN),
        ("%E0%A4%A", UNKNOWN),
    ],
)
def test_onetrust(decide, value, expected):
    assert decide("onetrust", f"OptanonConsent={value}") is expected


def test_onetrust_groups_have_the_sites_own_names_and_all_must_be_on(decide):
    cookie = "OptanonConsent=interactionCount=1&groups=s00%3A1%2Cf00%3A1%2Cm00%3A1%2Ct00%3A0"
    assert decide({"SOURCE": "onetrust", "GROUPS": "m00"}, cookie) is GRANTED
    assert decide({"SOURCE": "onetrust", "GROUPS": ["m00", "t00"]}, cookie) is DENIED
    assert decide({"SOURCE": "onetrust", "GROUPS": ["m00", "x00"]}, cookie) is UNKNOWN


def test_onetrust_without_interaction_counts_once_the_banner_was_closed(decide):
    value = ONETRUST.replace("interactionCount=1", "interactionCount=0")
    cookie = f"OptanonConsent={value}; OptanonAlertBoxClosed=2026-01-01T00:00:00.000Z"
    assert decide("onetrust", cookie) is GRANTED


def test_onetrust_does_not_believe_the_address_of_the_landing_page(decide):
    link = quote("https://shop.example/?a=1&groups=C0004:1&b=2", safe="")
    value = REFUSED.replace("NotLandingPage", link)
    assert decide("onetrust", f"OptanonConsent={value}") is DENIED
    assert decide("onetrust", f"OptanonConsent={quote(value)}") is DENIED


COOKIEBOT_NO = (
    "{stamp:%27G+6rYDfrODgg==%27%2Cnecessary:true%2Cpreferences:false%2Cstatistics:false"
    "%2Cmarketing:false%2Cmethod:%27explicit%27%2Cver:1%2Cutc:1705162226478%2Cregion:%27ae%27}"
)
COOKIEBOT_IMPLIED = (
    "{stamp:%27-1%27%2Cnecessary:true%2Cpreferences:true%2Cstatistics:true%2Cmarketing:true"
    "%2Cmethod:%27implied%27%2Cver:1%2Cutc:1695456095624%2Cregion:%27CN%27}"
)
COOKIEBOT_YES = COOKIEBOT_NO.replace("marketing:false", "marketing:true")
COOKIEBOT_IAB = COOKIEBOT_YES.replace(
    "%2Cregion", "%2Ciab2:%27CP5jqEAP5jqEACGABBENAmEgAAAA%27%2Cgacm:%271~%27%2Cregion"
)


@pytest.mark.parametrize(
    ("value", "expected", "explicit"),
    [
        (COOKIEBOT_NO, DENIED, DENIED),
        (COOKIEBOT_YES, GRANTED, GRANTED),
        (COOKIEBOT_IAB, GRANTED, GRANTED),
        (COOKIEBOT_IMPLIED, GRANTED, UNKNOWN),
        (quote(COOKIEBOT_NO), DENIED, DENIED),
        (COOKIEBOT_NO.replace("%27", "'").replace("%2C", ","), DENIED, DENIED),
        ("-1", GRANTED, UNKNOWN),
        ("0", UNKNOWN, UNKNOWN),
        ("{stamp:%27,marketing:true,%27%2Cmarketing:false}", DENIED, DENIED),
        ("{marketing:maybe}", UNKNOWN, UNKNOWN),
        ("{", UNKNOWN, UNKNOWN),
    ],
)
def test_cookiebot(decide, value, expected, explicit):
    assert decide("cookiebot", f"CookieConsent={value}") is expected
    source = {"SOURCE": "cookiebot", "EXPLICIT": True}
    assert decide(source, f"CookieConsent={value}") is explicit


COOKIEYES = "consentid:VUp6,consent:{},action:{},necessary:yes,analytics:no,advertisement:{},other:"


@pytest.mark.parametrize(
    ("value", "expected", "explicit"),
    [
        (COOKIEYES.format("no", "yes", "no"), DENIED, DENIED),
        (COOKIEYES.format("yes", "yes", "yes"), GRANTED, GRANTED),
        (COOKIEYES.format("yes", "no", "yes"), GRANTED, UNKNOWN),
        (quote(COOKIEYES.format("no", "yes", "no")), DENIED, DENIED),
        (
            "consentid:YjZO,consent:,action:,necessary:,functional:,analytics:,advertisement:,other:",
            UNKNOWN,
            UNKNOWN,
        ),
        (
            "consentid:VUp6,consent:no,action:yes,necessary:yes,analytics:no,advertisement:no,other:no",
            DENIED,
            DENIED,
        ),
        ("consentid:%E0%A4%A,action:yes,advertisement:yes", GRANTED, GRANTED),
        ("%", UNKNOWN, UNKNOWN),
    ],
)
def test_cookieyes(decide, value, expected, explicit):
    assert decide("cookieyes", f"cookieyes-consent={value}") is expected
    source = {"SOURCE": "cookieyes", "EXPLICIT": True}
    assert decide(source, f"cookieyes-consent={value}") is explicit


def test_cookieyes_older_cookie(decide):
    assert decide("cookieyes", "cookielawinfo-checkbox-advertisement=yes") is GRANTED
    assert decide("cookieyes", "cookielawinfo-checkbox-advertisement=no") is DENIED


@pytest.mark.parametrize(
    ("cookie", "expected"),
    [
        ("cmplz_marketing=allow", GRANTED),
        ("cmplz_marketing=deny", DENIED),
        ("wp_consent_marketing=allow", GRANTED),
        ("wp_consent_marketing=deny; cmplz_marketing=allow", DENIED),
        ("cmplz_statistics=allow", UNKNOWN),
        ("cmplz_marketing=", UNKNOWN),
    ],
)
def test_complianz(decide, cookie, expected):
    assert decide("complianz", cookie) is expected


CC_NO = (
    '{"categories":["necessary"],"revision":0,"data":null,"rfc_cookie":false,'
    '"consent_date":"2024-08-27T08:45:11.101Z"}'
)
CC_YES = CC_NO.replace('["necessary"]', '["necessary","marketing"]')


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (CC_NO, DENIED),
        (CC_YES, GRANTED),
        (quote(CC_NO), DENIED),
        (quote(CC_YES), GRANTED),
        (quote(quote(CC_YES)), GRANTED),
        ('{"level":["necessary","analytics","vimeo"],"revision":0}', DENIED),
        ('{"level":["necessary","ads"],"revision":0}', GRANTED),
        ('{"categories":[],"revision":0}', DENIED),
        ('{"categories":"marketing"}', UNKNOWN),
        ('{"categories":', UNKNOWN),
        ("[1]", UNKNOWN),
    ],
)
def test_vanilla_cookieconsent(decide, value, expected):
    assert decide("cc_cookie", f"cc_cookie={value}") is expected


def test_vanilla_cookieconsent_with_the_sites_own_names(decide):
    value = CC_YES.replace("marketing", "werbung")
    source = {"SOURCE": "cc_cookie", "CATEGORY": "werbung", "COOKIE": "choices"}
    assert decide(source, f"choices={value}") is GRANTED
    assert decide(source, f"choices={CC_YES}") is DENIED


@pytest.mark.parametrize(
    ("value", "groups", "expected"),
    [
        ("analytics=2026-10-01T08:00:00+00:00|social=-1", "social", DENIED),
        ("analytics=2026-10-01T08:00:00+00:00|social=-1", "analytics", GRANTED),
        ("analytics=2026-10-01T08:00:00+00:00|social=-1", ["analytics", "social"], DENIED),
        ("social=2026-10-01T08:00:00+00:00", "social", GRANTED),
        ('"social=2026-10-01T08:00:00+00:00|ads=-1"', "ads", DENIED),
        ("social=2026-10-01T08:00:00+00:00", "ads", UNKNOWN),
        ("social=", "social", UNKNOWN),
        ("", "social", UNKNOWN),
    ],
)
def test_django_cookie_consent(decide, value, groups, expected):
    source = {"SOURCE": "django_cookie_consent", "GROUPS": groups}
    assert decide(source, f"cookie_consent={value}") is expected


def test_django_cookie_consent_knows_the_usual_names(decide):
    accepted = "2026-10-01T08:00:00+00:00"
    name = "django_cookie_consent"
    assert decide(name, f"cookie_consent=analytics=-1|marketing={accepted}") is GRANTED
    assert decide(name, f"cookie_consent=social=-1|marketing={accepted}") is DENIED
    assert decide(name, f"cookie_consent=analytics={accepted}") is UNKNOWN


def didomi_token(**data):
    return base64.b64encode(json.dumps({"user_id": "178", "version": 2, **data}).encode()).decode()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"vendors": {"enabled": ["google", "facebook"]}}, GRANTED),
        ({"vendors": {"enabled": ["google", "c:facebook-VFepKrLR"]}}, GRANTED),
        ({"vendors": {"enabled": ["google"], "disabled": ["facebook"]}}, DENIED),
        ({"vendors": {"enabled": ["google"]}}, UNKNOWN),
        ({"vendors": ["facebook"]}, UNKNOWN),
        ({"vendors": {"enabled": "facebook"}}, UNKNOWN),
        ({"vendors": {"enabled": [["facebook"], None]}}, UNKNOWN),
        ({}, UNKNOWN),
    ],
)
def test_didomi(decide, data, expected):
    token = didomi_token(**data)
    for value in (token, token.rstrip("="), quote(token), token.replace("+", "-")):
        assert decide("didomi", f"didomi_token={value}") is expected


def test_didomi_purposes(decide):
    source = {"SOURCE": "didomi", "PURPOSES": ["ads-1"]}
    assert (
        decide(source, f"didomi_token={didomi_token(purposes={'enabled': ['ads-1']})}") is GRANTED
    )
    assert (
        decide(source, f"didomi_token={didomi_token(purposes={'disabled': ['ads-1']})}") is DENIED
    )
    assert decide(source, "didomi_token=eyJ1c2VyX2lkIjoi") is UNKNOWN


SHOPIFY = '{"con":{"CMP":{"a":"","m":"%s","p":"","s":""}},"v":"2.1","region":"UA18","reg":""}'


@pytest.mark.parametrize(
    ("cookie", "expected"),
    [
        ("_tracking_consent=" + SHOPIFY % "", UNKNOWN),
        ("_tracking_consent=" + SHOPIFY % "1", GRANTED),
        ("_tracking_consent=" + SHOPIFY % "0", DENIED),
        ("_tracking_consent=" + quote(SHOPIFY % "0"), DENIED),
        ("_tracking_consent=3.AMPS_USCA_t_t_1SPle0Bi", UNKNOWN),
        (
            '_cmp_a={"purposes":{"a":true,"p":true,"m":true,"t":true},"display_banner":false}',
            GRANTED,
        ),
        ('_cmp_a={"purposes":{"a":true,"p":true,"m":false,"t":true}}', DENIED),
        ("_cmp_a=" + quote('{"purposes":{"m":false}}'), DENIED),
        ('_cmp_a={"purposes":[]}', UNKNOWN),
    ],
)
def test_shopify(decide, cookie, expected):
    assert decide("shopify", cookie) is expected
