"""Every row of the table of invalid events: what comes back in each mode."""

from __future__ import annotations

import attrs
import httpx
import pytest

from capi_plugins.sandbox import Dataset, Sandbox
from tests.sandbox.wire_events import (
    AGENT,
    EMAIL,
    NOW,
    app_install,
    changed,
    website_purchase,
    whatsapp_purchase,
)

DAY = 86400
SHOP = website_purchase()
APP = app_install()
CHAT = whatsapp_purchase()
STORE = changed(changed(SHOP, "action_source", "physical_store"), "event_time", int(NOW) - 63 * DAY)


@attrs.frozen
class Row:
    """A request body's one event and Meta's answer: subcode, or None for a plain 100."""

    number: str
    event: object
    strict: object
    meta: object = "same"
    invented: bool = False


def people(**user_data):
    return changed(SHOP, "user_data", user_data)


def only(*keys):
    values = {
        "country": [EMAIL], "st": [EMAIL], "fn": [EMAIL], "ge": [EMAIL], "db": [EMAIL],
        "ln": [EMAIL], "client_user_agent": AGENT,
    }  # fmt: skip
    return people(**{key: values[key] for key in keys})


OK = "ok"
ROWS = [
    Row("1 eight days old", changed(SHOP, "event_time", int(NOW) - 8 * DAY), 2804003),
    Row("3 in store, 63 days old", STORE, 2804003, invented=True),
    Row("4 in store, 30 days old", changed(STORE, "event_time", int(NOW) - 30 * DAY), OK),
    Row("5 ten minutes ahead", changed(SHOP, "event_time", int(NOW) + 600), 2804004),
    Row("6 milliseconds", changed(SHOP, "event_time", int(NOW * 1000)), 2804004, invented=True),
    Row("7 no event_time", changed(SHOP, "event_time"), 2804019, invented=True),
    Row("8 event_time is a word", changed(SHOP, "event_time", "yesterday"), 2804019, invented=True),
    Row("9 no event_name", changed(SHOP, "event_name"), 2804019, invented=True),
    Row("9 empty event_name", changed(SHOP, "event_name", ""), 2804019, invented=True),
    Row("15 plain em", changed(SHOP, "user_data.em", ["john@x.com"]), 2804016),
    Row("16 plain ct", changed(SHOP, "user_data.ct", "newyork"), 2804016),
    Row("17 63 hex characters", changed(SHOP, "user_data.em", [EMAIL[:-1]]), 2804016),
    Row("18 upper case", changed(SHOP, "user_data.em", EMAIL.upper()), 2804016, OK, invented=True),
    Row("19 MD5", changed(SHOP, "user_data.em", EMAIL[:32]), 2804016, OK, invented=True),
    Row("20 hashed IP", changed(SHOP, "user_data.client_ip_address", EMAIL), OK),
    Row("20 invalid IP", changed(SHOP, "user_data.client_ip_address", "256.1.1.1"), OK),
    Row("21 no user_data", changed(SHOP, "user_data"), 2804019),
    Row("22 user_data {}", people(), 2804050),
    Row("23 country and state", only("country", "st"), 2804050),
    Row("24 first name and gender", only("fn", "ge"), 2804050),
    Row("24 last name and gender", only("ln", "ge"), 2804050),
    Row("24 birthday and agent", only("db", "client_user_agent"), 2804050),
    Row("25 user agent alone", only("client_user_agent"), 2804050),
    Row("first and last name are enough", only("fn", "ln", "client_user_agent"), OK),
    Row("26 Purchase without value", changed(SHOP, "custom_data.value"), 2804009),
    Row("26 Purchase without custom_data", changed(SHOP, "custom_data"), 2804009),
    Row("27 Purchase without currency", changed(SHOP, "custom_data.currency"), 2804010),
    Row("28 value is a word", changed(SHOP, "custom_data.value", "abc"), None, invented=True),
    Row("29 US Dollar", changed(SHOP, "custom_data.currency", "US Dollar"), 2804023),
    Row("currency in lower case", changed(SHOP, "custom_data.currency", "usd"), OK),
    Row("30 content without id", changed(SHOP, "custom_data.contents.0.id"), 2804008),
    Row("31 content_type", changed(SHOP, "custom_data.content_type", "subscription"), OK),
    Row("32 action_source web", changed(SHOP, "action_source", "web"), 2804019, invented=True),
    Row("33 no action_source", changed(SHOP, "action_source"), 2804019, OK, invented=True),
    Row(
        "34 no user agent",
        changed(SHOP, "user_data.client_user_agent"),
        None,
        OK,
        invented=True,
    ),
    Row("35 no event_source_url", changed(SHOP, "event_source_url"), 2804019, OK, invented=True),
    Row("36 unknown key", changed(SHOP, "advertiser_tracking_enabled", 1), 2804019),
    Row("37 app without app_data", changed(APP, "app_data"), None),
    Row(
        "37 app without the flag",
        changed(APP, "app_data.advertiser_tracking_enabled"),
        None,
    ),
    Row("38 no extinfo", changed(APP, "app_data.extinfo"), 2804043),
    Row("38 fifteen entries", changed(APP, "app_data.extinfo.15"), 2804043),
    Row("38 no OS version", changed(APP, "app_data.extinfo.4", ""), 2804043),
    Row("39 extinfo a1", changed(APP, "app_data.extinfo.0", "a1"), 2804043, invented=True),
    Row(
        "40 flag 2",
        changed(APP, "app_data.advertiser_tracking_enabled", 2),
        None,
        invented=True,
    ),
    Row(
        "40 flag as boolean",
        changed(APP, "app_data.advertiser_tracking_enabled", True),
        None,
        OK,
        invented=True,
    ),
    Row("42 lead_id of five digits", changed(SHOP, "user_data.lead_id", 12345), 2804036),
    Row("a real lead_id", changed(SHOP, "user_data.lead_id", 1234567890123456), OK),
    Row("43 no messaging_channel", changed(CHAT, "messaging_channel"), 2804063),
    Row("44 messaging Lead", changed(CHAT, "event_name", "Lead"), 2804066),
    Row("45 invented ctwa_clid", changed(CHAT, "user_data.ctwa_clid", "abc"), 2804087),
    Row(
        "46 instagram without account",
        changed(changed(CHAT, "messaging_channel", "instagram"), "user_data", {"ig_sid": "123"}),
        2804079,
    ),
    Row(
        "messenger without page",
        changed(
            changed(CHAT, "messaging_channel", "messenger"),
            "user_data",
            {"page_scoped_user_id": "123"},
        ),
        2804069,
    ),
    Row(
        "whatsapp without account",
        changed(CHAT, "user_data.whatsapp_business_account_id"),
        2804116,
    ),
    Row(
        "47 LDU without state",
        SHOP | {"data_processing_options": ["LDU"], "data_processing_options_country": 1},
        OK,
    ),
    Row(
        "48 processing option",
        SHOP | {"data_processing_options": ["XYZ"]},
        2804019,
        invented=True,
    ),
    Row("55 event_id in custom_data", changed(SHOP, "custom_data.event_id", "x"), OK),
    Row(
        "56 lowercased click id",
        changed(SHOP, "user_data.fbc", SHOP["user_data"]["fbc"].lower()),
        OK,
    ),
    Row("an event that is a number", 5, 2804019, invented=True),
    Row("an event that is null", None, 2804019, invented=True),
    Row("user_data is a list", changed(SHOP, "user_data", []), 2804019, invented=True),
    Row("unknown user_data key", changed(SHOP, "user_data.email", "x"), 2804019, OK, invented=True),
    Row("a list where text belongs", changed(SHOP, "user_data.fbp", []), 2804019, OK, True),
    Row("event_time as text", changed(SHOP, "event_time", str(int(NOW))), 2804019, OK, True),
    Row("madid in app_data", changed(APP, "app_data.madid", "x"), 2804019, OK, True),
    Row("order_id as number", changed(SHOP, "custom_data.order_id", 1001), None, OK, True),
    Row("numeric text as value", changed(SHOP, "custom_data.value", "9.90"), OK),
    Row("custom property", changed(SHOP, "custom_data.coupon", {"any": [1]}), OK),
]


@pytest.mark.parametrize("mode", ["strict", "meta"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.number)
def test_event_is_answered_as_the_table_says(row, mode, sandbox, post):
    sandbox.mode = mode
    expected = row.meta if mode == "meta" and row.meta != "same" else row.strict
    answer = post(row.event)
    if expected == OK:
        assert answer.status_code == 200, answer.text
        assert answer.json()["events_received"] == 1
        return
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert (error["code"], error["type"]) == (100, "OAuthException")
    assert error.get("error_subcode") == expected
    assert ("sandbox" in error) == row.invented
    assert error["fbtrace_id"].startswith("A")
    assert error["is_transient"] is False
    assert error["error_user_title"]
    assert sandbox.events == []


@pytest.mark.parametrize("event", [SHOP, APP, CHAT], ids=["website", "app", "whatsapp"])
@pytest.mark.parametrize("mode", ["strict", "meta"])
def test_good_event_passes_without_remarks(event, mode, sandbox, post):
    sandbox.mode = mode
    answer = post(event)
    assert answer.json().keys() == {"events_received", "messages", "fbtrace_id"}
    assert answer.json()["messages"] == []
    assert [str(warning) for warning in sandbox.events[0].warnings] == []


@pytest.mark.parametrize("source", ["email", "phone_call", "chat", "other", "system_generated"])
def test_other_sources_need_no_more_than_an_identifier(source, post):
    event = {
        "event_name": "Lead",
        "event_time": int(NOW),
        "action_source": source,
        "user_data": {"em": [EMAIL]},
    }
    assert post(event).status_code == 200


def test_documented_crm_and_limited_data_use_payloads_pass(sandbox, post):
    lead = {
        "event_name": "Marketing Qualified Lead",
        "event_time": int(NOW),
        "action_source": "system_generated",
        "user_data": {"lead_id": 1234567890123456, "em": [EMAIL]},
        "custom_data": {"event_source": "crm", "lead_event_source": "Salesforce"},
    }
    limited = SHOP | {
        "data_processing_options": ["LDU"],
        "data_processing_options_country": 0,
        "data_processing_options_state": 0,
    }
    assert post(lead, limited).json()["events_received"] == 2
    assert [event.warnings for event in sandbox.events] == [(), ()]


def test_2_one_old_event_refuses_the_whole_batch(sandbox, post):
    old = changed(SHOP, "event_time", int(NOW) - 8 * DAY)
    answer = post(changed(SHOP, "event_id", "a"), old, changed(SHOP, "event_id", "b"))
    error = answer.json()["error"]
    assert error["error_subcode"] == 2804003
    assert "[1]" not in answer.text, "Meta does not say which event it was"
    assert sandbox.events == []
    assert [bool(event.problems) for event in sandbox.refused] == [False, True, False]


def test_structural_refusal_names_the_place(post):
    message = post(SHOP, changed(SHOP, "foo", 1)).json()["error"]["message"]
    assert "Unexpected key \"foo\" on param $['data'][1]" in message


def test_time_is_judged_before_customer_information(post):
    event = changed(only("client_user_agent"), "event_time", int(NOW) - 8 * DAY)
    assert post(event).json()["error"]["error_subcode"] == 2804003


def test_events_are_judged_in_order_and_the_first_decides(post):
    no_value = changed(SHOP, "custom_data.value")
    old = changed(SHOP, "event_time", int(NOW) - 8 * DAY)
    assert post(no_value, old).json()["error"]["error_subcode"] == 2804009


def test_41_app_event_needs_a_linked_app(client):
    datasets = {"1": Dataset(token="T", linked_app=False)}
    with Sandbox(datasets=datasets, clock=lambda: NOW) as sandbox:
        url = f"{sandbox.url}/v26.0/1/events"
        answer = client.post(url, json={"data": [APP], "access_token": "T"})
        assert answer.status_code == 400
        assert answer.json()["error"]["sandbox"]["invented"] is True
        assert client.post(url, json={"data": [SHOP], "access_token": "T"}).status_code == 200


@pytest.mark.parametrize("appendix", ["AQ", "AQQAAQIB"])
def test_appendix_of_the_parameter_builder_is_taken(appendix, sandbox, post):
    event = changed(SHOP, "user_data.em", [f"{EMAIL}.{appendix}"])
    for address in ("8.8.4.4", "2001:4860:4860::8888"):
        made = changed(event, "user_data.client_ip_address", f"{address}.{appendix}")
        made = changed(made, "user_data.fbp", SHOP["user_data"]["fbp"] + "." + appendix)
        assert post(made).status_code == 200
    assert [event.warnings for event in sandbox.events] == [(), ()]


def test_all_that_is_wrong_with_an_event_is_kept(sandbox, post):
    post(changed(changed(SHOP, "custom_data.value"), "user_data.em", "john@x.com"))
    assert [problem.subcode for problem in sandbox.refused[0].problems] == [2804016, 2804009]


def test_success_is_exactly_metas(post):
    answer: httpx.Response = post(SHOP)
    body = answer.json()
    assert list(body) == ["events_received", "messages", "fbtrace_id"]
    assert answer.headers["content-type"].startswith("application/json")
