"""What ``capi explain`` tells of orders, events and visitors."""

from __future__ import annotations

import json

import pytest

from capi_plugins import Event, FinishedRequest, RequestContext, configure
from capi_plugins._triggers import parse_trigger
from capi_plugins.sandbox import Fault
from capi_plugins.toml_file import read_toml

ADA = {"email": "ada@example.com", "external_id": "customer-7", "phone": "+493023125014"}


@pytest.fixture
def shop(config, sandbox, tmp_path):
    """Makes shops whose events are written down; what is wrong with an answer is the sandbox's."""
    made = []

    def make(more_settings="", outbox=None, **options):
        more = f"""
        [CAPI]
        PAGE_VIEW = false
        {more_settings}
        [CAPI.DELIVERY]
        OUTBOX = "{outbox or f"sqlite:///{tmp_path}/box/outbox.sqlite3"}"
        """
        made.append(configure(read_toml(config(sandbox.url, more=more, **options)), environ={}))
        return made[-1]

    yield make
    for client in made:
        client.close(0)


def order(client, number, **user_data):
    event = {"event_name": "Purchase", "event_id": f"Purchase.{number}", "action_source": "email"}
    data = {"value": 12.5, "currency": "EUR", "order_id": number, "contents": "all"}
    client.capture(Event.from_dict({**event, "user_data": user_data, "custom_data": data}))


@pytest.fixture
def explain(capi):
    def explain(*arguments):
        return capi("--config", "capi.toml", "explain", *arguments)

    return explain


def told(result):
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.parametrize("key", ["F1", "Purchase.F1", " ADA@example.com", "Customer-7"])
def test_an_order_is_found_by_its_number_its_event_and_its_buyer(explain, shop, key):
    client = shop()
    order(client, "F1", **ADA)
    order(client, "F2", email="grace@example.com")
    client.flush()
    client.close()
    lines = told(explain("--json", key))
    assert {line["event_id"] for line in lines} == {"Purchase.F1"}
    assert [line["stage"] for line in lines] == ["captured", "fields left out", "delivered"]
    assert "custom_data.contents" in lines[1]["fields"]
    assert lines[2]["payload"]["custom_data"]["value"] == 12.5
    assert lines[2]["trace"]
    assert b"ada@example.com" not in explain(key).stdout


def test_a_refused_cookie_banner_and_a_duplicate_are_named(explain, shop):
    client = shop(consent="denied")
    order(client, "F1", **ADA)
    client.close()
    (_, dropped) = told(explain("--json", "F1"))
    assert (dropped["stage"], dropped["destination"]) == ("dropped", "meta")
    assert dropped["reason"].startswith("no consent")
    client = shop()
    order(client, "F2", **ADA)
    order(client, "F2", **ADA)
    client.close()
    reasons = [line.get("reason", "") for line in told(explain("--json", "F2"))]
    assert [reason for reason in reasons if reason.startswith("duplicate")]


def test_an_event_whose_trigger_found_nothing_is_told_with_what_it_looked_for(explain, shop):
    client = shop()
    trigger = parse_trigger(
        {"ON": "signal", "SIGNAL": "shop.paid", "EVENT": "Purchase", "EVENT_ID": "order.number",
         "USER_DATA": {"email": "order.email"}, "CUSTOM_DATA": {"value": {"VALUE": 1}}},
        "CAPI['TRIGGERS'][0]",
        [],
    )  # fmt: skip
    client.capture(trigger.build({"sender": None}, []))
    client.close()
    (_, dropped) = told(explain("--json", "Purchase"))
    assert "no usable match key" in dropped["reason"]
    assert dropped["fields"] == {
        "event_id": "path 'order.number' leads nowhere",
        "user_data.email": "path 'order.email' leads nowhere",
    }
    assert b"user_data.email: path 'order.email' leads nowhere" in explain("Purchase").stdout


def test_what_meta_answered_is_told(explain, shop, sandbox, until):
    sandbox.inject(Fault.error(190, status=401, times=50))
    client = shop()
    order(client, "F1", **ADA)
    until(lambda: "code 190" in explain("F1").stdout.decode())
    text = explain("F1").stdout.decode()
    assert "It waits in the outbox" in text
    # In one line each, however long, for those who search in it.
    lines = [line for line in text.splitlines() if "tried again later" in line]
    assert any("code 190" in line for line in lines)


def test_nobody_is_found_where_nothing_is_known(explain, shop):
    client = shop()
    order(client, "F1", **ADA)
    client.close()
    result = explain("F9")
    assert result.returncode == 1
    assert b"Nothing is known of it" in result.stdout


def test_without_a_journal_dead_letters_are_known_and_what_to_set(explain, shop, sandbox):
    client = shop(more_settings="JOURNAL = false")
    sandbox.inject(Fault.error(100, 2804003, status=400, times=1))
    order(client, "F1", **ADA)
    client.flush()
    client.close()
    (letter,) = told(explain("--json", "ada@example.com"))
    assert (letter["stage"], letter["event_id"]) == ("given up", "Purchase.F1")
    assert "code 100/2804003" in letter["reason"]
    result = explain("F9")
    assert result.returncode == 1
    text = b" ".join(result.stdout.split())
    assert b"CAPI['JOURNAL'] is off. Take it out of the settings" in text


def test_without_room_for_a_journal_it_is_told_what_to_set(explain, shop):
    shop(outbox="memory")
    result = explain("F9")
    assert result.returncode == 1
    text = b" ".join(result.stdout.split())
    assert b"the outbox 'memory' has no room for it" in text
    assert b"Set CAPI['JOURNAL'] to the absolute path of a folder" in text


def test_a_dead_letter_that_was_written_down_is_told_once(explain, shop, sandbox):
    client = shop()
    sandbox.inject(Fault.error(100, 2804003, status=400, times=1))
    order(client, "F1", **ADA)
    client.flush()
    client.close()
    stages = [line["stage"] for line in told(explain("--json", "F1"))]
    assert stages == ["captured", "fields left out", "given up"]


def look(client, number, **cookies):
    event = Event.from_dict({"event_name": "ViewContent", "event_id": f"look.{number}"})
    cookies = {"_fbp": "fb.1.1700000000000.1234567890", **cookies}
    context = RequestContext(
        method="GET", url="https://shop.example/", client_user_agent="x", cookies=cookies
    )
    with client.request(lambda: context) as scope:
        client.track(event)
        client.finish(scope, FinishedRequest(method="GET", route="", path="/", status=200))


def test_what_was_taken_out_because_its_visitor_withdrew_consent_is_told(explain, shop, sandbox):
    sandbox.inject(Fault.error(2, status=503, times=100))
    client = shop(consent="denied", sources=("onetrust",))
    look(client, 1, OptanonConsent="groups=C0004%3A1", OptanonAlertBoxClosed="x")
    client.flush(0.5)
    assert client.stats().waiting == 1
    look(client, 2, OptanonConsent="groups=C0004%3A0", OptanonAlertBoxClosed="x")
    client.close(30)
    lines = told(explain("--json", "look.1"))
    assert [lines[0]["stage"], lines[-1]["stage"]] == ["captured", "dropped"]
    text = b" ".join(explain("look.1").stdout.split())
    assert b"no consent (it was withdrawn while the event waited in the outbox)" in text
    assert b"It waits" not in text


def test_what_is_held_is_told_and_what_became_of_it(explain, shop):
    client = shop(consent="hold", sources=("onetrust",))
    look(client, 1)
    client.close()
    lines = told(explain("--json", "look.1"))
    assert [line["stage"] for line in lines] == ["captured", "held"]
    assert b"held until the visitor decides" in explain("look.1").stdout
    client = shop(consent="hold", sources=("onetrust",))
    look(client, 2, OptanonConsent="groups=C0004%3A1", OptanonAlertBoxClosed="x")
    client.flush()
    client.close()
    lines = told(explain("--json", "look.1"))
    assert [line["stage"] for line in lines] == ["captured", "held", "released", "delivered"]
    assert b"released, the visitor consented" in explain("look.1").stdout


def test_a_forgotten_person_is_not_found_any_more(explain, shop, capi):
    client = shop()
    order(client, "F1", **ADA)
    client.flush()
    client.close()
    result = capi("--config", "capi.toml", "forget", "--email", "ada@example.com")
    assert b"journal: 3 lines removed" in result.stdout, result.stdout
    result = explain("ada@example.com")
    assert result.returncode == 1
    assert b"Or the person was erased with 'capi forget'" in b" ".join(result.stdout.split())
