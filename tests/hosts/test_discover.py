"""A shop without a signal: what ``discover --record`` proposes gives its whole funnel."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter

import pytest

from capi_plugins.sandbox import Sandbox
from tests.hosts import hosting
from tests.hosts.walks import HOSTS, environment, run, served, settings_for, sha, visitor

DJANGO = HOSTS / "plainshop"
API = HOSTS / "apishop"
FLASK = HOSTS / "plainflask"
RECORD = ("capi", "discover", "--record", "--json", "--port", "{port}")


def ask(browser, method, path, **data):
    answer = browser.request(method, path, data=data or None)
    assert answer.status_code == 200, (path, answer.text)


def shop_django(url, email, quantity):
    with visitor(url) as browser:
        ask(browser, "GET", "/articles/1/")
        ask(browser, "GET", "/search/")
        ask(browser, "GET", "/search/?q=tea")
        ask(browser, "POST", "/cart/add/1/", quantity=quantity)
        ask(browser, "GET", "/orders/create/")
        address = {"email": email, "first_name": "Adaline", "postal_code": "10997"}
        ask(browser, "POST", "/orders/create/", **address)
        ask(browser, "POST", "/payment/")
        ask(browser, "GET", "/payment/done/")  # reloaded
    with visitor(url) as browser:
        ask(browser, "POST", "/sign-up/", email=f"new.{email}", password="s3cret-word")


def shop_flask(url, email, quantity):
    with visitor(url) as browser:
        ask(browser, "GET", "/items/T-1")
        ask(browser, "GET", "/search?query=tea")
        ask(browser, "POST", "/basket/put", sku="T-1", qty=quantity)
        ask(browser, "GET", "/checkout")
        buyer = {"email": email, "phone": "+442071234567"}
        assert browser.post("/checkout", data={**buyer, "card": "declined"}).status_code == 402
        ask(browser, "POST", "/checkout", **buyer, card="good")
        ask(browser, "GET", "/thanks")
        ask(browser, "POST", "/newsletter", email=email)
    with visitor(url) as browser:
        ask(browser, "POST", "/join", email=f"new.{email}")


def django_environment(tmp_path, settings=None):
    more = {} if settings is None else {"PLAIN_CAPI": json.dumps(settings)}
    return environment(PLAIN_DATABASE=str(tmp_path / "plain.sqlite3"), **more)


def flask_environment(tmp_path, settings=None):
    more = {} if settings is None else {"FLASK_CAPI": json.dumps(settings)}
    return environment(
        PLAIN_DATABASE=str(tmp_path / "plain.sqlite3"),
        FLASK_APP="capi_flask:wrap('plain:create_app')",
        CAPI_FLASK_APP="plain:create_app",
        **more,
    )


def set_up_django(tmp_path):
    environ = django_environment(tmp_path)
    run(DJANGO, environ, "manage.py", "migrate", "--run-syncdb", "--verbosity=0")
    fill = (
        "from plainshop.models import Article; Article.objects.create(title='Teapot', price=19.5)"
    )
    run(DJANGO, environ, "manage.py", "shell", "-c", fill)


def by_event(found):
    return {proposal["event"]: proposal for proposal in found["proposals"]}


def payloads(sandbox):
    names = Counter(event.payload["event_name"] for event in sandbox.accepted())
    return names, {event.payload["event_name"]: event.payload for event in sandbox.accepted()}


def test_the_proposals_for_a_django_shop_give_its_whole_funnel(tmp_path):
    set_up_django(tmp_path)
    environ = django_environment(tmp_path)
    with served(DJANGO, environ, tmp_path, "manage.py", *RECORD) as recording:
        shop_django(recording.url, "ada@example.com", 2)
    found = json.loads(recording.said)
    for value in ("ada@example.com", "Adaline", "10997", "Teapot", "19.5", "s3cret-word", "pbkdf2"):
        assert value not in recording.said
    assert {proposal["state"] for proposal in found["proposals"]} == {"new"}

    with Sandbox() as sandbox:
        settings = settings_for(sandbox, TRIGGERS=found["triggers"])
        environ = django_environment(tmp_path, settings)
        server = ("-m", "gunicorn", "-b", "127.0.0.1:{port}", "plainshop.wsgi")
        with served(DJANGO, environ, tmp_path, *server) as shop:
            shop_django(shop.url, "bob@example.com", 3)
        assert sandbox.refused == []
        names, sent = payloads(sandbox)
    assert names == {
        "ViewContent": 1,
        "Search": 1,
        "AddToCart": 1,
        "InitiateCheckout": 1,
        "Purchase": 1,
        "CompleteRegistration": 1,
    }
    line = {"id": "1", "quantity": 3, "item_price": 19.5}
    data = {name: payload.get("custom_data", {}) for name, payload in sent.items()}
    assert data["ViewContent"]["value"] == 19.5
    assert data["ViewContent"]["currency"] == "EUR"
    assert data["ViewContent"]["content_ids"] == ["1"]
    assert data["AddToCart"]["contents"] == [{"id": "1", "quantity": 3}]
    assert data["Search"]["search_string"] == "tea"
    for name in ("InitiateCheckout", "Purchase"):
        assert data[name]["value"] == 58.5
        assert data[name]["currency"] == "EUR"
        assert data[name]["contents"] == [line]
    assert sent["Purchase"]["user_data"]["em"] == [sha("bob@example.com")]
    assert sent["Purchase"]["event_id"].startswith("Purchase.")
    assert sent["CompleteRegistration"]["user_data"]["em"] == [sha("new.bob@example.com")]

    # With these settings there is nothing left to propose.
    environ = django_environment(tmp_path, settings)
    with served(DJANGO, environ, tmp_path, "manage.py", *RECORD) as recording:
        shop_django(recording.url, "cleo@example.com", 1)
    found = json.loads(recording.said)
    assert {proposal["state"] for proposal in found["proposals"]} == {"covered"}
    assert found["triggers"] == found["not_fired"] == []


def shop_api(url, email, quantity):
    with visitor(url) as script:

        def ask(method, path, **data):
            answer = script.request(method, f"/api/{path}", json=data or None)
            assert answer.is_success, answer.text
            return answer.json()

        ask("GET", "products/")
        ask("GET", "products/?search=tea")
        ask("GET", "products/1/")
        cart = ask("POST", "carts/", of="mine")["id"]
        ask("POST", "cart-items/", cart=cart, product=1, quantity=quantity)
        order = ask("POST", "orders/", cart=cart, email=email)["id"]
        ask("POST", f"orders/{order}/pay/")
        ask("POST", f"orders/{order}/pay/")
        ask("POST", "sign-up/", username=email, email=f"new.{email}", password="s3cret-word")


def test_the_proposals_for_a_shop_that_is_an_api_give_its_whole_funnel(tmp_path):
    pytest.importorskip("rest_framework")
    environ = django_environment(tmp_path)
    run(API, environ, "manage.py", "migrate", "--run-syncdb", "--verbosity=0")
    fill = (
        "from apishop.models import Product; Product.objects.create(title='Teapot', price='19.5')"
    )
    run(API, environ, "manage.py", "shell", "-c", fill)
    with served(API, environ, tmp_path, "manage.py", *RECORD) as recording:
        shop_api(recording.url, "ada@example.com", 2)
    found = json.loads(recording.said)
    for value in ("ada@example.com", "Teapot", "19.5", "s3cret-word"):
        assert value not in recording.said

    with Sandbox() as sandbox:
        environ = django_environment(tmp_path, settings_for(sandbox, TRIGGERS=found["triggers"]))
        server = ("-m", "gunicorn", "-b", "127.0.0.1:{port}", "--threads", "4", "apishop.wsgi")
        with served(API, environ, tmp_path, *server) as shop:
            shop_api(shop.url, "bob@example.com", 3)
        assert sandbox.refused == []
        names, sent = payloads(sandbox)
    assert names == {
        "ViewContent": 1,
        "Search": 1,
        "AddToCart": 1,
        "Purchase": 1,
        "CompleteRegistration": 1,
    }
    data = {name: payload.get("custom_data", {}) for name, payload in sent.items()}
    assert data["ViewContent"] == {
        "value": 19.5,
        "currency": "EUR",
        "content_ids": ["1"],
        "content_name": "Teapot",
        "content_type": "product",
    }
    assert data["AddToCart"]["contents"] == [{"id": "1", "quantity": 3}]
    assert (data["Purchase"]["value"], data["Purchase"]["currency"]) == (58.5, "EUR")
    assert data["Purchase"]["contents"] == [{"id": "1", "quantity": 3, "item_price": 19.5}]
    assert sent["Purchase"]["user_data"]["em"] == [sha("bob@example.com")]


def test_the_proposals_for_a_flask_shop_give_its_whole_funnel_without_a_line_of_code(tmp_path):
    for needed in ("flask_login", "flask_sqlalchemy", "gunicorn"):
        pytest.importorskip(needed)
    environ = flask_environment(tmp_path)
    with served(FLASK, environ, tmp_path, "-m", "flask", *RECORD) as recording:
        shop_flask(recording.url, "ada@example.com", 2)
    found = json.loads(recording.said)
    for value in ("ada@example.com", "2071234567", "Teapot", "T-1", "19.5", "P-0"):
        assert value not in recording.said

    with Sandbox() as sandbox:
        settings = settings_for(sandbox, TRIGGERS=found["triggers"])
        environ = flask_environment(tmp_path, settings)
        server = ("-m", "gunicorn", "-b", "127.0.0.1:{port}", "capi_flask.wsgi:app")
        with served(FLASK, environ, tmp_path, *server) as shop:
            shop_flask(shop.url, "bob@example.com", 3)
        assert sandbox.refused == []
        names, sent = payloads(sandbox)
    assert names == {
        "ViewContent": 1,
        "Search": 1,
        "AddToCart": 1,
        "InitiateCheckout": 1,
        "Purchase": 1,
        "CompleteRegistration": 1,
        "Lead": 1,
    }
    data = {name: payload.get("custom_data", {}) for name, payload in sent.items()}
    assert data["ViewContent"]["value"] == 19.5
    assert data["ViewContent"]["content_ids"] == ["T-1"]
    assert data["AddToCart"]["contents"] == [{"id": "T-1", "quantity": 3}]
    assert data["Search"]["search_string"] == "tea"
    for name in ("InitiateCheckout", "Purchase"):
        assert data[name]["value"] == 58.5
        assert data[name]["currency"] == "GBP"
        assert data[name]["contents"] == [{"id": "T-1", "quantity": 3, "item_price": 19.5}]
    assert sent["Purchase"]["event_id"].startswith("Purchase.P-")
    assert sent["Purchase"]["user_data"]["em"] == [sha("bob@example.com")]
    assert sent["Purchase"]["user_data"]["ph"] == [sha("442071234567")]
    assert sent["CompleteRegistration"]["user_data"]["em"] == [sha("new.bob@example.com")]
    assert sent["Lead"]["user_data"]["em"] == [sha("bob@example.com")]

    # With these settings there is nothing left to propose, wherever events wait and who sends them.
    settings["DELIVERY"] = {"OUTBOX": "auto", "WORKER": "external"}
    environ = flask_environment(tmp_path, settings)
    with served(FLASK, environ, tmp_path, "-m", "flask", *RECORD) as recording:
        shop_flask(recording.url, "cleo@example.com", 1)
    found = json.loads(recording.said)
    assert {proposal["state"] for proposal in found["proposals"]} == {"covered"}
    assert found["triggers"] == found["not_fired"] == []


def test_what_is_configured_and_does_not_fire_is_named_and_less_is_shown_as_a_difference(tmp_path):
    set_up_django(tmp_path)
    purchase = {
        "ON": "model",
        "MODEL": "plainshop.Order",
        "CHANGED": {"paid": True},
        "EVENT": "Purchase",
        "CUSTOM_DATA": {"value": "instance.get_total_cost", "currency": {"VALUE": "EUR"}},
    }
    lead = {"ON": "request", "ROUTE": "contact", "EVENT": "Lead"}
    # A destination that would refuse the connection: nothing is sent while recording.
    meta = {"DATASET_ID": "1", "ACCESS_TOKEN": "t", "API_URL": "http://127.0.0.1:9"}
    settings = {
        "DESTINATIONS": {"meta": meta},
        "CONSENT": {"DEFAULT": "granted"},
        "PAGE_VIEW": False,
        "RECIPES": [],
        "TRIGGERS": [purchase, lead],
    }
    environ = django_environment(tmp_path, settings)
    with served(DJANGO, environ, tmp_path, "manage.py", *RECORD) as recording:
        shop_django(recording.url, "ada@example.com", 2)
    found = json.loads(recording.said)
    assert found["not_fired"] == ["CAPI['TRIGGERS'][1]"]
    proposed = by_event(found)["Purchase"]
    assert (proposed["state"], proposed["where"]) == ("fuller", "CAPI['TRIGGERS'][0]")
    assert "EVENT_ID: instance.pk" in proposed["adds"]
    assert "USER_DATA.email: instance.email" in proposed["adds"]
    assert not any(added.startswith("CUSTOM_DATA.value") for added in proposed["adds"])
    # What would make an event twice is not for pasting.
    assert "Purchase" not in {trigger["EVENT"] for trigger in found["triggers"]}
    assert "ViewContent" in {trigger["EVENT"] for trigger in found["triggers"]}


def test_code_alone_tells_of_the_purchase_and_the_account(tmp_path):
    environ = django_environment(tmp_path)
    found = by_event(json.loads(run(DJANGO, environ, "manage.py", "capi", "discover", "--json")))
    trigger = found["Purchase"]["trigger"]
    assert trigger["CHANGED"] == {"paid": True}
    assert trigger["CUSTOM_DATA"]["value"] == "instance.get_total_cost"
    assert trigger["CUSTOM_DATA"]["contents"]["EACH"] == "instance.orderline_set.all"
    assert found["CompleteRegistration"]["trigger"]["MODEL"] == "auth.User"
    assert found["AddToCart"]["trigger"]["CUSTOM_DATA"]["content_ids"] == "kwargs.article_id"


@pytest.mark.parametrize("recorded", [False, True], ids=["code alone", "recorded"])
def test_the_signals_of_a_shop_that_has_them_are_the_moments(hosts_root, tmp_path, recorded):
    hosting.needs("oscar")
    folder = tmp_path / "oscar"
    shutil.copytree(hosting.database("oscar", hosts_root), folder)
    environ = hosting.environment("oscar", folder)
    if recorded:
        with (
            served(folder, environ, tmp_path, "-m", "django", *RECORD) as recording,
            visitor(recording.url) as browser,
        ):
            page = browser.get("/catalogue/dune_1/")
            token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', page.text)[1]
            added = {"quantity": 2, "csrfmiddlewaretoken": token}
            assert browser.post("/basket/add/1/", data=added).status_code == 200
        found = json.loads(recording.said)
    else:
        found = json.loads(run(folder, environ, "-m", "django", "capi", "discover", "--json"))
    proposed = by_event(found)
    for event, trigger in (("ViewContent", "oscar[0]"), ("AddToCart", "oscar[2]")):
        assert (proposed[event]["state"], proposed[event]["where"]) == ("covered", trigger)
    assert [proposal["event"] for proposal in found["proposals"]].count("AddToCart") == 1


def test_the_python_that_is_printed_can_be_pasted(tmp_path):
    environ = django_environment(tmp_path)
    pasted: dict = {}
    exec(run(DJANGO, environ, "manage.py", "capi", "discover"), pasted)
    as_json = json.loads(run(DJANGO, environ, "manage.py", "capi", "discover", "--json"))
    assert pasted["TRIGGERS"] == as_json["triggers"]


def test_a_project_is_needed(capfd, tmp_path):
    from capi_plugins.cli.console import console

    with pytest.raises(SystemExit) as ended:
        console.main(["discover"], prog_name="capi")
    assert ended.value.code == 2
    assert "manage.py capi discover" in capfd.readouterr().err
