from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capi_plugins import Event, UserData
from capi_plugins.builtin.request_data import RequestData, without_secrets
from capi_plugins.context import NO_REQUEST
from capi_plugins.settings import Settings

FBCLID = "IwAR2F4-dbP0l7Mn1IawQQGCINEz7PYXQvwjNwB_qa2ofrHyiLjcbCRxTDMgk"
FBP = "fb.1.1596403881668.1116446470"
FBC = f"fb.1.1554763741205.{FBCLID}"
NEWER = "IwY2xjawFresh-Click_2"
SEEN = 1_763_800_000.25
AGENT = "Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0.0.0"


def enrich(event, context, **exclude):
    plugin = RequestData()
    plugin.capi_configure(Settings.read({"EXCLUDE": exclude}, []))
    return plugin.capi_enrich(event, context) or event


def test_an_event_gets_what_the_visitors_request_tells(make_context):
    context = make_context(
        "https://shop.example/thanks?order=7",
        headers={"cookie": f"_fbp={FBP}; _fbc={FBC}", "referer": "https://pay.example/"},
        user=UserData(email="a@example.com", external_id="42"),
        received_at=SEEN,
    )
    event = enrich(Event(event_name="Purchase"), context)
    assert event.action_source == "website"
    assert event.event_source_url == "https://shop.example/thanks?order=7"
    assert event.referrer_url == "https://pay.example/"
    assert event.user_data == UserData(
        email="a@example.com",
        external_id="42",
        client_ip_address="203.0.113.7",
        client_user_agent=AGENT,
        fbp=FBP,
        fbc=FBC,
    )


def test_nothing_an_event_has_is_replaced(make_context):
    given_data = UserData(
        email="order@example.com", client_ip_address="198.51.100.1", fbp="fb.1.1.1", fbc="fb.1.1.x"
    )
    event = Event(event_name="Lead", user_data=given_data, event_source_url="https://own.example/")
    context = make_context(
        f"https://shop.example/?fbclid={FBCLID}",
        headers={"cookie": f"_fbp={FBP}; _fbc={FBC}"},
        user=UserData(email="account@example.com", phone="+351912345678"),
    )
    made = enrich(event, context)
    assert made.event_source_url == "https://own.example/"
    assert made.user_data == UserData(
        email="order@example.com",
        phone="+351912345678",
        client_ip_address="198.51.100.1",
        client_user_agent=AGENT,
        fbp="fb.1.1.1",
        fbc="fb.1.1.x",
    )


@pytest.mark.parametrize("source", ["app", "physical_store", "phone_call", "system_generated"])
def test_events_from_elsewhere_than_a_website_get_nothing(make_context, source):
    event = Event(event_name="Purchase", action_source=source)
    assert enrich(event, make_context()) is event


def test_outside_of_a_request_there_is_nothing_to_add():
    event = Event(event_name="Purchase")
    assert enrich(event, NO_REQUEST) is event


# ------------------------------------------------------------------ click ids


@pytest.mark.parametrize(
    ("cookie", "query", "expected"),
    [
        (None, None, (None, None, None)),
        (FBC, None, (FBC, None, None)),
        (None, FBCLID, (None, FBCLID, SEEN)),
        (FBC, FBCLID, (FBC, None, None)),  # the same click: the cookie knows when it happened
        (f"{FBC}.AQ", FBCLID, (f"{FBC}.AQ", None, None)),
        (FBC, NEWER, (None, NEWER, SEEN)),
        ("garbage", FBCLID, (None, FBCLID, SEEN)),
        ("", FBCLID, (None, FBCLID, SEEN)),
    ],
)
def test_the_latest_click_counts(make_context, cookie, query, expected):
    url = "https://shop.example/p/1" + (f"?utm_source=fb&fbclid={query}" if query else "")
    headers = {} if cookie is None else {"cookie": f"_fbc={cookie}"}
    made = enrich(Event(event_name="Lead"), make_context(url, headers=headers, received_at=SEEN))
    data = made.user_data
    assert (data.fbc, data.fbclid, data.fbclid_time) == expected


def test_a_click_is_found_on_the_page_of_ours_that_the_request_came_from(make_context):
    landing = f"https://shop.example/p/1?fbclid={FBCLID}"
    context = make_context(
        "https://shop.example/cart/add", method="POST", headers={"referer": landing}
    )
    assert enrich(Event(event_name="AddToCart"), context).user_data.fbclid == FBCLID
    foreign = landing.replace("shop.example", "other.example")
    context = make_context("https://shop.example/", headers={"referer": foreign})
    assert enrich(Event(event_name="PageView"), context).user_data.fbclid is None


def test_an_event_that_brings_its_own_click_keeps_it(make_context):
    context = make_context(
        f"https://shop.example/?fbclid={NEWER}", headers={"cookie": f"_fbc={FBC}"}, received_at=SEEN
    )
    event = Event(event_name="Lead", user_data=UserData(fbclid="own", fbclid_time=5))
    data = enrich(event, context).user_data
    assert (data.fbc, data.fbclid, data.fbclid_time) == (None, "own", 5)
    event = Event(event_name="Lead", user_data=UserData(fbclid="own"))
    data = enrich(event, context).user_data
    assert (data.fbc, data.fbclid, data.fbclid_time) == (None, "own", None)


# ------------------------------------------------------------------ whose request it is


def test_nothing_of_a_member_of_staff_is_taken_for_the_shoppers(make_context):
    context = make_context(
        "https://shop.example/admin/orders/7/",
        method="POST",
        headers={"cookie": f"_fbp={FBP}; _fbc={FBC}"},
        user=UserData(email="staff@shop.example"),
        is_staff=True,
    )
    event = Event(event_name="Purchase", user_data=UserData(email="a@example.com"))
    made = enrich(event, context)
    assert made == event
    assert enrich(event, context, staff=False).user_data.fbp == FBP


@pytest.mark.parametrize(
    "headers",
    [
        {"stripe-signature": "t=1,v1=x", "user-agent": "Stripe/1.0"},
        {"user-agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)"},
        {"paypal-transmission-sig": "x"},
        {"x-shopify-hmac-sha256": "x"},
        {"x-hub-signature-256": "x"},
        {"webhook-id": "x", "webhook-signature": "x"},
        {"user-agent": "PayPal/AUHR-214.0-58843632"},
    ],
)
def test_nothing_of_a_webhook_is_taken_for_the_shoppers(make_context, headers):
    event = Event(event_name="Purchase")
    made = enrich(event, make_context(method="POST", headers=headers))
    assert made == event


# ------------------------------------------------------------------ the page


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-mode": "cors"},
        {"sec-fetch-mode": "same-origin"},
        {"x-requested-with": "XMLHttpRequest"},
    ],
)
def test_the_page_of_a_scripts_request_is_the_page_the_script_is_on(make_context, headers):
    headers = {"referer": "https://shop.example/p/1", **headers}
    context = make_context("https://shop.example/api/cart", method="POST", headers=headers)
    made = enrich(Event(event_name="AddToCart"), context)
    assert (made.event_source_url, made.referrer_url) == ("https://shop.example/p/1", None)


def test_the_page_of_a_form_is_where_it_was_sent(make_context):
    headers = {"referer": "https://shop.example/cart", "sec-fetch-mode": "navigate"}
    context = make_context("https://shop.example/checkout", method="POST", headers=headers)
    made = enrich(Event(event_name="InitiateCheckout"), context)
    assert made.event_source_url == "https://shop.example/checkout"
    assert made.referrer_url == "https://shop.example/cart"


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("utm_source=fb&fbclid=X&q=red+shoes&page=2", "utm_source=fb&fbclid=X&q=red+shoes&page=2"),
        ("token=abc&page=2", "page=2"),
        ("reset_token=abc", ""),
        ("page=2&email=a", "page=2"),
        ("user%5Bemail%5D=a&user[phone]=1", ""),
        ("to=a%40example.com", ""),
        ("next=%252Fx%253Fmail%253Da%2540example.com", ""),
        ("PASSWORD=x&apikey=y&api_key=z&sig=1&session_id=2", ""),
        (
            "keyword=a&design=b&postcode_area=1&barcode=2",
            "keyword=a&design=b&postcode_area=1&barcode=2",
        ),
    ],
)
def test_parameters_with_secrets_and_personal_data_are_not_sent(query, kept):
    page = "https://shop.example/p"
    assert without_secrets(f"{page}?{query}") == (f"{page}?{kept}" if kept else page)


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/news/subscription/ada@example.com/", "/news/subscription/-/"),
        ("/u/ada%40example.com?page=2", "/u/-?page=2"),
        ("/u/ada%2540example.com", "/u/-"),
        ("/accounts/reset/MQ/c8x2ab-5f1c0d9e8b7a6/", "/accounts/reset/MQ/-/"),
        ("/news/activate/eF4U1T6Lv4IlSV2Fw5OYrg2iyUp8ozy/", "/news/activate/-/"),
        ("/accounts/confirm-email/MQ:1rT5Qx:tZ0aBc9dEf/", "/accounts/confirm-email/-/"),
        ("/token/550e8400-e29b-41d4-a716-446655440000/", "/token/-/"),
        ("/magic/qwertzuiopasdfghjklyxcvbnmqwertz/", "/magic/-/"),
        ("/order/confirmation/N1004/", "/order/confirmation/N1004/"),
        ("/invitations/blue-card-with-flowers/", "/invitations/blue-card-with-flowers/"),
        ("/@ada/teapots.html", "/@ada/teapots.html"),
        ("/products/a-very-long-name-of-a-teapot/", "/products/a-very-long-name-of-a-teapot/"),
        ("/", "/"),
        ("", ""),
    ],
)
def test_parts_of_the_path_that_are_addresses_or_tokens_are_not_sent(path, kept):
    assert without_secrets(f"https://shop.example{path}") == f"https://shop.example{kept}"


@given(
    url=st.text(),
    headers=st.dictionaries(
        st.sampled_from(["cookie", "referer", "user-agent", "sec-fetch-mode"]) | st.text(),
        st.text(),
    ),
)
def test_nothing_raises(url, headers):
    from capi_plugins.http_context import request_context

    context = request_context(
        method="GET", url=url, headers=headers, remote_addr=None, trusted_proxies=0
    )
    assert enrich(Event(event_name="Lead"), context).action_source == "website"
