"""Shops as tutorials write them, of which nobody thought that they would be watched."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest

from capi_plugins.sandbox import Sandbox
from tests.hosts.plain_shops import ask
from tests.hosts.walks import HOSTS, environment, run, served, settings_for, sha, visitor

RECORD = ("capi", "discover", "--record", "--json", "--port", "{port}")


LINKS, RAW = HOSTS / "linkshop", HOSTS / "rawflask"
WRAPPED = "capi_flask:wrap('raw:app')"


def shop_raw(url, email):
    with visitor(url) as browser:
        ask(browser, "GET", "/addToCart?productId=1")  # asks to register first
        ask(browser, "POST", "/register", email=email, password="s3cret-word")
        ask(browser, "POST", "/register", email=email, password="s3cret-word")
        ask(browser, "GET", "/productDescription?productId=1")
        ask(browser, "GET", "/productDescription?productId=1")
        ask(browser, "GET", "/search?searchQuery=tea")
        ask(browser, "GET", "/addToCart?productId=1")
        ask(browser, "GET", "/addToCart?productId=2")
        ask(browser, "GET", "/removeFromCart?productId=2")
        ask(browser, "GET", "/checkout")
        ask(browser, "POST", "/payment")
        ask(browser, "GET", "/thankYou")


def test_a_flask_shop_with_sql_by_hand_and_texts_for_pages_has_its_funnel(tmp_path):
    pytest.importorskip("gunicorn")
    common = {
        "PLAIN_DATABASE": str(tmp_path / "raw.sqlite3"),
        "FLASK_APP": WRAPPED,
        "CAPI_FLASK_APP": "raw:app",
    }
    with served(RAW, environment(**common), tmp_path, "-m", "flask", *RECORD) as recording:
        shop_raw(recording.url, "ada@example.com")
    found = json.loads(recording.said)
    for value in ("ada@example.com", "Teapot", "19.5", "s3cret-word"):
        assert value not in recording.said

    with Sandbox() as sandbox:
        settings = settings_for(sandbox, TRIGGERS=found["triggers"])
        environ = environment(**common, FLASK_CAPI=json.dumps(settings))
        server = ("-m", "gunicorn", "-b", "127.0.0.1:{port}", "capi_flask.wsgi:app")
        with served(RAW, environ, tmp_path, *server) as shop:
            shop_raw(shop.url, "bob@example.com")
        assert sandbox.refused == []
        sent = [event.payload for event in sandbox.accepted()]
    data = {event["event_name"]: event.get("custom_data", {}) for event in sent}
    people = {event["event_name"]: event["user_data"].get("em") for event in sent}
    assert Counter(event["event_name"] for event in sent) == {
        "ViewContent": 1,
        "Search": 1,
        "AddToCart": 2,
        "InitiateCheckout": 1,
        "Purchase": 1,
        "CompleteRegistration": 1,
    }
    assert data["ViewContent"]["content_ids"] == ["1"]
    assert data["Search"]["search_string"] == "tea"
    assert data["AddToCart"]["content_ids"] == ["2"]
    for event in ("InitiateCheckout", "Purchase"):
        assert (data[event]["value"], data[event]["currency"]) == (19.5, "USD")
    assert people["Purchase"] == people["CompleteRegistration"] == [sha("bob@example.com")]


def make_links(environ):
    run(LINKS, environ, "manage.py", "migrate", "--run-syncdb", "--verbosity=0")
    fill = (
        "from linkshop.models import Item; "
        "Item.objects.create(title='Bag', slug='leather-bag', price=100, discount_price=80)"
    )
    run(LINKS, environ, "manage.py", "shell", "-c", fill)


def shop_by_links(url, email, order):
    with visitor(url) as browser:
        ask(browser, "GET", "/shop/leather-bag/")
        ask(browser, "GET", "/shop/leather-bag/")
        ask(browser, "GET", "/add-to-cart/leather-bag/")  # asks to sign in first
        join = "/join/?next=/add-to-cart/leather-bag/"
        ask(browser, "POST", join, email=email, password="s3cret-word")
        ask(browser, "GET", "/add-to-cart/leather-bag/")
        ask(browser, "GET", "/checkout/")
        ask(browser, "GET", f"/preview/{order}/")
        ask(browser, "POST", f"/preview/{order}/")
    with visitor(url) as bank:
        for _ in range(3):
            assert bank.post("/hooks/money/", json={"order": order}).status_code == 200


def test_a_django_shop_of_links_behind_a_login_has_its_funnel(tmp_path):
    pytest.importorskip("gunicorn")
    common = {"PLAIN_DATABASE": str(tmp_path / "links.sqlite3")}
    environ = environment(**common)
    make_links(environ)
    with served(LINKS, environ, tmp_path, "manage.py", *RECORD) as recording:
        shop_by_links(recording.url, "ada@example.com", 1)
    found = json.loads(recording.said)
    assert not any("post_save" in moment["name"] for moment in found["moments"])

    with Sandbox() as sandbox:
        settings = settings_for(sandbox, TRIGGERS=found["triggers"])
        environ = environment(**common, PLAIN_CAPI=json.dumps(settings))
        server = ("-m", "gunicorn", "-b", "127.0.0.1:{port}", "linkshop.wsgi")
        with served(LINKS, environ, tmp_path, *server) as shop:
            shop_by_links(shop.url, "bob@example.com", 2)
        assert sandbox.refused == []
        sent = [event.payload for event in sandbox.accepted()]
    assert Counter(event["event_name"] for event in sent) == {
        "ViewContent": 1,
        "AddToCart": 2,
        "InitiateCheckout": 1,
        "Purchase": 1,
        "CompleteRegistration": 1,
    }
    data = {event["event_name"]: event.get("custom_data", {}) for event in sent}
    assert (data["ViewContent"]["value"], data["ViewContent"]["currency"]) == (80, "EUR")
    assert data["ViewContent"]["content_ids"] == ["leather-bag"]
    assert data["AddToCart"]["content_ids"] == ["leather-bag"]
    for event in ("InitiateCheckout", "Purchase"):
        assert (data[event]["value"], data[event]["currency"]) == (160, "EUR")
        line = {"id": "leather-bag", "quantity": 2, "item_price": 80}
        assert data[event]["contents"] == [line]
    (purchase,) = [event for event in sent if event["event_name"] == "Purchase"]
    assert purchase["event_id"] == "Purchase.2"
    assert purchase["user_data"]["em"] == [sha("bob@example.com")]


def test_code_alone_tells_the_lines_of_an_order_and_leaves_the_method_of_links_open(tmp_path):
    environ = environment(PLAIN_DATABASE=str(tmp_path / "links.sqlite3"))
    found = json.loads(run(LINKS, environ, "manage.py", "capi", "discover", "--json"))
    proposed = {proposal["event"]: proposal["trigger"] for proposal in found["proposals"]}
    assert "METHOD" not in proposed["AddToCart"]
    assert proposed["Purchase"]["CHANGED"] == {"completed": {"EMPTY": False}}
    assert proposed["Purchase"]["CUSTOM_DATA"]["contents"]["EACH"] == "instance.items.all"


IN_THE_BACKGROUND = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


@pytest.mark.parametrize(
    ("folder", "command", "page"),
    [(LINKS, ("manage.py",), "/shop/leather-bag/"), (RAW, ("-m", "flask"), "/search?searchQuery=")],
    ids=["django", "flask"],
)
def test_in_the_background_of_a_script_sigterm_ends_it_and_shows_what_was_found(
    folder, command, page, tmp_path
):
    environ = environment(PLAIN_DATABASE=str(tmp_path / "shop.sqlite3"), FLASK_APP=WRAPPED)
    if folder == LINKS:
        make_links(environ)
    arguments = ("-c", IN_THE_BACKGROUND, *command, *RECORD)
    with (
        served(folder, environ, tmp_path, *arguments) as recording,
        visitor(recording.url) as browser,
    ):
        ask(browser, "GET", page)
    assert json.loads(recording.said)["moments"]
    assert re.search(r"'kill \d+'\s+ends it", recording.log)
