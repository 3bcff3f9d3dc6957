"""The contracts hold for what is right, and catch what is not."""

from __future__ import annotations

import json
import logging
import unittest
from typing import ClassVar

import attrs
import pytest

from capi_plugins import Event, RequestContext, hookimpl
from capi_plugins.destinations.base import Option, Outcome, Payload, Request, Response, Verdict
from capi_plugins.destinations.meta.destination import MetaDestination
from capi_plugins.testing.contracts import DestinationContract, HookContract
from tests.plugins import pinboard
from tests.plugins.test_extensions import Banner, Crm, Minimise

SECRET = "a-key-that-nobody-may-see"


class TestPinboard(DestinationContract):
    def make(self):
        return pinboard.Pinboard("pinboard", {"AD_ACCOUNT": "7", "KEY": SECRET, "URL": "http://p"})


class TestMeta(DestinationContract):
    def make(self):
        given = {"DATASET_ID": "1234567890", "ACCESS_TOKEN": SECRET}
        defaults = {option.name: option.default for option in MetaDestination.OPTIONS}
        return MetaDestination("meta", {**defaults, **given})

    def accepted(self):
        return Response(status=200, body=b'{"events_received": 1}')


class TestCrm(HookContract):
    def make(self):
        return Crm()

    def events(self):
        known = {"event_name": "Lead", "user_data": {"external_id": "c7"}}
        return [*super().events(), Event.from_dict(known)]


class TestBanner(HookContract):
    settings: ClassVar = {"CONSENT": {"DEFAULT": "denied"}}

    def make(self):
        return Banner()

    def contexts(self):
        cookies = ("contract:y", "contract:n", "garbage", ":::", "")
        made = [RequestContext(method="GET", cookies={"banner": each}) for each in cookies]
        return [*super().contexts(), *made]


class TestMinimise(HookContract):
    def make(self):
        return Minimise()


class TestInUnittest(TestPinboard, unittest.TestCase):
    pass


# ------------------------------------------------------------------ what is caught


def caught(contract):
    """The tests of a contract that fail."""
    found = set()
    for name in dir(contract):
        if name.startswith("test_"):
            try:
                getattr(contract(), name)()
            except Exception:
                found.add(name.removeprefix("test_"))
    return found


class Broken(pinboard.Pinboard):
    """Does all that a destination must not do."""

    OPTIONS = (*pinboard.Pinboard.OPTIONS, Option(name="KIND"))
    numbers = iter(range(10_000))

    def payload(self, event, consent, *, now):
        body = {
            "n": next(self.numbers),
            "email": event.user_data.email,
            "key": self.options["KEY"],
            "value": float(event.custom_data.value),
        }
        return Payload(body=json.dumps(body).encode())

    def request(self, deliveries):
        return Request(url=f"/events?key={self.options['KEY']}", method="post")

    def outcome(self, response, deliveries):
        if response.status == 503:
            return Outcome(verdict=Verdict.STOP)
        return Outcome(verdict=Verdict.DELIVERED, reason=response.body.decode("utf-8", "replace"))

    def hashes_of(self, user):
        return ["0123456789abcdef"]


class OfBroken(DestinationContract):
    def make(self):
        return Broken("broken", {"AD_ACCOUNT": "7", "KEY": SECRET, "URL": "http://p"})


def test_a_broken_destination_is_caught():
    assert caught(OfBroken) == {
        "kind_and_options_can_stand_in_settings",
        "secrets_are_not_shown",
        "payloads_hold_no_contact_data_in_clear",
        "payloads_hold_no_secret",
        "the_same_event_has_the_same_payload",
        "odd_events_raise_nothing_but_invalid_event",
        "hashes_of_a_person_stand_in_the_payload",
        "a_request_is_complete",
        "no_failure_is_taken_for_a_success",
        "trouble_of_the_other_side_is_tried_again",
        "reasons_hold_no_secret_and_no_person",
    }


def test_what_is_caught_is_told_without_the_secret():
    with pytest.raises(AssertionError) as failed:
        OfBroken().test_secrets_are_not_shown()
    assert "a secret is shown" in str(failed.value)


class Raises:
    @hookimpl
    def capi_enrich(self, event):
        return event.fill(user_data={"city": event.custom_data.order_id.lower()})


class Changes:
    @hookimpl
    def capi_enrich(self, event):
        own = event.custom_data.properties.get("own")
        if own:
            own.append(2)


class Overwrites:
    @hookimpl
    def capi_enrich(self, event):
        return attrs.evolve(event, user_data=attrs.evolve(event.user_data, email="me@example.com"))


class Talks:
    @hookimpl
    def capi_filter(self, event):
        logging.getLogger("talks").debug("event of %s", event.user_data.email)


class Stumbles:
    @hookimpl
    def capi_enrich(self, event):
        return None

    @hookimpl
    def capi_shutdown(self):
        raise RuntimeError("it was closed already")


class Forgets:
    def capi_enrich(self, event):
        return None


@pytest.mark.parametrize(
    ("plugin", "found"),
    [
        (Raises, {"no_hook_fails", "hooks_work_in_several_threads_at_once"}),
        (Changes, {"events_are_left_as_they_were"}),
        (Overwrites, {"what_is_known_is_not_overwritten"}),
        (Talks, {"nothing_of_a_person_is_logged"}),
        (Stumbles, {"it_can_be_shut_down"}),
        (Forgets, {"it_can_be_loaded_and_has_hooks"}),
    ],
)
def test_a_broken_hook_is_caught(plugin, found):
    class Of(HookContract):
        def make(self):
            return plugin()

    assert found <= caught(Of)
