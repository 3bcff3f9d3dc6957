"""A shop with django-oscar: INSTALLED_APPS, MIDDLEWARE, and a CAPI of destinations and consent."""

from __future__ import annotations

import ast
import re
from collections import Counter

import pytest

from tests.hosts.hosting import HERE, SERVERS
from tests.hosts.visitors import sha256

DUNE = "/catalogue/dune_1/"
EMMA = "/catalogue/emma_2/"
ADDRESS = {
    "first_name": "Jane",
    "last_name": "Doe",
    "line1": "Invalidenstr. 116",
    "line4": "Berlin",
    "postcode": "10115",
    "country": "DE",
    "phone_number": "+49 30 901820",
}
PERSON = {
    "em": "jane@example.com",
    "ph": "4930901820",
    "fn": "jane",
    "ln": "doe",
    "ct": "berlin",
    "zp": "10115",
    "country": "de",
}
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


def put_into_basket(visitor, page, product, quantity):
    visitor.get(page)
    referrer = {"Referer": visitor.host.url + page}
    visitor.post(f"/basket/add/{product}/", quantity=quantity, headers=referrer)
    visitor.get(page, **referrer)


def start_checkout(visitor, option, email, **fields):
    visitor.get("/checkout/")
    form = {"username": email, "options": option, **fields}
    return visitor.follow(visitor.post("/checkout/", **form))


def look_at_basket_and_go_on(visitor):
    visitor.get("/basket/")
    visitor.follow(visitor.get("/checkout/", expect=302))


def give_address(visitor):
    visitor.follow(visitor.post("/checkout/shipping-address/", **ADDRESS))
    visitor.get("/checkout/preview/")


def place_order(visitor):
    """Place the order, reload the thank-you page, and return the order's number."""
    page = visitor.follow(visitor.post("/checkout/preview/", action="place_order"))
    visitor.get("/checkout/thank-you/")
    return re.search(r"<strong>(\d+)</strong>", page.text)[1]


def buy_as_guest(visitor):
    put_into_basket(visitor, DUNE, 1, 2)
    put_into_basket(visitor, EMMA, 2, 1)
    visitor.post("/basket/vouchers/add/", code="TEN")
    start_checkout(visitor, "anonymous", "jane@example.com")
    give_address(visitor)
    return place_order(visitor)


def register(visitor, email):
    visitor.get("/accounts/login/")
    fields = {"email": email, "password1": "secret-pass-1", "password2": "secret-pass-1"}
    fields = {f"registration-{key}": value for key, value in fields.items()}
    visitor.follow(visitor.post("/accounts/login/", **fields, registration_submit="Register"))


def sign_in(visitor, name):
    visitor.get("/accounts/login/")
    visitor.follow(
        visitor.post(
            "/accounts/login/",
            **{
                "login-username": f"{name}@shop.example",
                "login-password": "secret-pass-1",
                "login_submit": "Log In",
            },
        )
    )


def sign_in_in_the_checkout(visitor, name):
    start_checkout(visitor, "existing", f"{name}@shop.example", password="secret-pass-1")


def begin_as_a_guest_and_sign_in(visitor, name):
    start_checkout(visitor, "anonymous", "guest@example.com")
    sign_in(visitor, name)


@pytest.fixture
def shop(serve):
    return serve("oscar")


def test_the_configuration_is_what_the_documentation_says():
    source = (HERE / "oscar/host_settings.py").read_text()
    ours = [node for node in ast.parse(source).body if isinstance(node, ast.If)][-1]
    names = [ast.unparse(node.targets[0]) for node in ours.body if isinstance(node, ast.Assign)]
    changed = [ast.unparse(node.target) for node in ours.body if isinstance(node, ast.AugAssign)]
    assert (changed, names) == (["INSTALLED_APPS", "MIDDLEWARE"], ["CAPI"])
    (capi,) = [node.value for node in ours.body if isinstance(node, ast.Assign)]
    assert [ast.literal_eval(key) for key in capi.keys] == ["DESTINATIONS", "CONSENT"]
    project = {path.name for path in (HERE / "oscar").glob("*.py")}
    assert project == {"host_settings.py", "host_urls.py", "seed.py"}


@pytest.mark.parametrize(
    ("server", "variant"), [*((server, "") for server in SERVERS), ("gunicorn", "atomic")]
)
def test_a_guest_buys(serve, visit, server, variant):
    shop = serve("oscar", server=server, variant=variant)
    guest = visit(shop)
    guest.get("/search/?q=")
    guest.get("/search/?q=dune")
    guest.get("/search/?q=dune&page=1")
    number = buy_as_guest(guest)
    assert guest.counts() == {
        "Search": 2,
        "ViewContent": 2,
        "AddToCart": 2,
        "InitiateCheckout": 1,
        "AddPaymentInfo": 1,
        "Purchase": 1,
    }
    (purchase,) = guest.events("Purchase")
    assert purchase["event_id"] == f"Purchase.{number}"
    assert purchase["action_source"] == "website"
    # 2 x 9.99 + 5.00, less ten percent.
    assert purchase["custom_data"] == {
        "value": 22.48,
        "currency": "GBP",
        "order_id": number,
        "num_items": 3,
        "content_type": "product",
        "contents": [
            {"id": "1", "quantity": 2, "item_price": 9.99},
            {"id": "2", "quantity": 1, "item_price": 5},
        ],
    }
    assert purchase["user_data"] == {
        **{key: [sha256(text)] for key, text in PERSON.items()},
        "client_ip_address": guest.ip,
        "client_user_agent": purchase["user_data"]["client_user_agent"],
        "fbp": guest.fbp,
        "fbc": guest.fbc,
    }
    added = [event["custom_data"] for event in guest.events("AddToCart")]
    assert [data["value"] for data in added] == [19.98, 5]
    assert added[0]["contents"] == [{"id": "1", "quantity": 2, "item_price": 9.99}]
    for name in ("InitiateCheckout", "AddPaymentInfo"):
        (step,) = guest.events(name)
        assert step["custom_data"]["value"] == 22.48
        assert step["user_data"]["em"] == [sha256("jane@example.com")]
    assert {event["custom_data"]["search_string"] for event in guest.events("Search")} == {"dune"}
    assert [event["custom_data"]["value"] for event in guest.events("ViewContent")] == [9.99, 5]
    ids = [event["event_id"] for event in shop.settled()]
    assert len(ids) == len(set(ids))


def test_every_order_is_one_purchase(shop, visit):
    guest = visit(shop)
    numbers = {buy_as_guest(guest) for _ in range(2)}
    assert len(numbers) == 2
    assert {event["custom_data"]["order_id"] for event in guest.events("Purchase")} == numbers
    assert guest.counts()["Purchase"] == 2


def test_a_customer_registers_and_buys(shop, visit):
    customer = visit(shop)
    register(customer, "newcomer@example.com")
    put_into_basket(customer, EMMA, 2, 1)
    customer.follow(customer.get("/checkout/", expect=302))
    give_address(customer)
    place_order(customer)
    assert customer.counts() == {
        "CompleteRegistration": 1,
        "Login": 1,
        "ViewContent": 1,
        "AddToCart": 1,
        "InitiateCheckout": 1,
        "AddPaymentInfo": 1,
        "Purchase": 1,
    }
    (registered,) = customer.events("CompleteRegistration")
    (purchase,) = customer.events("Purchase")
    assert registered["user_data"]["em"] == [sha256("newcomer@example.com")]
    assert registered["user_data"]["external_id"] == purchase["user_data"]["external_id"]


def test_who_registers_in_the_checkout_starts_it_once(shop, visit):
    newcomer = visit(shop)
    put_into_basket(newcomer, EMMA, 2, 1)
    page = start_checkout(newcomer, "new", "late@example.com")
    form = {"email": "late@example.com", "password1": "secret-pass-1", "password2": "secret-pass-1"}
    onward = re.search(r'name="redirect_url" value="([^"]+)"', page.text)[1]
    newcomer.follow(newcomer.post("/accounts/register/", **form, redirect_url=onward))
    look_at_basket_and_go_on(newcomer)
    give_address(newcomer)
    place_order(newcomer)
    assert newcomer.counts() == {
        "ViewContent": 1,
        "AddToCart": 1,
        "InitiateCheckout": 1,
        "CompleteRegistration": 1,
        "Login": 1,
        "AddPaymentInfo": 1,
        "Purchase": 1,
    }


def test_who_signs_in_in_the_checkout_starts_it_once(shop, visit):
    customer = visit(shop)
    put_into_basket(customer, DUNE, 1, 1)
    sign_in_in_the_checkout(customer, "customer")
    look_at_basket_and_go_on(customer)
    give_address(customer)
    place_order(customer)
    put_into_basket(customer, DUNE, 1, 1)
    look_at_basket_and_go_on(customer)
    assert customer.counts()["InitiateCheckout"] == 2
    assert customer.counts()["Purchase"] == 1


@pytest.mark.parametrize("variant", ["", "atomic"])
@pytest.mark.parametrize("saved", [(EMMA, 2), (DUNE, 1)], ids=["another product", "the same"])
@pytest.mark.parametrize("come_back", [sign_in_in_the_checkout, begin_as_a_guest_and_sign_in])
def test_who_signs_in_and_has_a_saved_basket_starts_the_checkout_once(
    serve, visit, saved, variant, come_back
):
    shop = serve("oscar", variant=variant)
    phone, laptop = visit(shop), visit(shop)
    name = f"{come_back.__name__}{saved[1]}"
    register(phone, f"{name}@shop.example")
    put_into_basket(phone, *saved, 1)
    put_into_basket(laptop, DUNE, 1, 1)
    come_back(laptop, name)
    look_at_basket_and_go_on(laptop)
    give_address(laptop)
    place_order(laptop)
    assert laptop.counts()["InitiateCheckout"] == 1
    assert laptop.counts()["Purchase"] == 1
    put_into_basket(laptop, DUNE, 1, 1)
    look_at_basket_and_go_on(laptop)
    assert laptop.counts()["InitiateCheckout"] == 2


def test_signing_in_is_one_login(shop, visit):
    customer = visit(shop)
    sign_in(customer, "customer")
    assert customer.counts() == {"Login": 1}
    (login,) = customer.events("Login")
    assert login["user_data"]["fn"] == [sha256("ada")]


def test_a_basket_that_is_left_is_no_purchase(shop, visit):
    guest = visit(shop)
    put_into_basket(guest, DUNE, 1, 1)
    start_checkout(guest, "anonymous", "joe@example.com")
    give_address(guest)
    assert guest.counts() == {"ViewContent": 1, "AddToCart": 1, "InitiateCheckout": 1}


def test_prices_without_tax_count_until_the_tax_is_known(serve, visit):
    guest = visit(serve("oscar", variant="american"))
    put_into_basket(guest, DUNE, 1, 2)
    start_checkout(guest, "anonymous", "joe@example.com")
    (added,) = guest.events("AddToCart")
    (started,) = guest.events("InitiateCheckout")
    assert (added["custom_data"]["value"], started["custom_data"]["value"]) == (19.98, 19.98)
    lines = [{"id": "1", "quantity": 2, "item_price": 9.99}]
    assert added["custom_data"]["contents"] == started["custom_data"]["contents"] == lines


@pytest.mark.parametrize("consent", [False, None], ids=["refused", "not asked"])
def test_without_consent_nothing_leaves(shop, visit, consent):
    guest = visit(shop, consent=consent)
    number = buy_as_guest(guest)
    sent = shop.settled()
    assert guest.events() == []
    assert f"Purchase.{number}" not in {event["event_id"] for event in sent}
    assert guest.ip not in {event["user_data"].get("client_ip_address") for event in sent}


def test_a_crawler_makes_no_events(shop, visit):
    crawler = visit(shop, agent=GOOGLEBOT)
    crawler.get(DUNE)
    crawler.get("/search/?q=dune")
    crawler.get("/catalogue/")
    assert crawler.events() == []


def test_staff_cancels_an_order(shop, visit):
    guest, staff = visit(shop), visit(shop)
    number = buy_as_guest(guest)
    sign_in(staff, "staff")
    staff.get(DUNE)
    page = f"/dashboard/orders/{number}/"
    staff.get(page)
    staff.post(page, order_action="change_order_status", new_status="Cancelled")
    sent = shop.settled()
    names = Counter(e["event_name"] for e in sent if number in e["event_id"])
    assert names["Purchase"] == 1
    (cancelled,) = [e for e in sent if e["event_id"] == f"OrderCancelled.{number}"]
    assert cancelled["custom_data"] == {
        "value": 22.48,
        "currency": "GBP",
        "order_id": number,
        "status": "Cancelled",
    }
    assert cancelled["user_data"]["em"] == [sha256("jane@example.com")]
    # It happened in a request of staff, and is the guest's.
    known = {key: cancelled["user_data"].get(key) for key in ("fbp", "fbc", "client_ip_address")}
    assert known == {"fbp": guest.fbp, "fbc": guest.fbc, "client_ip_address": guest.ip}
    # Before signing in nobody knows who it is.
    (before,) = [event for event in sent if staff.ip == event["user_data"].get("client_ip_address")]
    assert before["event_source_url"].endswith("/accounts/login/")


def walk(visitor):
    visitor.get("/search/?q=dune")
    visitor.get("/nowhere/", expect=404)
    return buy_as_guest(visitor)


@pytest.mark.parametrize("capi", ["on", "hooks", "store"])
def test_the_answers_are_those_of_the_shop_alone(unchanged, capi):
    unchanged("oscar", walk, capi)
