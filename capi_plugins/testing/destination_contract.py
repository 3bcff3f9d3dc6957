"""What every destination has to do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import attrs

from capi_plugins.consent import Consent
from capi_plugins.destinations.base import Destination, Outcome, Request, Response, Verdict
from capi_plugins.events import CustomData, Event, UserData
from capi_plugins.exceptions import InvalidEvent
from capi_plugins.outbox.base import Delivery

NOW = 1_800_000_000
_PERSON = UserData(
    email="quibble.zanzibar@example.com",
    phone="+4915112345678",
    first_name="Quibble",
    last_name="Zanzibar",
    external_id="customer-4711",
    client_ip_address="203.0.113.7",
    client_user_agent="Mozilla/5.0",
)
_CLEAR = ("quibble", "zanzibar", "15112345678")
_ODD: tuple[Any, ...] = (
    *(float("nan"), float("inf"), -1, 10**40, "", "\ud800", "\x00", b"\xff"),
    *([], {}, [None], object()),
    "x" * 100_000,
    {"a": {"b": [1, {"c": None}]}},
)
_BODIES = (b"", b"null", b"[]", b"{}", b"{", b"\xff\xfe", b'{"error": null}', b'"text"', b"<html>")
_STATUSES = (200, 204, 301, 400, 401, 403, 404, 413, 429, 500, 502, 503, 504, 599)


class DestinationContract:
    """Subclass it, say how the destination is made, and pytest runs the tests."""

    def make(self) -> Destination:
        """Return a new destination with options that could be real ones."""
        raise NotImplementedError

    def event(self) -> Event:
        """Return an event that the destination takes; default: a purchase of a known person."""
        return Event(
            event_name="Purchase",
            event_id="Purchase.4711",
            event_time=NOW,
            action_source="website",
            event_source_url="https://shop.example/thanks",
            user_data=_PERSON,
            custom_data=CustomData(value=42.5, currency="EUR", order_id="4711"),
        )

    def accepted(self) -> Response:
        """Return the answer to a batch that is taken; default: status 200 without a body."""
        return Response(status=200)

    # ------------------------------------------------------------------ what it is

    def test_kind_and_options_can_stand_in_settings(self) -> None:
        """KIND is a text, names of options are upper case and there once."""
        destination = self.make()
        assert destination.KIND and isinstance(destination.KIND, str), "KIND is missing"
        names = [option.name for option in destination.OPTIONS]
        assert len(names) == len(set(names)), f"an option is there twice: {names}"
        wrong = [name for name in names if not re.fullmatch(r"[A-Z][A-Z0-9_]*", name)]
        assert not wrong, f"names of options are upper case: {wrong}"
        taken = {"KIND", "EVENTS"} & set(names)
        assert not taken, f"every destination has these options: {taken}"
        assert destination.MAX_BATCH >= 1, "MAX_BATCH leaves no room"

    def test_secrets_are_not_shown(self) -> None:
        """Neither the text of a destination nor that of a request holds a secret."""
        destination = self.make()
        request = destination.request([self._delivery(destination)])
        for shown in (repr(destination), repr(request), request.url):
            self._has_no_secret(destination, shown)

    # ------------------------------------------------------------------ payloads

    def test_a_payload_is_encoded_and_fits_into_a_batch(self) -> None:
        """A payload has bytes, and fewer than MAX_BATCH_BYTES."""
        destination = self.make()
        body = self._payload(destination, self.event())
        assert isinstance(body, bytes) and body, "the body of a payload is bytes"
        assert len(body) <= destination.MAX_BATCH_BYTES, "MAX_BATCH_BYTES takes no event"

    def test_payloads_hold_no_contact_data_in_clear(self) -> None:
        """A payload is stored: e-mail address, phone number and names are hashed or left out."""
        destination = self.make()
        event = attrs.evolve(self.event(), user_data=_PERSON)
        body = self._payload(destination, event).decode("utf-8", "replace").lower()
        found = [part for part in _CLEAR if part in body]
        assert not found, f"contact data is in the payload in clear: {found}"

    def test_payloads_hold_no_secret(self) -> None:
        """Secrets are added by ``request``, not before: payloads are stored."""
        destination = self.make()
        body = self._payload(destination, self.event()).decode("utf-8", "replace")
        self._has_no_secret(destination, body)

    def test_the_same_event_has_the_same_payload(self) -> None:
        """A payload depends on the event, the consent and the clock alone."""
        destination = self.make()
        bodies = {self._payload(destination, self.event()) for _ in range(3)}
        assert len(bodies) == 1, "one event has different payloads"

    def test_limited_consent_has_a_payload_or_a_reason(self) -> None:
        """LIMITED gives a payload, or InvalidEvent."""
        self._tried(self.make(), self.event(), Consent.LIMITED)

    def test_odd_events_raise_nothing_but_invalid_event(self) -> None:
        """Whatever a host puts into an event costs a field, or the event, and never more."""
        destination = self.make()
        self._tried(destination, Event(event_name="A name of one's own", event_time=NOW))
        for odd in _ODD:
            data = {"value": odd, "currency": odd, "contents": [odd], "order_id": odd, "own": odd}
            person = {"email": odd, "phone": odd, "first_name": odd}
            fields = {"event_name": "Purchase", "custom_data": data, "user_data": person}
            self._tried(destination, Event.from_dict(fields, now=NOW))

    def test_hashes_of_a_person_stand_in_the_payload(self) -> None:
        """What ``hashes_of`` tells is found by ``capi forget``."""
        destination = self.make()
        body = self._payload(destination, attrs.evolve(self.event(), user_data=_PERSON))
        lost = [each for each in destination.hashes_of(_PERSON) if each.encode() not in body]
        assert not lost, f"hashes_of names what is in no payload: {lost}"

    # ------------------------------------------------------------------ requests and answers

    def test_a_request_is_complete(self) -> None:
        """A request has an absolute URL, a method in upper case, and a time limit."""
        destination = self.make()
        deliveries = [self._delivery(destination) for _ in range(min(2, destination.MAX_BATCH))]
        request = destination.request(deliveries)
        assert isinstance(request, Request), "request() returns a Request"
        parts = urlsplit(request.url)
        assert parts.scheme in ("http", "https") and parts.hostname, f"not absolute: {request.url}"
        assert request.method == request.method.upper(), "methods are upper case"
        assert request.timeout > 0, "a request has a time limit"

    def test_an_accepted_batch_is_delivered(self) -> None:
        """The other side's yes is understood."""
        destination = self.make()
        outcome = self._read(destination, self.accepted())
        assert outcome.verdict is Verdict.DELIVERED, f"a taken batch is {outcome.verdict}"

    def test_no_failure_is_taken_for_a_success(self) -> None:
        """Any other status than a 2xx is never DELIVERED, whatever the body says."""
        destination = self.make()
        for status in _STATUSES:
            for body in (*_BODIES, self.accepted().body):
                outcome = self._read(destination, Response(status=status, body=body))
                delivered = outcome.verdict is Verdict.DELIVERED
                assert not (delivered and status >= 300), f"HTTP {status} is delivered"

    def test_trouble_of_the_other_side_is_tried_again(self) -> None:
        """A server that is down, broken or busy costs no event."""
        destination = self.make()
        for status in (429, 500, 502, 503, 504):
            verdict = self._read(destination, Response(status=status)).verdict
            again = verdict in (Verdict.RETRY, Verdict.DOWN, Verdict.THROTTLED)
            assert again, f"HTTP {status} is {verdict}"

    def test_reasons_hold_no_secret_and_no_person(self) -> None:
        """Reasons are logged; servers like to repeat what they were sent."""
        destination = self.make()
        said = " ".join([*self._secrets(destination), "quibble.zanzibar@example.com"])
        for body in (said, f'{{"error": {{"message": "{said}", "error_user_msg": "{said}"}}}}'):
            for status in _STATUSES:
                answer = Response(status=status, body=body.encode())
                reason = self._read(destination, answer).reason
                self._has_no_secret(destination, reason)
                assert "zanzibar" not in reason.lower(), "a reason holds contact data"

    # ------------------------------------------------------------------ parts

    def _payload(self, destination: Destination, event: Event) -> bytes:
        return destination.payload(event, Consent.GRANTED, now=NOW).body

    def _tried(
        self, destination: Destination, event: Event, consent: Consent = Consent.GRANTED
    ) -> None:
        try:
            body = destination.payload(event, consent, now=NOW).body
        except InvalidEvent as error:
            assert str(error), "InvalidEvent says why"  # noqa: PT017 - no pytest here
        else:
            assert isinstance(body, bytes), "the body of a payload is bytes"

    def _delivery(self, destination: Destination) -> Delivery:
        event = self.event()
        return Delivery(
            destination=destination.name,
            event_name=event.event_name,
            event_id=event.event_id,
            payload=self._payload(destination, event),
            key=1,
        )

    def _read(self, destination: Destination, answer: Response) -> Outcome:
        outcome = destination.outcome(answer, [self._delivery(destination)])
        assert isinstance(outcome, Outcome), "outcome() returns an Outcome"
        return outcome

    def _secrets(self, destination: Destination) -> Sequence[str]:
        values = [destination.options.get(each.name) for each in destination.OPTIONS if each.secret]
        return [value for value in values if isinstance(value, str) and value]

    def _has_no_secret(self, destination: Destination, text: str) -> None:
        # Not shown: the message of a failed test ends in the logs of a CI.
        found = [secret for secret in self._secrets(destination) if secret in text]
        assert not found, "a secret is shown"
