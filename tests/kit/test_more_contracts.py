"""The contracts of outboxes and sources hold for what is right, and catch what is not."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
import unittest

import attrs

from capi_plugins import Event
from capi_plugins._paths import parse_lookup
from capi_plugins.outbox.base import Stored
from capi_plugins.outbox.memory import MemoryOutbox
from capi_plugins.segment import Converter, read_options
from capi_plugins.segment.tracking import TrackingApi
from capi_plugins.segment.webhooks import RudderStackWebhook, SegmentWebhook
from capi_plugins.sources.base import Source, SourceRequest
from capi_plugins.testing.contracts import OutboxContract, SourceContract
from tests.kit.test_contracts import caught
from tests.plugins.test_extensions import Payments

SECRET = "the secret"
ORDER = {
    "type": "track",
    "event": "Order Completed",
    "messageId": "m-1",
    "userId": "c7",
    "timestamp": "2026-11-20T10:00:00Z",
    "properties": {"order_id": "F1", "total": 3, "currency": "EUR", "email": "a@b.example"},
}
BATCH = json.dumps({"batch": [ORDER], "writeKey": "key"}).encode()


class TestPayments(SourceContract):
    def make(self):
        return Payments(SECRET)

    def requests(self):
        paid = {"type": "paid", "order": "A-1", "email": "a@example.com"}
        return [self.signed(SourceRequest(body=json.dumps(paid).encode()))]

    def signed(self, request):
        signature = hmac.new(SECRET.encode(), request.body, hashlib.sha256).hexdigest()
        return attrs.evolve(request, headers={"payments-signature": signature})


def converter(**settings):
    problems = []
    options = read_options(settings, problems, parse_lookup)
    assert problems == []
    return Converter(options)


class TestSegment(SourceContract):
    def make(self):
        return SegmentWebhook(converter(), [SECRET])

    def requests(self):
        return [self.signed(SourceRequest(body=BATCH))]

    def signed(self, request):
        signature = hmac.new(SECRET.encode(), request.body, hashlib.sha1).hexdigest()
        return attrs.evolve(request, headers={"x-signature": signature})


class TestRudderStack(SourceContract):
    def make(self):
        return RudderStackWebhook(converter(), [SECRET])

    def requests(self):
        key = base64.b64encode(f":{SECRET}".encode()).decode()
        return [SourceRequest(body=BATCH, headers={"authorization": f"Basic {key}"})]


class TestTracking(SourceContract):
    def make(self):
        return TrackingApi(converter(WRITE_KEYS=["key"]))

    def requests(self):
        key = base64.b64encode(b"key:").decode()
        body = json.dumps({"batch": [ORDER]}).encode()
        return [SourceRequest(path="batch", body=body, headers={"authorization": f"Basic {key}"})]


class TestInUnittest(TestPayments, unittest.TestCase):
    pass


# ------------------------------------------------------------------ what is caught


class Careless(Source):
    """Does all that a source must not do."""

    NAME = "a careless/one"
    METHODS = ("post",)

    def events(self, request):
        message = json.loads(request.body)
        return [Event(event_name="Lead", event_id=str(random.random()), event_source_url=message)]


class OfCareless(SourceContract):
    def make(self):
        return Careless()

    def requests(self):
        return [SourceRequest(body=b'"text"', headers={"authorization": "x"})]


def test_a_careless_source_fails_nearly_all():
    assert caught(OfCareless) == {
        "it_can_be_a_part_of_a_url",
        "its_requests_have_events",
        "a_request_that_comes_again_has_the_same_events",
        "a_request_without_proof_is_refused",
        "whatever_comes_raises_nothing_but_webhook_error",
        "refusals_are_answers_that_repeat_nobodys_address",
    }


class Forgetful(MemoryOutbox):
    """Takes what it is given twice, gives it away again and again, and forgets nobody."""

    def __init__(self):
        super().__init__()
        self.all = []

    def put(self, deliveries):
        self.all += deliveries
        return Stored()

    def take(self, destination, *, limit, max_bytes, now):
        return self.all[::-1][:limit]

    def forget(self, needles, *, destination=None):
        return []


class OfForgetful(OutboxContract):
    MOVES_TIME = False
    WRITES = 2
    PATIENCE = 2.0

    def make(self, clock):
        return Forgetful()


def test_a_forgetful_outbox_is_caught():
    assert caught(OfForgetful) >= {
        "nothing_is_lost_or_given_twice_under_threads",
        "what_is_put_is_taken_oldest_first",
        "destinations_do_not_see_each_other",
        "what_is_taken_is_leased_until_it_is_settled",
        "a_delivery_is_settled_once",
        "an_event_is_taken_in_once_for_each_destination_name_and_id",
        "a_person_is_forgotten_wherever_the_events_are",
        "a_dead_letter_is_counted_and_never_taken",
    }


class OfMemoryWithAClockOfItsOwn(OutboxContract):
    MOVES_TIME = False
    WRITES = 5

    def make(self, clock):
        return MemoryOutbox()


def test_an_outbox_with_a_clock_of_its_own_is_tried_too():
    skipped = {
        "a_duplicate_is_known_for_48_hours_whatever_became_of_the_event",
        "dead_letters_are_listed_the_newest_first",
        "the_oldest_is_told",
    }
    assert caught(OfMemoryWithAClockOfItsOwn) == skipped
