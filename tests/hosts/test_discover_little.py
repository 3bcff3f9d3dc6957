"""Shops as tutorials write them, of which nobody thought that they would be watched."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from capi_plugins.sandbox import Sandbox
from tests.hosts.walks import HOSTS, environment, served, settings_for, sha, visitor

RECORD = ("capi", "discover", "--record", "--json", "--port", "{port}")


def ask(browser, method, path, **data):
    answer = browser.request(method, path, data=data or None)
    assert answer.status_code == 200, (path, answer.text)


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
    folder = HOSTS / "rawflask"
    common = {
        "PLAIN_DATABASE": str(tmp_path / "raw.sqlite3"),
        "FLASK_APP": "capi_flask:wrap('raw:app')",
        "CAPI_FLASK_APP": "raw:app",
    }
    with served(folder, environment(**common), tmp_path, "-m", "flask", *RECORD) as recording:
        shop_raw(recording.url, "ada@example.com")
    found = json.loads(recording.said)
    for value in ("ada@example.com", "Teapot", "19.5", "s3cret-word"):
        assert value not in recording.said

    with Sandbox() as sandbox:
        settings = settings_for(sandbox, TRIGGERS=found["triggers"])
        environ = environment(**common, FLASK_CAPI=json.dumps(settings))
        server = ("-m", "gunicorn", "-b", "127.0.0.1:{port}", "capi_flask.wsgi:app")
        with served(folder, environ, tmp_path, *server) as shop:
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
