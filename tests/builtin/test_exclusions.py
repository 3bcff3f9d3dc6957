# ruff: noqa: E501 - user agents are long
from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capi_plugins import DropEvent, Event, UserData
from capi_plugins.builtin.exclusions import BROWSING, Exclusions
from capi_plugins.context import NO_REQUEST
from capi_plugins.http_context import request_context
from capi_plugins.settings import Settings

CONVERSIONS = ["Purchase", "Lead", "CompleteRegistration", "Subscribe", "Some custom event"]


def reason(event, context, **exclude):
    problems = []
    plugin = Exclusions()
    plugin.capi_configure(Settings.read({"EXCLUDE": exclude}, problems))
    assert problems == []
    try:
        plugin.capi_filter(event if isinstance(event, Event) else Event(event_name=event), context)
    except DropEvent as decision:
        return decision.reason
    return None


def test_a_visitor_is_not_excluded(make_context):
    for name in [*BROWSING, *CONVERSIONS]:
        assert reason(name, make_context(is_staff=False)) is None
        assert reason(name, NO_REQUEST) is None


@pytest.mark.parametrize("name", sorted(BROWSING))
def test_staff_who_browse_are_excluded(make_context, name):
    context = make_context(is_staff=True)
    assert reason(name, context) == "excluded: browsing of a member of staff"
    assert reason(name, context, staff=False) is None


@pytest.mark.parametrize("name", CONVERSIONS)
def test_what_staff_complete_for_a_shopper_counts_wherever_they_do_it(make_context, name):
    context = make_context(
        "https://shop.example/admin/orders/7/",
        method="POST",
        is_staff=True,
        user=UserData(email="me@ourshop.example"),
    )
    assert reason(name, context, paths=["^/admin/"], emails=["*@ourshop.example"]) is None


@pytest.mark.parametrize(
    "agent",
    [
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "kube-probe/1.31",
        "ELB-HealthChecker/2.0",
        "GoogleHC/1.0",
        "Amazon-Route53-Health-Check-Service (ref 1; report http://amzn.to/1vsZADi)",
        "Envoy/HC",
        "Mastodon/4.4 (http.rb/5.2; +https://social.example/)",
        "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X) Chrome/140 Mobile Safari/537.36 (compatible; AdsBot-Google-Mobile)",
        "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
        "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
        "Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)",
        "Mozilla/5.0 (compatible; Baiduspider/2.0)",
        "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
        "meta-externalagent/1.1",
        "WhatsApp/2.23.20.0 A",
        "TelegramBot (like TwitterBot)",
        "Slackbot-LinkExpanding 1.0",
        "Mozilla/5.0 Chrome/140 Safari/537.36 Chrome-Lighthouse",
        "Mozilla/5.0 (compatible; UptimeRobot/2.0)",
        "Scrapy/2.11 (+https://scrapy.org)",
        "curl/8.5.0",
        "python-requests/2.32.3",
        "Python/3.12 aiohttp/3.10",
        "Go-http-client/2.0",
    ],
)
def test_bots_that_browse_are_excluded_and_what_machines_report_counts(make_context, agent):
    context = make_context(headers={"user-agent": agent})
    assert reason("ViewContent", context) == "excluded: browsing of a bot"
    assert reason("ViewContent", context, bots=False) is None
    assert reason("Purchase", context) is None


@pytest.mark.parametrize(
    "agent",
    [
        "",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15",
        "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/22A3354 [FBAN/FBIOS;FBAV/480.0;FBDV/iPhone15,2]",
        "Mozilla/5.0 (Linux; Android 12; CUBOT NOTE 40) AppleWebKit/537.36 Chrome/140.0.0.0 Mobile Safari/537.36",
        "Mozilla/5.0 (Linux; Android 9; CUBOT_X19) AppleWebKit/537.36 Chrome/140.0.0.0 Mobile Safari/537.36",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/140.0.0.0 Safari/537.36",
        "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/140 Mobile Safari/537.36 Instagram 350.0 Android",
        "okhttp/4.12.0",
        "ShopApp/3 CFNetwork/1568 Darwin/24.0",
        "node",
        "axios/1.7",
        "Werkzeug/3.1.3",
    ],
)
def test_browsers_and_apps_are_no_bots(make_context, agent):
    assert reason("PageView", make_context(headers={"user-agent": agent})) is None


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-purpose": "prefetch"},
        {"sec-purpose": "prefetch;prerender"},
        {"sec-purpose": "prefetch;anonymous-client-ip"},
        {"purpose": "prefetch"},
        {"x-purpose": "preview"},
        {"x-moz": "prefetch"},
    ],
)
def test_pages_fetched_in_advance_are_excluded(make_context, headers):
    context = make_context(headers=headers)
    assert reason("PageView", context) == "excluded: the browser fetched the page in advance"
    assert reason("PageView", context, prefetch=False) is None
    assert reason("PageView", make_context(headers={"purpose": "something else"})) is None


def test_head_requests_are_excluded(make_context):
    context = make_context(method="HEAD")
    assert reason("PageView", context).startswith("excluded: a HEAD request")


def test_paths_are_searched_in_the_path_alone(make_context):
    paths = [r"^/admin/", r"\.json$"]
    found = "excluded: the path is in CAPI['EXCLUDE']['paths']"
    assert reason("Lead", make_context("https://shop.example/admin/x"), paths=paths) == found
    assert reason("Lead", make_context("https://shop.example/a.json?b=1"), paths=paths) == found
    assert reason("Lead", make_context("https://shop.example/p?to=/admin/"), paths=paths) is None


@pytest.mark.parametrize(
    ("email", "excluded"),
    [
        ("tester@ourshop.example", True),
        (" Tester@OurShop.example ", True),
        (["a@example.com", "b@ourshop.example"], True),
        ("qa+17@example.com", True),
        ("a@ourshop.example.org", False),
        ("a@example.com", False),
        (None, False),
        (17, False),
    ],
)
def test_the_hosts_own_addresses_are_excluded(make_context, email, excluded):
    emails = ["*@ourshop.example", "qa+*@example.com"]
    event = Event(event_name="Purchase", user_data=UserData(email=email))
    signed_in = make_context(user=UserData(email=email), is_staff=False)
    assert (reason(event, NO_REQUEST, emails=emails) is not None) is excluded
    assert (reason("Purchase", signed_in, emails=emails) is not None) is excluded


def test_a_reason_does_not_tell_the_address(make_context):
    event = Event(event_name="Purchase", user_data=UserData(email="tester@ourshop.example"))
    assert "tester" not in reason(event, make_context(), emails=["*@ourshop.example"])


def test_the_pipeline_asks(make_client, make_context):
    client = make_client("granted", EXCLUDE={"paths": ["^/health"]})
    [result] = client.dry_run(
        Event(event_name="PageView"), make_context("https://shop.example/health")
    )
    assert result.reason == "excluded: the path is in CAPI['EXCLUDE']['paths']"


@given(
    url=st.text(),
    method=st.text(),
    headers=st.dictionaries(
        st.sampled_from(["user-agent", "sec-purpose", "purpose", "cookie"]), st.text()
    ),
    email=st.none() | st.text() | st.lists(st.text()),
    patterns=st.lists(st.text(), max_size=3),
)
def test_nothing_raises_but_a_decision(url, method, headers, email, patterns):
    context = request_context(
        method=method, url=url, headers=headers, remote_addr=None, trusted_proxies=0
    )
    event = Event(event_name="PageView", user_data=UserData(email=email))
    paths = [re.escape(pattern) for pattern in patterns]
    reason(event, context, emails=patterns, paths=paths)


@pytest.mark.parametrize(
    "path",
    ["/health", "/healthz/", "/_health", "/health-check", "/api/livez", "/health/ready", "/ping"],
)
def test_a_probe_without_a_browser_is_a_bot_and_a_page_about_health_is_a_page(make_context, path):
    url = f"https://shop.example{path}"
    probe = make_context(url, headers={"user-agent": "checker/1.0"})
    assert reason("PageView", probe) == "excluded: browsing of a bot"
    assert reason("PageView", probe, bots=False) is None
    assert reason("PageView", make_context(url)) is None
    assert reason("Purchase", probe) is None
    other = make_context("https://shop.example/healthy/", headers={"user-agent": "checker/1.0"})
    assert reason("PageView", other) is None
