"""A shop without a signal: what ``discover --record`` proposes gives its whole funnel."""

from __future__ import annotations

import json
import re
import shutil

import pytest

from tests.hosts import hosting
from tests.hosts.plain_shops import API, DJANGO, FLASK, RECORD
from tests.hosts.walks import run, served, sha, visitor

TEAPOT = "from plainshop.models import Article; Article.objects.create(title='Teapot', price=19.5)"


def fill(shop, tmp_path, row):
    """Make the database of a shop of Django's, with one row."""
    shop.run(tmp_path, "migrate", "--run-syncdb", "--verbosity=0")
    shop.run(tmp_path, "shell", "-c", row)


def is_told_whole(sent, product, currency):
    """What was looked at, put into the basket and bought, and who it was."""
    data = {name: payload.get("custom_data", {}) for name, payload in sent.items()}
    assert data["ViewContent"]["value"] == 19.5
    assert data["ViewContent"]["currency"] == currency
    assert data["ViewContent"]["content_ids"] == [product]
    assert data["AddToCart"]["contents"] == [{"id": product, "quantity": 3}]
    assert data["Search"]["search_string"] == "tea"
    for name in {"InitiateCheckout", "Purchase"} & data.keys():
        assert data[name]["value"] == 58.5
        assert data[name]["currency"] == currency
        assert data[name]["contents"] == [{"id": product, "quantity": 3, "item_price": 19.5}]
    assert sent["Purchase"]["event_id"].startswith("Purchase.")
    assert sent["Purchase"]["user_data"]["em"] == [sha("bob@example.com")]
    assert sent["CompleteRegistration"]["user_data"]["em"] == [sha("new.bob@example.com")]


def by_event(found):
    return {proposal["event"]: proposal for proposal in found["proposals"]}


def nothing_is_left_to_propose(said):
    found = json.loads(said)
    assert {proposal["state"] for proposal in found["proposals"]} == {"covered"}
    assert found["triggers"] == found["not_fired"] == []


def test_the_proposals_for_a_django_shop_give_its_whole_funnel(tmp_path):
    fill(DJANGO, tmp_path, TEAPOT)
    said = DJANGO.recorded(tmp_path)
    for value in ("ada@example.com", "Adaline", "10997", "Teapot", "19.5", "s3cret-word", "pbkdf2"):
        assert value not in said
    found = json.loads(said)
    assert {proposal["state"] for proposal in found["proposals"]} == {"new"}

    settings, counts, sent = DJANGO.sold(tmp_path, found["triggers"])
    assert counts == {
        "ViewContent": 1,
        "Search": 1,
        "AddToCart": 1,
        "InitiateCheckout": 1,
        "Purchase": 1,
        "CompleteRegistration": 1,
    }
    is_told_whole(sent, "1", "EUR")

    nothing_is_left_to_propose(DJANGO.recorded(tmp_path, settings, "cleo@example.com"))


def test_the_proposals_for_a_shop_that_is_an_api_give_its_whole_funnel(tmp_path):
    pytest.importorskip("rest_framework")
    product = "Product.objects.create(title='Teapot', price='19.5')"
    fill(API, tmp_path, f"from apishop.models import Product; {product}")
    said = API.recorded(tmp_path)
    for value in ("ada@example.com", "Teapot", "19.5", "s3cret-word"):
        assert value not in said

    _, counts, sent = API.sold(tmp_path, json.loads(said)["triggers"])
    assert counts == {
        "ViewContent": 1,
        "Search": 1,
        "AddToCart": 1,
        "Purchase": 1,
        "CompleteRegistration": 1,
    }
    is_told_whole(sent, "1", "EUR")
    assert sent["ViewContent"]["custom_data"] == {
        "value": 19.5,
        "currency": "EUR",
        "content_ids": ["1"],
        "content_name": "Teapot",
        "content_type": "product",
    }


def test_the_proposals_for_a_flask_shop_give_its_whole_funnel_without_a_line_of_code(tmp_path):
    for needed in ("flask_login", "flask_sqlalchemy", "gunicorn"):
        pytest.importorskip(needed)
    said = FLASK.recorded(tmp_path)
    for value in ("ada@example.com", "2071234567", "Teapot", "T-1", "19.5", "P-0"):
        assert value not in said

    settings, counts, sent = FLASK.sold(tmp_path, json.loads(said)["triggers"])
    assert counts == {
        "ViewContent": 1,
        "Search": 1,
        "AddToCart": 1,
        "InitiateCheckout": 1,
        "Purchase": 1,
        "CompleteRegistration": 1,
        "Lead": 1,
    }
    is_told_whole(sent, "T-1", "GBP")
    assert sent["Purchase"]["event_id"].startswith("Purchase.P-")
    assert sent["Purchase"]["user_data"]["ph"] == [sha("442071234567")]
    assert sent["Lead"]["user_data"]["em"] == [sha("bob@example.com")]

    # Wherever events wait and who sends them.
    settings["DELIVERY"] = {"OUTBOX": "auto", "WORKER": "external"}
    nothing_is_left_to_propose(FLASK.recorded(tmp_path, settings, "cleo@example.com"))


def test_what_is_configured_and_does_not_fire_is_named_and_less_is_shown_as_a_difference(tmp_path):
    fill(DJANGO, tmp_path, TEAPOT)
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
    found = json.loads(DJANGO.recorded(tmp_path, settings))
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
    found = by_event(json.loads(DJANGO.run(tmp_path, "capi", "discover", "--json")))
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
    pasted: dict = {}
    exec(DJANGO.run(tmp_path, "capi", "discover"), pasted)
    as_json = json.loads(DJANGO.run(tmp_path, "capi", "discover", "--json"))
    assert pasted["TRIGGERS"] == as_json["triggers"]


def test_a_project_is_needed(capfd, tmp_path):
    from capi_plugins.cli.console import console

    with pytest.raises(SystemExit) as ended:
        console.main(["discover"], prog_name="capi")
    assert ended.value.code == 2
    assert "manage.py capi discover" in capfd.readouterr().err
