from __future__ import annotations

import json

import pytest

from capi_plugins import Consent, DropEvent, Event, FieldNote, RequestContext, UserData, hookimpl
from tests.core.paper import NOW, Paper

TWO = {"paper": {"TOKEN": "x"}, "second": {"KIND": "paper", "TOKEN": "x"}}


def body(result):
    return json.loads(result.payload.body)


def outcome(results):
    return {item.destination: item.reason for item in results}


def test_an_event_reaches_every_destination(make, post):
    client = make(DESTINATIONS=TWO)
    client.track("Lead", event_id="7")
    assert [(event["name"], event["id"]) for event in post.events] == [("Lead", "7")] * 2


def test_a_destination_takes_only_the_names_in_events(make):
    names = {"paper": {"TOKEN": "x", "EVENTS": ["Purchase"]}, "second": TWO["second"]}
    client = make(DESTINATIONS=names)
    assert list(outcome(client.capture(Event(event_name="Lead")))) == ["second"]
    assert list(outcome(client.capture(Event(event_name="Purchase")))) == ["paper", "second"]


def test_an_event_no_destination_takes_is_dropped(make, heard):
    client = make(DESTINATIONS={"paper": {"TOKEN": "x", "EVENTS": ["Purchase"]}})
    assert outcome(client.capture(Event(event_name="Lead"))) == {
        None: "no destination takes this event"
    }
    assert [name for name, _ in heard] == ["event_captured", "event_dropped"]


def test_a_route_chooses_and_the_first_answer_wins(make):
    class First:
        @hookimpl
        def capi_route(self, event, destinations):
            assert destinations == ["paper", "second"]
            return ["second"] if event.event_name == "Lead" else None

    class Second:
        @hookimpl
        def capi_route(self):
            return "paper"

    client = make(First(), Second(), DESTINATIONS=TWO)
    assert list(outcome(client.capture(Event(event_name="Lead")))) == ["second"]
    assert list(outcome(client.capture(Event(event_name="Purchase")))) == ["paper"]


def test_a_route_to_nowhere_drops(make):
    class Nowhere:
        @hookimpl
        def capi_route(self):
            return []

    assert outcome(make(Nowhere()).capture(Event(event_name="Lead"))) == {
        None: "no destination takes this event"
    }


def test_a_route_that_names_a_destination_twice_reaches_it_once(make, heard):
    class Twice:
        @hookimpl
        def capi_route(self):
            return ["paper", "paper"]

    assert len(make(Twice()).capture(Event(event_name="Lead"))) == 1
    assert "event_dropped" not in [name for name, _ in heard]


def test_a_route_to_an_unknown_destination_is_told(make):
    class Unknown:
        @hookimpl
        def capi_route(self):
            return ["nobody", "paper"]

    assert outcome(make(Unknown()).capture(Event(event_name="Lead"))) == {
        "nobody": "there is no such destination",
        "paper": None,
    }


def test_a_look_up_finds_destinations_settings_do_not_know(make, post):
    class Tenants:
        @hookimpl
        def capi_route(self):
            return ["tenant-5"]

        @hookimpl
        def capi_lookup_destination(self, name):
            return Paper(name, {"TOKEN": "x"}) if name.startswith("tenant-") else None

    make(Tenants()).track("Lead")
    assert len(post.events) == 1


@pytest.mark.parametrize(
    ("default", "expected"),
    [
        ("granted", None),
        ("denied", "no consent (nothing was decided, and CAPI['CONSENT']['DEFAULT'] is 'denied')"),
        (
            "hold",
            (
                "no consent (nothing was decided, and it is not the visitor's own request, so "
                "there is nobody to hold it for)"
            ),
        ),
    ],
)
def test_without_an_answer_the_default_holds(make, default, expected):
    client = make(CONSENT={"DEFAULT": default})
    assert outcome(client.capture(Event(event_name="Lead"))) == {"paper": expected}


class Says:
    def __init__(self, answer, only=None):
        self.answer = answer
        self.only = only

    @hookimpl
    def capi_consent(self, destination):
        return self.answer if self.only in (None, destination) else None


GRANTED, LIMITED, DENIED = Consent


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([GRANTED], "granted"),
        ([None, GRANTED], "granted"),
        ([GRANTED, LIMITED], "limited"),
        ([LIMITED, GRANTED, None], "limited"),
        ([GRANTED, DENIED], None),
        ([DENIED, LIMITED], None),
        ([None], None),
    ],
)
def test_the_strictest_answer_wins(make, answers, expected):
    client = make(*[Says(answer) for answer in answers], CONSENT={"DEFAULT": "denied"})
    (result,) = client.capture(Event(event_name="Lead"))
    assert (body(result)["consent"] if result.payload else None) == expected


def test_consent_is_asked_for_each_destination(make):
    client = make(Says(DENIED, only="second"), DESTINATIONS=TWO)
    assert outcome(client.capture(Event(event_name="Lead"))) == {
        "second": "no consent (Says)",
        "paper": None,
    }


def test_nothing_is_gathered_for_an_event_nobody_may_have(make):
    asked = []

    class Crm:
        @hookimpl
        def capi_enrich(self, event):
            asked.append(event)

    client = make(Says(DENIED), Crm(), DESTINATIONS=TWO)
    client.capture(Event(event_name="Lead"))
    assert asked == []


def test_enrichment_happens_once_and_in_order(make):
    seen = []

    class Adds:
        def __init__(self, **fields):
            self.fields = fields

        @hookimpl
        def capi_enrich(self, event, context):
            seen.append((event.custom_data.value, context.url))
            return event.fill(**self.fields)

    client = make(Adds(custom_data={"value": 1}), Adds(custom_data={"value": 2}), DESTINATIONS=TWO)
    context = RequestContext(url="https://shop.example/", method="GET")
    results = client.capture(Event(event_name="Lead"), context)
    assert seen == [(None, context.url), (1, context.url)]
    assert [body(result)["value"] for result in results] == [1, 1]


def test_a_filter_reduces_for_one_destination_only(make):
    class Minimal:
        @hookimpl
        def capi_filter(self, event, destination):
            if destination == "second":
                return Event(event_name=event.event_name, event_id=event.event_id)
            return None

    client = make(Minimal(), DESTINATIONS=TWO)
    event = Event(event_name="Lead", user_data=UserData(email="a@example.com"))
    emails = {item.destination: body(item)["email"] for item in client.capture(event)}
    assert emails == {"paper": "a@example.com", "second": None}


def test_a_filter_may_drop(make, heard):
    class Tests:
        @hookimpl
        def capi_filter(self, event):
            if event.custom_data.value == 0:
                raise DropEvent("value is 0")

    client = make(Tests())
    assert outcome(client.capture(Event.from_dict({"event_name": "Lead"}))) == {"paper": None}
    free = Event.from_dict({"event_name": "Lead", "custom_data": {"value": 0}})
    assert outcome(client.capture(free)) == {"paper": "value is 0"}


def test_an_event_its_destination_refuses_is_dropped_with_the_reason(make):
    assert outcome(make().capture(Event(event_name="Refused"))) == {
        "paper": "paper refuses this name"
    }


def test_a_destination_that_crashes_costs_the_event_and_shows_no_data(make, caplog):
    assert outcome(make().capture(Event(event_name="Crash"))) == {
        "paper": "destination failed: ZeroDivisionError"
    }
    assert "destination paper failed on Crash with ZeroDivisionError" in caplog.text
    assert "jane@example.com" not in caplog.text


def test_the_clock_of_the_client_dates_events_and_payloads(make, clock, post):
    client = make(clock=clock)
    client.track("Lead")
    assert post.events[0]["time"] == NOW
    (result,) = client.dry_run(Event(event_name="Lead"))
    assert result.payload.expires_at == NOW + 7 * 86400


def test_a_dry_run_goes_through_every_stage_and_queues_nothing(make, post, heard):
    client = make(Says(DENIED, only="second"), DESTINATIONS=TWO)
    results = client.dry_run(Event(event_name="Lead", event_id="1"))
    assert outcome(results) == {"second": "no consent (Says)", "paper": None}
    assert post.events == []
    assert client.stats().waiting == 0
    client.track("Lead", event_id="1")
    assert len(post.events) == 1


def test_the_same_event_is_delivered_once(make, post, heard):
    client = make()
    for _ in range(3):
        client.track("Purchase", event_id="A-1")
    client.track("Lead", event_id="A-1")
    assert [event["name"] for event in post.events] == ["Purchase", "Lead"]
    reasons = [told["reason"] for name, told in heard if name == "event_dropped"]
    assert reasons == ["duplicate: this event_id was queued within the last 48 hours"] * 2


def test_an_event_that_cannot_be_built_is_dropped_with_the_reason(make, heard):
    client = make()
    client.track("Lead", event_time="yesterday")
    client.track("")
    dropped = [told for name, told in heard if name == "event_dropped"]
    assert [told["event"] for told in dropped] == [None, None]
    assert dropped[0]["reason"].startswith("event_time cannot be read")
    assert dropped[1]["reason"].startswith("event_name is missing")


def test_fields_that_were_left_out_are_told(make, heard):
    make().track("Lead", user_data={"shoe_size": 44})
    (told,) = [told for name, told in heard if name == "field_dropped"]
    assert told["destination"] == "paper"
    assert told["notes"] == (FieldNote("user_data.shoe_size", "is not a field of user_data"),)


@pytest.mark.parametrize("settings", [{"ENABLED": False}, {"DESTINATIONS": {}}])
def test_without_destination_or_switched_off_everything_is_taken_and_nothing_leaves(
    make, post, heard, settings
):
    client = make(**settings)
    client.track("Lead")
    assert client.capture(Event(event_name="Lead")) == []
    assert post.events == []
    assert heard == []
    assert client.flush()
